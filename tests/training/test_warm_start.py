"""Starting from another checkpoint: what is taken, by which name, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.network.omninet import OmniNet
from omninet.model.network_config import OmniNetConfig
from omninet.model.tasks import TASKS
from omninet.training.warm_start import Taken, warm_start

VOCABULARIES = {"pos": ("NN", "HAT", "DT"), "mood": ("good", "bad")}


@pytest.fixture
def network(toy: Checkpoint) -> OmniNet:
    """A network of fewer tasks, in another order, with a new one, and with another vocabulary of tags."""
    config = toy.config.network
    mood = replace(TASKS["activity"], name="mood", vocabulary="mood")
    other: OmniNetConfig = replace(
        config,
        domains=("image", "english"),
        tasks={"mood": mood, "pos": TASKS["pos"], "caption": TASKS["caption"]},
        vocabularies={"mood": 2, "pos": 3, "caption": 120},
        controls=(),
    )
    torch.manual_seed(7)
    return OmniNet(other)


@pytest.fixture
def taken(network: OmniNet, toy: Checkpoint) -> Taken:
    return warm_start(network, VOCABULARIES, {"": toy.tokenizer_file}, toy)


def test_weights_with_equal_name_and_shape_are_copied(network: OmniNet, toy: Checkpoint, taken: Taken) -> None:
    ours, theirs = network.state_dict(), toy.network.state_dict()

    assert {"cnp.input_projection.weight", "cnp.classifiers.caption.weight"} <= set(taken.whole)
    assert any("backbone" in name for name in taken.whole)
    assert "peripherals.language.embedding.weight" in taken.whole
    assert all(torch.equal(ours[name], theirs[name]) for name in taken.whole)


def test_control_vectors_are_found_by_name(network: OmniNet, toy: Checkpoint, taken: Taken) -> None:
    ours, theirs = network.cnp.control_embedding.weight, toy.network.cnp.control_embedding.weight

    assert network.config.controls == ("image", "english", "mood", "pos", "caption")
    for name in ("image", "english", "pos", "caption"):
        assert torch.equal(ours[network.cnp.control_ids[name]], theirs[toy.network.cnp.control_ids[name]])
    assert taken.rows["cnp.control_embedding.weight"] == (4, 5)


def test_classes_are_found_by_name(network: OmniNet, toy: Checkpoint, taken: Taken) -> None:
    """The toy has "NN" as its second tag and "DT" as its first; "HAT" is new."""
    for part in ("classifiers", "output_embeddings"):
        ours = network.state_dict()[f"cnp.{part}.pos.weight"]
        theirs = toy.network.state_dict()[f"cnp.{part}.pos.weight"]
        assert torch.equal(ours[[0, 2]], theirs[[1, 0]])
        assert not torch.equal(ours[1], theirs[2])
        assert taken.rows[f"cnp.{part}.pos.weight"] == (2, 3)


def test_new_and_unused_weights_are_reported(taken: Taken) -> None:
    assert {name.split(".")[2] for name in taken.new} == {"mood"}
    assert {name.split(".")[2] for name in taken.left} == {"activity", "vqa"}

    lines = taken.lines()
    assert lines[0].startswith("copied: cnp.control") is False
    assert "copied: 2 of 3 rows of cnp.classifiers.pos.weight" in lines
    assert "not in the checkpoint: cnp.output_embeddings.mood (1), cnp.classifiers.mood (2)" in lines
    assert lines[-1].startswith("not used: cnp.output_embeddings.activity (1), ")


def test_rows_of_other_subwords_are_not_copied(network: OmniNet, toy: Checkpoint, tmp_path: Path) -> None:
    other = tmp_path / "tokenizer.model"
    other.write_bytes(b"other subwords")
    before = network.state_dict()["cnp.classifiers.caption.weight"].clone()

    taken = warm_start(network, VOCABULARIES, {"": other}, toy)

    assert torch.equal(network.state_dict()["cnp.classifiers.caption.weight"], before)
    assert taken.rows["cnp.classifiers.caption.weight"] == (0, 120)
    assert taken.rows["peripherals.language.embedding.weight"] == (0, 120)
