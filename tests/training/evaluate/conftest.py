"""Answers made by hand, and an untrained checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from omninet.model.checkpoint import save
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs.answer import Answer
from omninet.model.outputs.label.answer import Candidate, Label
from omninet.model.outputs.tags.answer import TaggedWord, Tagging
from omninet.model.outputs.text import java
from omninet.model.outputs.text.answer import Caption
from omninet.model.predictor import Predictor
from omninet.model.tasks import TASKS
from omninet.training.data import DataSet, Example
from omninet.training.data.activities import Activities
from omninet.training.evaluate import Answered
from omninet.training.evaluate.answering import use_of
from omninet.training.setup import Setup


@pytest.fixture(autouse=True)
def _no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable METEOR, which takes seconds to start and is tested with the metrics."""
    monkeypatch.setattr(java, "JAVA", ("no-such-java",))


@pytest.fixture
def folder(setup: Setup, tmp_path: Path) -> Path:
    """A checkpoint of an untrained run."""
    save(setup.checkpoint("# Tiny\n\nA card.\n"), tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


@pytest.fixture
def predictor(folder: Path) -> Predictor:
    """Return the loaded predictor of the checkpoint."""
    return Predictor.load(folder, device="cpu")


class Fixed(DataSet):
    """Training examples given by hand."""

    def __init__(self, train: Sequence[Example]) -> None:
        super().__init__(Path("somewhere/fixed"))
        self.train = train

    def examples(self, split: str) -> Sequence[Example]:
        assert split == "train"
        return self.train


class FixedClips(Fixed, Activities):
    """Clips given by hand, with the metrics of a family of classes."""


def answered(
    train: Sequence[Example], dev: Sequence[Example], answers: Sequence[Answer], kind: type[Fixed] = Fixed
) -> Answered:
    """Examples and answers of a made-up data set."""
    return Answered(kind(train), dev, answers, TASKS[dev[0].task], use_of(OmniNetConfig(), dev[0]))


def captions(*texts: str) -> list[Answer]:
    """Sentences, as the network gives them."""
    return [Caption(text, -1.0, ()) for text in texts]


def labels(*names: str) -> list[Answer]:
    """Labels, each with a second guess."""
    return [Label(name, (Candidate(name, 0.9), Candidate("red", 0.1))) for name in names]


def tags(*sentences: Sequence[str]) -> list[Answer]:
    """Tags of words."""
    return [Tagging((tuple(TaggedWord("x", None, None, tag, 1.0) for tag in tags),)) for tags in sentences]
