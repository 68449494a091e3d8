"""Words that are found in a picture, then read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from omninet.model.checkpoint import Checkpoint
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.errors import ConfigError
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.head import States
from omninet.model.outputs.scene import output as scenes
from omninet.model.outputs.scene.answer import ReadScene
from omninet.model.outputs.scene.box import WordBox
from omninet.model.outputs.scene.cells import VALUES
from omninet.model.outputs.scene.head import SceneHead
from omninet.model.outputs.scene.truth import WrittenWord
from omninet.model.predictor import Predictor
from omninet.model.tasks import LINE, TASKS
from omninet.training.data import Example
from tests.model.outputs.scene.test_box import said
from tests.toys import with_scenes

OUTPUT, TASK = OUTPUTS["scene"], TASKS["read_scene"]
ROWS, COLUMNS = 12, 16


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    return Predictor(with_scenes(toy), device="cpu")


@pytest.fixture
def certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer with all words, however unlikely."""
    monkeypatch.setattr(scenes, "LEAST", 0.0)


def trained_loss(head: SceneHead, cells: torch.Tensor, words: list[WrittenWord]) -> dict[str, float]:
    targets = torch.tensor([OUTPUT.target(Example("read_scene", truth=tuple(words)), {}, cast(Any, None))])
    found = head.loss({"cells": States(cells)}, targets, torch.ones_like(targets, dtype=torch.bool))
    return {name: float(term.detach()) for name, term in found.terms.items()}


def head_of(values: np.ndarray) -> tuple[SceneHead, torch.Tensor]:
    """Return a head and cells for which it computes ``values``."""
    head = SceneHead(TASK, VALUES)
    with torch.no_grad():
        head.cells.weight.copy_(torch.eye(VALUES))
        head.cells.bias.zero_()
    return head, torch.tensor(values).reshape(1, -1, VALUES)


def test_the_loss_is_least_where_the_cells_are_right() -> None:
    box = WordBox(8.2, 6.1, 7, 2.2, 0.2)
    word = WrittenWord(tuple(box.moved(0, 0, 8).corners()), "Exit")

    right = trained_loss(*head_of(said(box)), [word])
    moved = trained_loss(*head_of(said(replace(box, x=box.x + 1))), [word])
    turned = trained_loss(*head_of(said(replace(box, angle=0.5))), [word])

    assert right["overlap"] == pytest.approx(0, abs=1e-3)
    assert right["angle"] == pytest.approx(0, abs=1e-4)
    assert moved["overlap"] > 10 * right["overlap"] + 0.1
    assert turned["angle"] > right["angle"] + 0.1


def test_words_that_cannot_be_read_do_not_count() -> None:
    box = WordBox(8.2, 6.1, 7, 3)
    word = WrittenWord(tuple(box.moved(0, 0, 8).corners()), None)
    nothing = np.full(ROWS * COLUMNS * VALUES, -8.0, np.float32)

    empty, ignored = trained_loss(*head_of(nothing), []), trained_loss(*head_of(said(box)), [word])

    assert ignored["cells"] == pytest.approx(2 * empty["cells"], abs=1e-3)  # there are twice as many targets
    assert (ignored["overlap"], ignored["angle"]) == (0, 0)


def test_words_are_found_then_read(predictor: Predictor, certain: None) -> None:
    picture = Image.new("RGB", (256, 192), "white")
    job = predictor.prepare("read_scene", image=picture)
    (left, right) = (WordBox(4, 6, 5, 2), WordBox(11, 6, 5, 2))
    silent = np.full(ROWS * COLUMNS * VALUES, -8.0, np.float32)
    cells = np.where(said(left) > said(right), said(left), said(right))

    decoded = [Decoded(values=cells), *(Decoded(values=silent) for _ in job.rows[1:])]
    further = predictor.continued(job, decoded)

    assert further is not None
    assert [row.goal.task for row in further.rows] == ["read_word", "read_word"]
    found = cast(ReadScene, predictor.complete(job, decoded))
    assert len(job.rows) > 1  # the whole picture, and its parts
    assert [word.point for word in found.words] == [(64.0, 96.0), (176.0, 96.0)]
    assert [word.relative[0] for word in found.words] == [
        pytest.approx((24 / 256, 80 / 192), abs=1e-4),
        pytest.approx((136 / 256, 80 / 192), abs=1e-4),
    ]
    assert all(word.text and 0 <= word.probability < 1 for word in found.words)


def test_nothing_is_written(predictor: Predictor) -> None:
    job = predictor.prepare("read_scene", image=Image.new("RGB", (90, 90)))
    silent = [Decoded(values=np.full(ROWS * COLUMNS * VALUES, -8.0, np.float32))]

    answer = cast(ReadScene, predictor.complete(job, silent))

    assert answer.words == ()
    assert OUTPUT.line(answer) == OUTPUT.text(answer) == "(nothing is written)"


def test_a_picture_is_answered_whole(predictor: Predictor, certain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is scaled to 256 pixels a side; the answer is in its own pixels."""
    monkeypatch.setattr(scenes, "_found", lambda *_: [WordBox(64, 32, 40, 16)])

    (word,) = cast(ReadScene, predictor.predict("read_scene", image=Image.new("RGB", (512, 300), "red"))).words

    assert word.point == (128, 64)
    assert word.corners[0] == (88, 48)
    assert word.text


def test_a_network_that_finds_words_can_read_them(toy: Checkpoint) -> None:
    network = with_scenes(toy).config.network

    assert list(network.subset(["read_scene"]).tasks) == ["read_scene", "read_word"]
    with pytest.raises(ConfigError, match="tasks lacks 'read_word', with which task read_scene continues"):
        replace(network, tasks={"read_scene": TASK}, controls=())


def test_the_task_needs_a_page(toy: Checkpoint) -> None:
    checkpoint = with_scenes(toy)
    config = checkpoint.config
    tasks = {**config.network.tasks, "read_scene": replace(TASK, inputs=(LINE,))}
    model = replace(checkpoint, config=replace(config, network=replace(config.network, tasks=tasks)))

    with pytest.raises(ConfigError, match="task read_scene: its input picture must be a page"):
        Predictor(model, device="cpu").prepare("read_scene", image=Image.new("RGB", (9, 9)))
