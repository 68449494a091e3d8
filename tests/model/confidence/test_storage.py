"""Files of the confidences: written, read back, damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omninet.model.checkpoint import Checkpoint, load, save
from omninet.model.confidence.confidence import Confidence, WordPresence
from omninet.model.confidence.storage import CONFIDENCE, PRESENCE, read_confidences, write_confidences
from omninet.model.errors import CheckpointError

WORDS = WordPresence(("dog", "ball"), np.array([[0.5, 2.0], [1.0, -1.0]]), np.array([0.25, -3.0]))
ABSENCE = Confidence(0.9, 0.2, 0.8)
CONFIDENCES = {"caption": Confidence(1.5, -0.5, 0.6, WORDS), "pos": Confidence(0.7, 0.1, 0.5, absence=ABSENCE)}


def test_a_checkpoint_keeps_its_confidences(toy: Checkpoint, tmp_path: Path) -> None:
    save(replace(toy, confidences=CONFIDENCES), tmp_path / "toy")

    found = load(tmp_path / "toy").confidences

    assert found == CONFIDENCES
    presence = found["caption"].presence
    assert presence is not None
    assert presence.words == WORDS.words
    np.testing.assert_array_equal(presence.weight, WORDS.weight)
    np.testing.assert_array_equal(presence.bias, WORDS.bias)
    assert load(tmp_path / "toy").digest == load(tmp_path / "toy", ["pos"]).digest
    assert load(tmp_path / "toy", ["pos"]).confidences == {"pos": CONFIDENCES["pos"]}


def test_a_checkpoint_without_confidences_has_no_such_file(toy_checkpoint: Path) -> None:
    assert load(toy_checkpoint).confidences == {}
    assert not (toy_checkpoint / CONFIDENCE).exists()


def test_without_captions_there_is_one_file(tmp_path: Path) -> None:
    write_confidences(tmp_path, {"pos": CONFIDENCES["pos"]})

    assert [path.name for path in tmp_path.iterdir()] == [CONFIDENCE]
    assert read_confidences(tmp_path, [CONFIDENCE], ["pos", "caption"]) == {"pos": CONFIDENCES["pos"]}


@pytest.mark.parametrize(
    "damage",
    [
        lambda entries: entries["pos"].pop("slope"),
        lambda entries: entries["pos"]["absence"].pop("threshold"),
        lambda entries: entries["pos"].update(threshold="high"),
        lambda entries: entries["pos"].update(offset=float("nan")),
        lambda entries: entries["caption"]["words"].append("cat"),
        lambda entries: entries.update(pos=3),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, damage: Callable[[dict[str, Any]], None]) -> None:
    write_confidences(tmp_path, CONFIDENCES)
    entries = json.loads((tmp_path / CONFIDENCE).read_text())
    damage(entries)
    (tmp_path / CONFIDENCE).write_text(json.dumps(entries))

    with pytest.raises(CheckpointError, match=CONFIDENCE):
        read_confidences(tmp_path, [CONFIDENCE, PRESENCE], ["pos", "caption"])


def test_missing_weights_are_named(tmp_path: Path) -> None:
    write_confidences(tmp_path, CONFIDENCES)

    with pytest.raises(CheckpointError, match=PRESENCE):
        read_confidences(tmp_path, [CONFIDENCE], ["caption"])
