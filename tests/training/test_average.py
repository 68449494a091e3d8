"""Averages of checkpoints."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from omninet.command import main
from omninet.model.checkpoint import Checkpoint, load, save
from omninet.model.errors import ConfigError
from omninet.training.average import average

WEIGHT, CLASSIFIER = "cnp.input_projection.weight", "cnp.classifiers.vqa.weight"


def moved(checkpoint: Checkpoint, amount: float) -> Checkpoint:
    """Return a checkpoint whose weights are all larger by an amount."""
    network = copy.deepcopy(checkpoint.network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(amount)
    return replace(checkpoint, network=network)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_weights_are_between_those_of_both(toy: Checkpoint, share: float) -> None:
    found, alone = average(toy, moved(toy, 1.0), share)

    assert alone == 0
    before, after = toy.network.state_dict(), found.network.state_dict()
    torch.testing.assert_close(after[WEIGHT], before[WEIGHT] + share)
    torch.testing.assert_close(after[CLASSIFIER], before[CLASSIFIER] + share)


def test_a_vocabulary_that_has_changed_is_not_averaged(toy: Checkpoint) -> None:
    classes = {**toy.vocabularies, "vqa": tuple(reversed(toy.vocabularies["vqa"]))}

    found, alone = average(toy, replace(moved(toy, 1.0), vocabularies=classes), 0.5)

    assert alone == 3  # the embedding, and weight and bias of the classifier
    before, after = toy.network.state_dict(), found.network.state_dict()
    torch.testing.assert_close(after[CLASSIFIER], before[CLASSIFIER] + 1)
    torch.testing.assert_close(after[WEIGHT], before[WEIGHT] + 0.5)


def test_tasks_in_another_order_are_not_averaged(toy: Checkpoint) -> None:
    network = replace(toy.config.network, controls=tuple(reversed(toy.config.network.controls)))

    found, alone = average(toy, replace(moved(toy, 1.0), config=replace(toy.config, network=network)), 0.5)

    name = "cnp.control_embedding.weight"
    assert alone == 1
    torch.testing.assert_close(found.network.state_dict()[name], toy.network.state_dict()[name] + 1)


def test_other_subwords_are_refused(toy: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "other.model").write_bytes(b"other")

    with pytest.raises(ConfigError, match="different subwords"):
        average(toy, replace(toy, tokenizer_file=tmp_path / "other.model"), 0.5)


def test_the_command_writes_a_checkpoint(toy: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(toy, tmp_path / "first")
    save(moved(toy, 1.0), tmp_path / "second")
    command = ["average", *(str(tmp_path / name) for name in ("first", "second", "out"))]

    assert main([*command, "--share", "0.75"]) == 0

    assert "75% of" in capsys.readouterr().out
    found = load(tmp_path / "out").network.state_dict()
    torch.testing.assert_close(found[WEIGHT], toy.network.state_dict()[WEIGHT] + 0.75, rtol=1e-2, atol=1e-2)
    assert main([*command, "--share", "1.5"]) == 2
