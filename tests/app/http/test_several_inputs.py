"""Tests of tasks with other inputs than the bundled ones: two pictures, two peripherals of one modality, text only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from omninet.app.engine.warm_up import warm_up
from omninet.model.checkpoint import Checkpoint, load, save
from omninet.model.errors import InputError
from omninet.model.modalities.vision.config import VisionConfig
from omninet.model.model_config import ModelConfig
from omninet.model.network.omninet import OmniNet
from omninet.model.outputs.label.answer import Label
from omninet.model.outputs.text.answer import Caption
from omninet.model.predictor import Predictor
from omninet.model.tasks import Input, Task
from tests.app.engine.test_replica import assert_same, replica
from tests.conftest import FIRST_TASKS
from tests.samples import picture, video_bytes

SAME = Task(
    "same",
    (Input("left", "vision", "image"), Input("right", "page", "image"), Input("question", "language", "english")),
    "label",
    "yes or no",
)
MOOD = Task("mood", (Input("text", "language", "english"),), "label", "yes or no")
LEFT, RIGHT = picture(40, 30), picture(30, 50)


@pytest.fixture(scope="module")
def checkpoint(toy: Checkpoint) -> Checkpoint:
    """Build the toy model with a second vision peripheral for larger pictures and two tasks that share a vocabulary."""
    config = toy.config.network
    network = replace(
        config,
        peripherals={**config.peripherals, "page": VisionConfig(backbone="compact", size=96)},
        tasks={**FIRST_TASKS, "same": SAME, "mood": MOOD},
        vocabularies={**config.vocabularies, "yes or no": 2},
        controls=(),
    )
    torch.manual_seed(0)
    model = ModelConfig("several", "0.0.1", network, text_steps=12)
    vocabularies = {**toy.vocabularies, "yes or no": ("no", "yes")}
    return Checkpoint(model, OmniNet(network).eval(), toy.tokenizer_file, vocabularies, "# Several\n")


@pytest.fixture(scope="module")
def predictor(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """Save and load the model with two vision peripherals."""
    folder = tmp_path_factory.mktemp("several") / "several"
    save(checkpoint, folder)
    return Predictor.load(folder, device="cpu")


def same(**changes: Any) -> dict[str, Any]:
    """Return the inputs of the task with two pictures."""
    return {"images": {"left": LEFT, "right": RIGHT}, "question": "are they the same ?"} | changes


def test_every_task_is_warmed_up(predictor: Predictor) -> None:
    assert predictor.tasks == ["pos", "activity", "caption", "vqa", "same", "mood"]
    warm_up(predictor)


def test_each_picture_is_seen_by_its_own_peripheral(predictor: Predictor) -> None:
    row = predictor.prepare("same", **same()).rows[0]

    assert [given.peripheral for given in row.inputs] == ["vision", "page", "language"]
    assert [tuple(given.value.shape) for given in row.inputs[:2]] == [(1, 3, 64, 64), (1, 3, 96, 96)]


def test_order_of_two_pictures_matters(predictor: Predictor) -> None:
    one, other = (
        predictor.predict("same", **same(images={"left": left, "right": right}))
        for left, right in ((LEFT, RIGHT), (RIGHT, LEFT))
    )

    assert isinstance(one, Label)
    assert isinstance(other, Label)
    assert one.candidates[0].probability != pytest.approx(other.candidates[0].probability, abs=1e-6)


def test_mixed_batches_change_no_answer(predictor: Predictor) -> None:
    """Each picture is encoded by its own backbone, also in the engine, which batches frames."""
    requests: list[tuple[str, dict[str, Any]]] = [
        ("same", same()),
        ("caption", {"image": LEFT, "beams": 2}),
        ("same", same(images={"left": RIGHT, "right": LEFT})),
        ("mood", {"text": "what a day"}),
        ("activity", {"video": video_bytes()}),
        ("pos", {"tokens": ["Stay"]}),
        ("same", same(images={"left": LEFT, "right": LEFT}, question="where ?")),
    ]
    rows = [predictor.prepare(task, **inputs).rows[0] for task, inputs in requests]
    alone = [predictor.run([row])[0] for row in rows]

    together = predictor.run(rows)
    with replica(predictor) as put:
        works = put(rows)
    answers = [work.answer.result(timeout=20) for work in works]

    for found, served, expected in zip(together, answers, alone, strict=True):
        assert_same(found, expected)
        assert_same(served, expected)


@pytest.mark.parametrize(
    ("task", "inputs", "code", "message"),
    [
        ("same", same(images={"left": LEFT}), "missing_input", "task same needs right"),
        ("same", same(images=None), "missing_input", "task same needs left"),
        ("same", same(images={"left": LEFT, "right": RIGHT, "up": LEFT}), "unexpected_input", "takes no up"),
        ("same", same(image=LEFT), "unexpected_input", "task same takes no image"),
        ("same", same(explain="mean"), "unexpected_input", "task same takes no explain"),
        ("pos", {"text": "a", "images": {"left": LEFT}}, "unexpected_input", "task pos takes no left"),
        ("same", same(question=None), "missing_input", "task same needs question"),
        ("same", same(text="hat"), "unexpected_input", "task same takes no text"),
        ("mood", {}, "missing_input", "task mood needs text"),
        ("mood", {"text": " "}, "empty_text", "the text is empty"),
        ("mood", {"text": ["a", "b"]}, "unexpected_input", "must be one string"),
        ("mood", {"text": "a", "image": LEFT}, "unexpected_input", "task mood takes no image"),
        ("mood", {"text": "a", "explain": "mean"}, "unexpected_input", "task mood takes no explain"),
        ("caption", {"images": {"picture": LEFT}}, "unexpected_input", "task caption takes no picture"),
    ],
)
def test_missing_and_unexpected_inputs_are_named(
    predictor: Predictor, task: str, inputs: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as raised:
        predictor.prepare(task, **inputs)

    assert raised.value.code == code


def test_a_network_without_pictures(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save(checkpoint, tmp_path / "whole")

    texts = Predictor(load(tmp_path / "whole", tasks=["mood", "pos"]), device="cpu")

    assert set(texts.network.peripherals) == {"language"}
    warm_up(texts)
    answer = texts.predict("mood", text="what a day")
    whole = Predictor.load(tmp_path / "whole", device="cpu").predict("mood", text="what a day")
    assert answer == whole


def test_a_network_that_reads_no_text(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save(checkpoint, tmp_path / "whole")

    pictures = Predictor(load(tmp_path / "whole", tasks=["caption"]), device="cpu")

    assert set(pictures.network.peripherals) == {"vision"}
    answer = pictures.predict("caption", image=LEFT)
    assert isinstance(answer, Caption)
    assert answer == Predictor.load(tmp_path / "whole", device="cpu").predict("caption", image=LEFT)
