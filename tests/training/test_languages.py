"""Tokenizers of further languages: trained, stored, loaded and warm-started beside the common one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from omninet.model.checkpoint import load
from omninet.model.errors import CheckpointError, ConfigError
from omninet.model.predictor import Predictor
from omninet.model.storage.sealed import SUMS
from omninet.model.tasks import TASKS, Input, Task
from omninet.training.config import RunConfig
from omninet.training.data import DATASETS, Example
from omninet.training.data.conllu import Conllu
from omninet.training.runtime.interrupt import Interrupt
from omninet.training.runtime.run import Run
from omninet.training.runtime.single import run_single
from omninet.training.setup import Setup, set_up
from tests.training.conftest import run_values

MIRROR = Task("mirror", (Input("text", "mirrored", "mirrored"),), "text", "mirrored", tokenizer="mirrored")


class Mirrored(Conllu):
    """Sentences written backwards, to be written backwards once more."""

    task = "mirror"

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per sentence."""
        texts = [" ".join(e.words)[::-1] for e in super().examples(split)]
        return [Example(self.task, {"text": text}, answer=text[::-1], captions=(text[::-1],)) for text in texts]


@pytest.fixture(autouse=True)
def _added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "mirror", MIRROR)
    monkeypatch.setitem(DATASETS, "mirrored", Mirrored)


def prepared(data: Path, work: Path, start: Path | None = None, **changes: Any) -> Setup:
    runs = {
        "pos": {"dataset": "ewt", "folder": "ewt", "batch": 2, "share": 1},
        "mirror": {"dataset": "mirrored", "folder": "ewt", "batch": 2, "share": 1},
    }
    network: dict[str, Any] = run_values()["network"]
    network["mirrored"] = {"kind": "language", "tokenizer": "mirrored", "d_embedding": 8}
    config = RunConfig.model_validate(run_values(tasks=runs, network=network, steps=4, **changes))
    return set_up(config, data, None, work, start=start)


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> Path:
    """The checkpoint of a run."""
    with Run(prepared(data, tmp_path / "work"), tmp_path / "run", "single") as run:
        assert run_single(run, Interrupt())
        return run.finish()


def test_a_language_has_subwords_of_its_own(data: Path, tmp_path: Path) -> None:
    setup = prepared(data, tmp_path)

    (other,), common = setup.encoder.resources.tokenizers.values(), setup.encoder.tokenizer
    pieces = {name: t.pieces(range(len(t))) for name, t in (("common", common), ("mirrored", other))}
    assert "".join(pieces["mirrored"]) != "".join(pieces["common"])
    config = setup.network.config
    assert config.tokenizers == ("mirrored",)
    assert config.vocabularies["mirrored"] == config.peripherals["mirrored"].vocabulary == len(other)
    assert config.peripherals["language"].vocabulary == len(common)


def test_it_is_stored_and_loaded(folder: Path) -> None:
    predictor = Predictor.load(folder, device="cpu")

    assert (folder / "tokenizers" / "mirrored.model").is_file()
    assert predictor.tokenizer_of("mirror") is predictor.resources.tokenizers["mirrored"]
    assert predictor.tokenizer_of("pos") is predictor.tokenizer
    answer: Any = predictor.predict("mirror", text="god A")
    assert answer.caption == "".join(piece.text for piece in answer.tokens)
    assert Predictor(load(folder, ["pos"]), device="cpu").resources.tokenizers == {}


def test_a_missing_tokenizer_is_named(folder: Path) -> None:
    lines = (folder / SUMS).read_text().splitlines(keepends=True)
    (folder / SUMS).write_text("".join(line for line in lines if "mirrored.model" not in line))
    (folder / "tokenizers" / "mirrored.model").unlink()

    with pytest.raises(CheckpointError, match=r"does not list tokenizers/mirrored\.model"):
        load(folder)


def test_a_tokenizer_of_another_size_is_named(folder: Path, tokenizer_file: Path) -> None:
    other = replace(load(folder), tokenizer_files={"mirrored": tokenizer_file})

    with pytest.raises(CheckpointError, match="subwords; the network needs"):
        Predictor(other, device="cpu")


def test_a_warm_start_keeps_the_subwords_of_every_language(folder: Path, data: Path, tmp_path: Path) -> None:
    setup, given = prepared(data, tmp_path / "other", folder), load(folder)

    (other,) = setup.encoder.resources.tokenizers.values()
    assert other.model_file.read_bytes() == given.tokenizer_files["mirrored"].read_bytes()
    ours, theirs = setup.network.state_dict(), given.network.state_dict()
    for name in ("peripherals.mirrored.embedding.weight", "cnp.classifiers.mirrored.weight"):
        assert torch.equal(ours[name], theirs[name])


def test_published_vectors_are_those_of_the_common_tokenizer(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = prepared(data, tmp_path / "trained").network.state_dict()
    common = prepared(data, tmp_path / "trained").encoder.tokenizer
    vectors = torch.full((len(common), wanted["peripherals.language.embedding.weight"].shape[1]), 3.0)
    monkeypatch.setattr("omninet.training.setup.published_subwords", lambda *_: (common.model_file, vectors))

    found = prepared(data, tmp_path / "published", subwords="bpemb").network.state_dict()

    assert torch.equal(found["peripherals.language.embedding.weight"][: len(common)], vectors)
    name = "peripherals.mirrored.embedding.weight"
    assert torch.equal(found[name], wanted[name])


@pytest.mark.parametrize("name", ["../up", "German", 3])
def test_a_name_that_is_no_file_name_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match=r"Task\.tokenizer must be lower-case letters"):
        replace(MIRROR, tokenizer=name)


def test_a_shared_vocabulary_has_one_tokenizer(data: Path, tmp_path: Path) -> None:
    config = prepared(data, tmp_path).network.config
    tasks = {**config.tasks, "again": replace(MIRROR, name="again", tokenizer="", uses=())}

    with pytest.raises(ConfigError, match="tasks with the vocabulary 'mirrored' must have one tokenizer"):
        replace(config, tasks=tasks, controls=())
