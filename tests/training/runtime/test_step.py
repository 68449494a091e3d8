"""The loss, one step, and the optimiser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from omninet.model.modalities.language.peripheral import LanguagePeripheral, TextBatch
from omninet.model.network.memory import Memory
from omninet.model.network.omninet import OmniNet
from omninet.training.pipeline.batches import Batch
from omninet.training.runtime.shared import BETAS, EPSILON, GlobalModel, SharedAdam
from omninet.training.runtime.step import Objective, StepResult, compute_gradients, seed_step
from omninet.training.setup import Setup
from tests.training.conftest import drawn

TASKS = ["caption", "pos", "vqa", "activity"]


def batch_of(setup: Setup, task: str, count: int = 3) -> Batch:
    """Return the task's first examples as a batch."""
    batch = setup.encoder.batch(drawn(setup.examples[task][:count]))
    assert batch is not None
    return batch


def loss_of(network: OmniNet, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return means over the unmasked targets."""
    terms, right, _ = Objective(network)(batch)
    return torch.stack(list(terms.values())).sum() / batch.real, right / batch.real


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


def test_a_soft_target_with_one_class_has_the_loss_of_that_class(setup: Setup) -> None:
    network = setup.network.eval()
    batch = batch_of(setup, "vqa")
    shares = torch.nn.functional.one_hot(batch.targets[:, 0], len(setup.vocabularies["vqa"])).float()

    loss, right = loss_of(network, replace(batch, shares=shares))

    assert loss.item() == pytest.approx(loss_of(network, batch)[0].item(), abs=1e-6)
    assert right == loss_of(network, batch)[1]


@pytest.mark.parametrize("task", TASKS)
def test_training_and_serving_compute_the_same(setup: Setup, task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    encode = OmniNet.encode

    def watched(network: OmniNet, inputs: Any, moves: bool = True, *others: Any) -> Memory:
        seen.append(moves)
        return encode(network, inputs, moves, *others)

    monkeypatch.setattr(OmniNet, "encode", watched)
    loss_of(setup.network.eval(), batch_of(setup, task))

    assert seen == [task == "activity"]


@pytest.mark.parametrize("task", ["caption", "pos"])
def test_a_batch_weighs_every_target_the_same(setup: Setup, task: str) -> None:
    network = setup.network.eval()
    examples = setup.examples[task][:3]
    batches = [batch for e in examples if (batch := setup.encoder.batch(drawn([e])))]
    alone = [loss_of(network, batch) for batch in batches]
    counts = [int(batch.mask.sum()) for batch in batches]

    together, _ = loss_of(network, batch_of(setup, task))

    mean = sum(loss.item() * n for (loss, _), n in zip(alone, counts, strict=True)) / sum(counts)
    assert together.item() == pytest.approx(mean, abs=1e-5)


def test_padding_does_not_count(setup: Setup) -> None:
    network = setup.network.eval()
    batch = batch_of(setup, "pos")
    ((_, _, text),) = batch.inputs
    wider = TextBatch(
        *(torch.cat([part, torch.full((3, 4), fill)], 1) for part, fill in zip(text, (5, 3, False), strict=True))
    )
    padded = Batch(
        "pos",
        (("language", "english", wider),),
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
    batch = setup.encoder.batch(drawn([short, long]))
    assert batch is not None
    loss, _ = loss_of(network, batch)
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

    train(setup, [batch_of(setup, task)], rate=1e-2)

    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith("peripherals.vision.backbone") for name in changed)
    assert {"peripherals.vision.projection.weight", f"cnp.classifiers.{task}.weight"} <= changed
    assert all(p.grad is None for p in network.peripherals["vision"].get_submodule("backbone").parameters())


def test_a_frozen_backbone_gets_no_gradient_from_pixels(setup: Setup) -> None:
    network = setup.network.train()
    pixels = torch.randint(0, 256, (2, 1, 3, 32, 32), dtype=torch.uint8)
    batch = replace(batch_of(setup, "activity", 2), inputs=(("vision", "image", pixels),))

    loss, _ = loss_of(network, batch)
    loss.backward()  # type: ignore[no-untyped-call]

    vision = network.peripherals["vision"]
    assert all(p.grad is None for p in vision.get_submodule("backbone").parameters())
    assert all(p.grad is not None for p in vision.get_submodule("projection").parameters())


def train(setup: Setup, batches: list[Batch], rate: float, clip: float = 1.0) -> list[StepResult]:
    """A step on each of the batches."""
    adam = SharedAdam(GlobalModel(setup.network, 1), 0)
    results = []
    for batch in batches:
        results.append(compute_gradients(Objective(setup.network), [batch], clip))
        adam.step([p.grad for p in setup.network.parameters() if p.requires_grad], rate)
    return results


def test_the_optimiser_is_the_papers(setup: Setup) -> None:
    optimiser = SharedAdam(GlobalModel(setup.network, 1), 0).adam

    assert (BETAS, EPSILON) == ((0.9, 0.98), 1e-9)
    (group,) = optimiser.param_groups
    assert (group["betas"], group["eps"], group["weight_decay"]) == (BETAS, EPSILON, 0)
    assert sum(p.numel() for p in group["params"]) == sum(
        p.numel() for p in setup.network.parameters() if p.requires_grad
    )


def test_the_result_of_a_step(setup: Setup) -> None:
    network = setup.network.eval()  # without dropout, so that the loss can be known before
    batch = batch_of(setup, "vqa")
    loss, accuracy = loss_of(network, batch)

    result = compute_gradients(Objective(network), [batch], clip=1e-3)

    assert result.task == "vqa"
    assert result.loss == pytest.approx(loss.item())
    assert result.accuracy == pytest.approx(accuracy.item())
    assert (result.samples, result.finite) == (3, True)
    # The norm is the one before clipping; what is left in the gradients is the one after.
    assert result.gradient_norm > 1e-3
    squares = [p.grad.square().sum() for p in network.parameters() if p.grad is not None]
    assert torch.stack(squares).sum().sqrt().item() == pytest.approx(1e-3, rel=1e-2)


def test_steps_on_one_batch_lower_its_loss(setup: Setup) -> None:
    setup.network.eval()

    losses = [result.loss for result in train(setup, [batch_of(setup, "pos")] * 15, rate=5e-3)]

    assert losses[-1] < 0.5 * losses[0]


def test_collating_pads_with_what_is_masked(setup: Setup) -> None:
    rows = [setup.encoder.tokenizer.encode(e.words) for e in setup.examples["pos"][:3]]

    text = LanguagePeripheral.collate(rows)

    assert text.mask.sum(1).tolist() == [len(row.tokens) for row in rows]
    assert torch.equal(
        text.tokens * text.mask, pad_sequence([torch.from_numpy(row.tokens) for row in rows], batch_first=True)
    )


def test_accumulated_batches_are_one(setup: Setup) -> None:
    network = setup.network.eval()
    examples = setup.examples["pos"][:6]
    parts = [setup.encoder.batch(drawn(group)) for group in (examples[:1], examples[1:])]
    whole = setup.encoder.batch(drawn(examples))
    assert whole
    expected = compute_gradients(Objective(network), [whole], clip=1e9)
    gradients = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}

    found = compute_gradients(Objective(network), [part for part in parts if part], clip=1e9)

    assert found.loss == pytest.approx(expected.loss, rel=1e-5)
    assert found.accuracy == pytest.approx(expected.accuracy)
    assert found.samples == expected.samples == 6
    for name, p in network.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(p.grad, gradients[name], rtol=1e-4, atol=1e-6)


def test_without_unmasked_targets_there_is_no_gradient(setup: Setup) -> None:
    network, batch = setup.network.eval(), batch_of(setup, "vqa")
    empty = replace(batch, mask=torch.zeros_like(batch.mask), skipped=3)

    result = compute_gradients(Objective(network), [empty], clip=1.0)

    assert (result.samples, result.skipped, result.loss) == (0, 3, 0.0)
    assert all(p.grad is None for p in network.parameters())


def test_a_fully_masked_batch_changes_nothing(setup: Setup) -> None:
    network, batch = setup.network.eval(), batch_of(setup, "vqa")
    alone = compute_gradients(Objective(network), [batch], clip=1e9)

    both = compute_gradients(Objective(network), [batch, replace(batch, mask=torch.zeros_like(batch.mask))], clip=1e9)

    assert both == alone


def test_bfloat16_is_close_and_leaves_float32(setup: Setup) -> None:
    network, batch = setup.network.eval(), batch_of(setup, "vqa")
    exact = compute_gradients(Objective(network), [batch], clip=1e9)

    rough = compute_gradients(Objective(network), [batch], clip=1e9, precision=torch.bfloat16)

    assert rough.loss != exact.loss
    assert rough.loss == pytest.approx(exact.loss, rel=0.02)
    assert rough.gradient_norm == pytest.approx(exact.gradient_norm, rel=0.1)
    assert {p.grad.dtype for p in network.parameters() if p.grad is not None} == {torch.float32}


def test_a_non_finite_loss_is_detected(setup: Setup) -> None:
    network = setup.network.eval()
    network.cnp.task_projection.weight.data.fill_(float("nan"))

    assert not compute_gradients(Objective(network), [batch_of(setup, "vqa")], clip=1.0).finite


def test_the_random_numbers_of_a_step_follow_from_its_number() -> None:
    def drawn(*arguments: object) -> float:
        seed_step(*arguments)  # type: ignore[arg-type]
        return torch.rand(1).item()

    assert drawn(0, "pos", 3) == drawn(0, "pos", 3)
    assert len({drawn(0, "pos", 3), drawn(1, "pos", 3), drawn(0, "vqa", 3), drawn(0, "pos", 4)}) == 4
