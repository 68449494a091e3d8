"""The loss, one step, and the optimiser."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from model.peripherals.language import LanguagePeripheral, Text
from training.batches import Batch
from training.setup import Setup
from training.step import BETAS, EPSILON, loss_of, make_optimiser, train_step

TASKS = ["caption", "pos", "vqa", "activity"]


def batch_of(setup: Setup, task: str, count: int = 3) -> Batch:
    """Its first examples."""
    return setup.encoder.batch(setup.examples[task][:count], random.Random(0))


@pytest.mark.parametrize("task", TASKS)
def test_loss_is_the_mean_over_real_targets(setup: Setup, task: str) -> None:
    network = setup.network.eval()
    batch = batch_of(setup, task)

    loss, accuracy = loss_of(network, batch)

    with torch.no_grad():
        scores = network.cnp.decode(network.encode(batch.inputs), task, batch.targets)
    values, right = [], []
    for row, targets, mask in zip(scores, batch.targets.tolist(), batch.mask.tolist(), strict=True):
        for position, target in enumerate(targets):
            if mask[position]:
                values.append(-row[position, target].item())
                right.append(int(row[position].argmax()) == target)
    assert loss.item() == pytest.approx(sum(values) / len(values), abs=1e-5)
    assert accuracy.item() == pytest.approx(sum(right) / len(right))
    assert len(values) == batch.mask.sum()


@pytest.mark.parametrize("task", ["caption", "pos"])
def test_a_batch_weighs_every_target_the_same(setup: Setup, task: str) -> None:
    network = setup.network.eval()
    examples = setup.examples[task][:3]
    alone = [loss_of(network, setup.encoder.batch([e], random.Random(0))) for e in examples]
    counts = [int(setup.encoder.batch([e], random.Random(0)).mask.sum()) for e in examples]

    together, _ = loss_of(network, same_views(setup, task))

    mean = sum(loss.item() * n for (loss, _), n in zip(alone, counts, strict=True)) / sum(counts)
    assert together.item() == pytest.approx(mean, abs=1e-5)


def same_views(setup: Setup, task: str) -> Batch:
    """Its first three examples, each seen as ``Random(0)`` has it."""
    parts = [setup.encoder.batch([e], random.Random(0)) for e in setup.examples[task][:3]]
    batch = batch_of(setup, task)
    if task == "pos":
        return batch
    return replace(batch, inputs=(("vision", torch.cat([part.inputs[0][1] for part in parts])),))


def test_padding_does_not_count(setup: Setup) -> None:
    network = setup.network.eval()
    batch = batch_of(setup, "pos")
    ((_, text),) = batch.inputs
    wider = Text(
        *(torch.cat([part, torch.full((3, 4), fill)], 1) for part, fill in zip(text, (5, 3, False), strict=True))
    )
    padded = Batch(
        "pos",
        (("language", wider),),
        torch.cat([batch.targets, torch.full((3, 4), 2)], 1),
        torch.cat([batch.mask, torch.zeros(3, 4, dtype=torch.bool)], 1),
    )

    (loss, accuracy), (plain_loss, plain_accuracy) = loss_of(network, padded), loss_of(network, batch)

    assert loss.item() == pytest.approx(plain_loss.item(), abs=1e-6)
    assert accuracy == plain_accuracy


def test_padded_texts_get_no_gradient(setup: Setup) -> None:
    network = setup.network
    examples = setup.examples["pos"]
    short, long = (min(examples, key=lambda e: len(e.words)), max(examples, key=lambda e: len(e.words)))
    loss, _ = loss_of(network, setup.encoder.batch([short, long], random.Random(0)))
    loss.backward()  # type: ignore[no-untyped-call]

    language = network.peripherals["language"]
    assert isinstance(language, LanguagePeripheral)
    embedding = language.embedding.weight
    assert embedding.grad is not None
    assert not embedding.grad[-1].any()
    assert embedding.grad[setup.encoder.tokenizer.end].any()


@pytest.mark.parametrize("task", ["caption", "activity"])
def test_a_frozen_backbone_does_not_change(setup: Setup, task: str) -> None:
    network = setup.network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    train_step(network, make_optimiser(network), batch_of(setup, task), rate=1e-2, clip=1.0)

    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith("peripherals.vision.backbone") for name in changed)
    assert {"peripherals.vision.projection.weight", f"cnp.classifiers.{task}.weight"} <= changed
    assert all(p.grad is None for p in network.peripherals["vision"].get_submodule("backbone").parameters())


def test_a_frozen_backbone_gets_no_gradient_from_pixels(setup: Setup) -> None:
    network = setup.network.train()
    pixels = torch.randint(0, 256, (2, 1, 3, 32, 32), dtype=torch.uint8)
    batch = replace(batch_of(setup, "activity", 2), inputs=(("vision", pixels),))

    loss, _ = loss_of(network, batch)
    loss.backward()  # type: ignore[no-untyped-call]

    vision = network.peripherals["vision"]
    assert all(p.grad is None for p in vision.get_submodule("backbone").parameters())
    assert all(p.grad is not None for p in vision.get_submodule("projection").parameters())


def test_the_optimiser_is_the_papers(setup: Setup) -> None:
    optimiser = make_optimiser(setup.network)

    assert (BETAS, EPSILON) == ((0.9, 0.98), 1e-9)
    (group,) = optimiser.param_groups
    assert (group["betas"], group["eps"], group["weight_decay"]) == (BETAS, EPSILON, 0)
    assert sum(p.numel() for p in group["params"]) == sum(
        p.numel() for p in setup.network.parameters() if p.requires_grad
    )


def test_a_step_says_what_it_saw(setup: Setup) -> None:
    network = setup.network.eval()  # without dropout, so that the loss can be known before
    batch = batch_of(setup, "vqa")
    loss, accuracy = loss_of(network, batch)
    optimiser = make_optimiser(network)

    result = train_step(network, optimiser, batch, rate=0.03, clip=1e-3)

    assert result.task == "vqa"
    assert result.loss == pytest.approx(loss.item())
    assert result.accuracy == pytest.approx(accuracy.item())
    assert optimiser.param_groups[0]["lr"] == 0.03
    # The norm is the one before clipping; what is left in the gradients is the one after.
    assert result.gradient_norm > 1e-3
    squares = [p.grad.square().sum() for p in network.parameters() if p.grad is not None]
    assert torch.stack(squares).sum().sqrt().item() == pytest.approx(1e-3, rel=1e-2)


def test_steps_on_one_batch_lower_its_loss(setup: Setup) -> None:
    network = setup.network.eval()
    optimiser, batch = make_optimiser(network), batch_of(setup, "pos")

    losses = [train_step(network, optimiser, batch, rate=5e-3, clip=1.0).loss for _ in range(15)]

    assert losses[-1] < 0.5 * losses[0]


def test_collating_pads_with_what_is_masked(setup: Setup) -> None:
    rows = [setup.encoder.tokenizer.encode(e.words) for e in setup.examples["pos"][:3]]

    text = LanguagePeripheral.collate(rows)

    assert text.mask.sum(1).tolist() == [len(row.tokens) for row in rows]
    assert torch.equal(text.tokens * text.mask, pad_sequence([row.tokens for row in rows], batch_first=True))
