"""A checkpoint: a folder with everything a network needs to run, without code or pickles.

::

    config.json            configuration; the network is built from it alone
    model.safetensors      weights; with an index, those that are in no other file
    model.safetensors.index.json, *.safetensors   further weights, and the index: tensor -> file
    tokenizer.model        SentencePiece model of the subwords
    tokenizers/*.model     those of further languages; optional
    vocabularies/*.json    class names of each vocabulary that has names
    MODEL_CARD.md
    LICENSE                licence of the weights; optional
    confidence.json, confidence.safetensors   calibrated confidences (``omninet calibrate``); optional
    SHA256SUMS             digests of all other files, in the format of ``sha256sum --check``
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch

from omninet.model.confidence.confidence import Confidence
from omninet.model.confidence.storage import PRESENCE, read_confidences, write_confidences
from omninet.model.errors import CheckpointError, ConfigError
from omninet.model.model_config import CONFIG, ModelConfig, read_config, read_json
from omninet.model.network.omninet import OmniNet
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS
from omninet.model.storage.layout import (
    BUNDLED,
    CARD,
    INDEX,
    LICENSE,
    REQUIRED,
    TOKENIZER,
    TOKENIZERS,
    VOCABULARIES,
    WEIGHTS,
    skim,
)
from omninet.model.storage.sealed import SUMS, check_no_other_files, check_sums, read_sums, write_atomically
from omninet.model.storage.weights import digest, empty_network, load_into, places, read_tensors, write_weights

__all__ = ["BUNDLED", "CARD", "REQUIRED", "TOKENIZER", "Checkpoint", "load", "replace_card", "save", "skim"]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        vocabularies: vocabulary name -> class names in the order of their ids; vocabularies of subwords are left out.
        tokenizer_files: name -> SentencePiece model, of the tokenizers that have a name.
        card: text of MODEL_CARD.md, Markdown.
        digest: SHA-256 of the weights, hexadecimal; empty if the checkpoint was not read from disk.
        licence: text of LICENSE; empty without one.
        confidences: task -> how its confidence is computed; a task may have none.
    """

    config: ModelConfig
    network: OmniNet
    tokenizer_file: Path
    vocabularies: Mapping[str, tuple[str, ...]]
    card: str
    digest: str = ""
    licence: str = ""
    confidences: Mapping[str, Confidence] = field(default_factory=dict)
    tokenizer_files: Mapping[str, Path] = field(default_factory=dict)


def save(
    checkpoint: Checkpoint,
    folder: Path,
    dtype: torch.dtype = torch.float32,
    apart: Mapping[str, str] | None = None,
) -> None:
    """Write a checkpoint folder atomically: a crash leaves the previous folder intact.

    Args:
        dtype: dtype of floating-point weights on disk.
        apart: prefix of weight names -> file to write them to; all other weights go to ``model.safetensors``.
    """
    config = {f.name: getattr(checkpoint.config, f.name) for f in fields(ModelConfig)}
    config["network"] = checkpoint.config.network.to_dict()
    with write_atomically(folder) as fresh:
        (fresh / CONFIG).write_text(_json(config), encoding="utf-8")
        (fresh / CARD).write_text(checkpoint.card, encoding="utf-8")
        if checkpoint.licence:
            (fresh / LICENSE).write_text(checkpoint.licence, encoding="utf-8")
        shutil.copyfile(checkpoint.tokenizer_file, fresh / TOKENIZER)
        for name, file in checkpoint.tokenizer_files.items():
            (fresh / TOKENIZERS).mkdir(exist_ok=True)
            shutil.copyfile(file, fresh / TOKENIZERS / f"{name}.model")
        (fresh / VOCABULARIES).mkdir()
        for name, classes in checkpoint.vocabularies.items():
            (fresh / VOCABULARIES / f"{name}.json").write_text(_json(list(classes)), encoding="utf-8")
        write_confidences(fresh, checkpoint.confidences)
        write_weights(checkpoint.network, fresh, dtype, apart or {})


def replace_card(folder: Path, card: str) -> None:
    """Replace MODEL_CARD.md of a checkpoint folder atomically; all other files stay unchanged.

    Raises:
        CheckpointError: a file is missing, altered or not listed in SHA256SUMS.
    """
    sums = read_sums(folder, REQUIRED)
    check_sums(folder, sums, sums)
    check_no_other_files(folder, sums)
    with write_atomically(folder) as fresh:
        shutil.copytree(folder, fresh, dirs_exist_ok=True)
        (fresh / CARD).write_text(card, encoding="utf-8")


def load(folder: Path, tasks: Collection[str] | None = None) -> Checkpoint:
    """Read and verify a checkpoint folder; the network is on the CPU in float32.

    Args:
        tasks: names of the tasks to load; weights that none of them needs are not read. None loads all tasks.

    Raises:
        CheckpointError: a file or tensor is missing, unexpected, altered or of a wrong shape, the format is unknown, or
            there is no such task; the message names it.
    """
    sums = read_sums(folder, REQUIRED)
    weights = {name for name in sums if name.endswith(".safetensors")} - {PRESENCE} if INDEX in sums else set[str]()
    check_sums(folder, sums, sums.keys() - weights)
    check_no_other_files(folder, sums)
    config = read_config(folder)
    files = places(folder, sums)
    network, wanted = empty_network(config.network), files
    if tasks is not None:
        if extra := files.keys() - network.state_dict().keys():
            raise CheckpointError(f"{folder / WEIGHTS} does not fit its configuration: unexpected {min(extra)}")
        config = _of_tasks(config, tasks, folder)
        network = empty_network(config.network)
        wanted = {name: files[name] for name in network.state_dict() if name in files}
    check_sums(folder, sums, weights & set(wanted.values()))
    return Checkpoint(
        config,
        load_into(network, read_tensors(folder, wanted), str(folder / WEIGHTS)).eval(),
        folder / TOKENIZER,
        {name: _read_vocabulary(folder, name, config.network, sums) for name in _named(config.network)},
        (folder / CARD).read_text(encoding="utf-8"),
        digest(sums, files),
        (folder / LICENSE).read_text(encoding="utf-8") if LICENSE in sums else "",
        read_confidences(folder, sums, config.network.tasks),
        {name: folder / _listed(folder, f"{TOKENIZERS}/{name}.model", sums) for name in config.network.tokenizers},
    )


def _of_tasks(config: ModelConfig, tasks: Collection[str], folder: Path) -> ModelConfig:
    try:
        return replace(config, network=config.network.subset(tasks))
    except ConfigError as error:
        raise CheckpointError(f"{folder}: {error}") from error


def _named(config: OmniNetConfig) -> list[str]:
    """Return the vocabularies whose classes have names (all but those of subwords)."""
    named = {task.vocabulary for task in config.tasks.values() if OUTPUTS[task.output].named}
    return [name for name in config.vocabularies if name in named]


def _read_vocabulary(folder: Path, name: str, config: OmniNetConfig, sums: Mapping[str, str]) -> tuple[str, ...]:
    file = _listed(folder, f"{VOCABULARIES}/{name}.json", sums)
    classes = read_json(folder / file)
    if not isinstance(classes, list) or len(classes) != config.vocabularies[name]:
        raise CheckpointError(
            f"{folder / file} must be a list of the {config.vocabularies[name]} class names of {name}"
        )
    return tuple(map(str, classes))


def _listed(folder: Path, file: str, sums: Mapping[str, str]) -> str:
    if file not in sums:
        raise CheckpointError(f"{folder / SUMS} does not list {file}")
    return file


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
