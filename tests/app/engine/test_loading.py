"""Loading of a part of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from omninet.app.engine.loading import check, load_predictors
from omninet.app.settings import Settings
from omninet.model.errors import CheckpointError
from omninet.model.predictor import Predictor
from tests.samples import jpeg_bytes


def test_some_tasks_answer_as_in_the_whole_checkpoint(toy_checkpoint: Path, toy_predictor: Predictor) -> None:
    settings = Settings(checkpoint=toy_checkpoint, tasks=("caption", "vqa"), device="cpu")

    (part,) = load_predictors(settings)

    assert part.tasks == ["caption", "vqa"]
    assert settings.network().tasks.keys() == {"caption", "vqa"}
    given = {"image": jpeg_bytes(), "question": "what is it?"}
    assert part.predict("vqa", **given) == toy_predictor.predict("vqa", **given)
    parameters = [sum(p.numel() for p in each.network.parameters()) for each in (part, toy_predictor)]
    assert parameters[0] < parameters[1]


def test_a_text_task_needs_no_backbone(toy_checkpoint: Path) -> None:
    (part,) = load_predictors(Settings(checkpoint=toy_checkpoint, tasks=("pos",), device="cpu"))

    assert list(part.network.peripherals) == ["language"]


def test_an_unknown_task_is_named(toy_checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match=r"OMNINET_TASKS: there is no task 'walk'; known are .*caption"):
        check(Settings(checkpoint=toy_checkpoint, tasks=("walk",)))
