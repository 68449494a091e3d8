"""Files of others: what is plain is read, nothing in them is run."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from omninet.model.errors import CheckpointError
from omninet.model.official.unpack import unpack

pytestmark = pytest.mark.slow


class Malicious:
    """Pickled, it is a command."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_in_both_formats_of_torch(tmp_path: Path, zipped: bool) -> None:
    state = {"a.weight": torch.randn(3, 4), "b": torch.arange(3), "a.tied": torch.zeros(0)}
    state["a.tied"] = state["a.weight"]
    torch.save(state, tmp_path / "model.pth", _use_new_zipfile_serialization=zipped)

    unpack("weights", tmp_path / "model.pth", tmp_path / "state")

    found = load_file(tmp_path / "state")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_answers_by_their_ids(tmp_path: Path) -> None:
    (tmp_path / "vocab.pkl").write_bytes(pickle.dumps(({"yes": 0, "no": 1}, {0: "yes", 1: "no"}), protocol=2))

    unpack("answers", tmp_path / "vocab.pkl", tmp_path / "answers")

    assert json.loads((tmp_path / "answers").read_text()) == {"0": "yes", "1": "no"}


@pytest.mark.parametrize("kind", ["weights", "answers"])
def test_no_code_in_a_file_is_run(tmp_path: Path, kind: str) -> None:
    source, canary = tmp_path / "file", tmp_path / "canary"
    if kind == "weights":
        torch.save({"a": Malicious(canary)}, source)
    else:
        source.write_bytes(pickle.dumps(({}, {0: Malicious(canary)})))

    with pytest.raises(CheckpointError, match=r"file cannot be read: .*system"):
        unpack(kind, source, tmp_path / "out")

    assert not canary.exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "content", "named"),
    [
        ("weights", b"hello", "cannot be read"),
        ("weights", b"", "cannot be read"),
        ("answers", b"hello", "cannot be read"),
        ("answers", pickle.dumps({"yes": 0}), "not a pair of dictionaries"),
        ("answers", pickle.dumps(b"x" * 2**24), "more than 16777216 bytes"),
    ],
    ids=["junk", "empty", "junk answers", "one dictionary", "large"],
)
def test_an_invalid_file(tmp_path: Path, kind: str, content: bytes, named: str) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(CheckpointError, match=named):
        unpack(kind, tmp_path / "file", tmp_path / "out")


def test_weights_that_are_not_a_state_dict(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(1)}, "step": 3}, tmp_path / "file")

    with pytest.raises(CheckpointError, match="not a state dict"):
        unpack("weights", tmp_path / "file", tmp_path / "out")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.pth does not exist"):
        unpack("weights", tmp_path / "model.pth", tmp_path / "out")
