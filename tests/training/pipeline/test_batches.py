"""Examples to batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from omninet.model.outputs.text.output import plain_text
from omninet.model.tasks import TASKS
from omninet.training.data import Example
from omninet.training.pipeline.batches import spread_captions
from omninet.training.pipeline.features import VIEWS, Features
from omninet.training.setup import Setup
from tests.training.conftest import drawn


def views_of(setup: Setup, example: Example) -> list[Tensor]:
    """Features of all views of an example's one picture or clip."""
    media, (path,) = setup.encoder.media["vision"], example.media
    assert isinstance(media, Features)
    return [media.view(path, number) for number in range(VIEWS)]


def test_a_batch_of_captions(setup: Setup) -> None:
    tokenizer = setup.encoder.tokenizer
    examples = setup.examples["caption"][:3]

    batch = setup.encoder.batch(drawn(examples))
    assert batch is not None

    ((name, _, maps),) = batch.inputs
    assert name == "vision"
    assert maps.shape == (3, 1, 4, 512)
    for i, example in enumerate(examples):
        targets = batch.targets[i][batch.mask[i]].tolist()
        assert targets[-1] == tokenizer.end
        assert "".join(tokenizer.pieces(targets)) == plain_text(example.answer)
        views = views_of(setup, example)
        assert any(torch.equal(maps[i], view) for view in views)


def test_answers_of_annotators_are_soft_targets(setup: Setup) -> None:
    hard, other = setup.examples["vqa"][:2]
    first, second = (setup.vocabularies["vqa"].index(example.answer) for example in (hard, other))
    soft = replace(hard, answers=(hard.answer,) * 9 + (other.answer,))

    alone = setup.encoder.batch(drawn([hard, other]))
    batch = setup.encoder.batch(drawn([soft, other]))

    assert alone is not None
    assert batch is not None
    assert alone.shares is None
    assert torch.equal(batch.targets, alone.targets)
    wanted = torch.zeros(2, len(setup.vocabularies["vqa"]))
    wanted[0, first], wanted[0, second], wanted[1, second] = 0.75, 0.25, 1
    torch.testing.assert_close(batch.shares, wanted)


def test_a_batch_of_tags(setup: Setup) -> None:
    examples = setup.examples["pos"][:3]

    batch = setup.encoder.batch(drawn(examples))
    assert batch is not None

    ((name, _, text),) = batch.inputs
    assert name == "language"
    assert batch.mask.sum(1).tolist() == [len(e.words) for e in examples]
    for i, example in enumerate(examples):
        tags = [setup.vocabularies["pos"][t] for t in batch.targets[i][batch.mask[i]].tolist()]
        assert tuple(tags) == example.tags
        encoded = setup.encoder.tokenizer.encode(example.words)
        assert torch.equal(text.tokens[i][text.mask[i]], torch.from_numpy(encoded.tokens))
        assert torch.equal(text.words[i][text.mask[i]], torch.from_numpy(encoded.words))


def test_a_batch_of_questions(setup: Setup) -> None:
    example = setup.examples["vqa"][0]
    tokenizer = setup.encoder.tokenizer
    written = set()
    for seed in range(10):
        batch = setup.encoder.batch(drawn([example], seed))
        assert batch is not None
        assert [name for name, *_ in batch.inputs] == ["vision", "language"]
        assert batch.targets.tolist() == [[setup.vocabularies["vqa"].index(example.answer)]]
        written.add("".join(tokenizer.pieces(batch.inputs[1][2].tokens[0].tolist())).strip())

    assert written == {"What colour, then, is it?"}


def test_a_batch_of_clips(setup: Setup) -> None:
    batch = setup.encoder.batch(drawn(setup.examples["activity"]))
    assert batch is not None

    assert batch.inputs[0][2].shape == (4, 3, 4, 512)
    labels = [setup.vocabularies["activity"][i] for i in batch.targets[:, 0].tolist()]
    assert labels == [e.answer for e in setup.examples["activity"]]


def test_a_task_may_use_plain_views_only(setup: Setup) -> None:
    """Mirroring or cropping could make the target of the picture wrong."""
    example = setup.examples["activity"][0]
    views = views_of(setup, example)
    seen: dict[str, set[int]] = {}

    for kind in ("any", "plain"):
        network = setup.encoder.network
        tasks = {**network.tasks, "activity": replace(network.tasks["activity"], views=kind)}
        encoder = replace(setup.encoder, network=replace(network, tasks=tasks))
        maps = [encoder.batch(drawn([example], seed)) for seed in range(30)]
        seen[kind] = {
            next(i for i, view in enumerate(views) if torch.equal(batch.inputs[0][2][0], view))
            for batch in maps
            if batch
        }

    assert seen == {"any": set(range(VIEWS)), "plain": {0}}


def test_a_pair_of_pictures_is_two_frames(setup: Setup) -> None:
    first, second = (setup.examples["caption"][i].media[0] for i in (0, 1))
    example = Example("pair", {"image": first, "second_image": second, "statement": "Both show a dog."}, "true")
    config = setup.encoder.network
    network = replace(
        config,
        tasks={**config.tasks, "pair": TASKS["pair"]},
        vocabularies={**config.vocabularies, "truth": 2},
        controls=(),
    )
    encoder = replace(setup.encoder, network=network, vocabularies={"truth": {"true": 1, "false": 0}})

    batch = encoder.batch(drawn([example]))

    assert batch is not None
    (_, _, frames), _ = batch.inputs
    features = setup.encoder.media["vision"]
    assert isinstance(features, Features)
    torch.testing.assert_close(frames[0], torch.cat([features.view(first, 0), features.view(second, 0)]))
    assert batch.targets.tolist() == [[1]]


@pytest.mark.parametrize(
    ("caption", "plain"),
    [
        ("A dog runs .", "A dog runs"),
        (" A dog , a cat . ", "A dog, a cat"),
        ("A dog 's tail", "A dog's tail"),
        ("No end", "No end"),
    ],
)
def test_plain_texts(caption: str, plain: str) -> None:
    assert plain_text(caption) == plain


def test_a_picture_is_an_example_for_each_of_its_captions() -> None:
    photo = Path("a.jpg")
    examples = [Example("caption", {"image": photo}, answer="one", captions=("one", "two"))]

    assert spread_captions(examples) == [
        Example("caption", {"image": photo}, answer="one", captions=("one", "two")),
        Example("caption", {"image": photo}, answer="two", captions=("one", "two")),
    ]
