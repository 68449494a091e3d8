"""A checkpoint: a folder that holds everything a network needs to run, and nothing that is code.

::

    config.json            what it is; the network is rebuilt from it alone
    model.safetensors      its weights, or those that lie in no other file
    model.safetensors.index.json, *.safetensors   where weights lie in several files: which is in which
    tokenizer.model        its subwords (SentencePiece)
    vocabularies/*.json    the classes of each vocabulary that has named ones
    MODEL_CARD.md
    SHA256SUMS             of all the others, as ``sha256sum --check`` reads it
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from omninet.model.errors import CheckpointError, ConfigError
from omninet.model.model_config import CONFIG, ModelConfig, read_config, read_json
from omninet.model.network.omninet import OmniNet
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS
from omninet.model.storage.layout import BUNDLED, CARD, INDEX, REQUIRED, TOKENIZER, VOCABULARIES, WEIGHTS, skim
from omninet.model.storage.sealed import SUMS, check, check_nothing_else, read_sums, written
from omninet.model.storage.weights import announced, digest, filled, places, read_tensors, write_weights

__all__ = ["BUNDLED", "CARD", "REQUIRED", "TOKENIZER", "Checkpoint", "load", "replace_card", "save", "skim"]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        vocabularies: name -> its classes in the order of their ids; those of subwords have none.
        digest: SHA-256 of the weights, hexadecimal; empty if they were never on disk.
    """

    config: ModelConfig
    network: OmniNet
    tokenizer_file: Path
    vocabularies: Mapping[str, tuple[str, ...]]
    card: str
    digest: str = ""


def save(
    checkpoint: Checkpoint,
    folder: Path,
    dtype: torch.dtype = torch.float32,
    apart: Mapping[str, str] | None = None,
) -> None:
    """Write a checkpoint folder in one stroke: a crash leaves the old one whole.

    Args:
        dtype: type of floating-point weights on disk.
        apart: prefix of the names of weights -> file that they lie in; all others are in ``model.safetensors``.
    """
    config = {f.name: getattr(checkpoint.config, f.name) for f in fields(ModelConfig)}
    config["network"] = checkpoint.config.network.to_dict()
    with written(folder) as fresh:
        (fresh / CONFIG).write_text(_json(config), encoding="utf-8")
        (fresh / CARD).write_text(checkpoint.card, encoding="utf-8")
        shutil.copyfile(checkpoint.tokenizer_file, fresh / TOKENIZER)
        (fresh / VOCABULARIES).mkdir()
        for name, classes in checkpoint.vocabularies.items():
            (fresh / VOCABULARIES / f"{name}.json").write_text(_json(list(classes)), encoding="utf-8")
        write_weights(checkpoint.network, fresh, dtype, apart or {})


def replace_card(folder: Path, card: str) -> None:
    """Write another MODEL_CARD.md into a checkpoint folder, the rest as it is, in one stroke."""
    sums = read_sums(folder, REQUIRED)
    check(folder, sums, sums)
    check_nothing_else(folder, sums)
    with written(folder) as fresh:
        shutil.copytree(folder, fresh, dirs_exist_ok=True)
        (fresh / CARD).write_text(card, encoding="utf-8")


def load(folder: Path, tasks: Collection[str] | None = None) -> Checkpoint:
    """Read a checkpoint folder, strictly, onto the CPU in float32.

    Args:
        tasks: names of the tasks that are needed; weights that none of them needs are not read. None reads all.

    Raises:
        CheckpointError: anything missing, left over, altered, misshapen or of an unknown version, or no such task; the
            message names it.
    """
    sums = read_sums(folder, REQUIRED)
    weights = {name for name in sums if name.endswith(".safetensors")} if INDEX in sums else set[str]()
    check(folder, sums, sums.keys() - weights)
    check_nothing_else(folder, sums)
    config = read_config(folder)
    files = places(folder, sums)
    network, wanted = announced(config.network), files
    if tasks is not None:
        if left := files.keys() - network.state_dict().keys():
            raise CheckpointError(f"{folder / WEIGHTS} does not fit its configuration: unexpected {min(left)}")
        config = _of_tasks(config, tasks, folder)
        network = announced(config.network)
        wanted = {name: files[name] for name in network.state_dict() if name in files}
    check(folder, sums, weights & set(wanted.values()))
    return Checkpoint(
        config,
        filled(network, read_tensors(folder, wanted), str(folder / WEIGHTS)).eval(),
        folder / TOKENIZER,
        {name: _read_vocabulary(folder, name, config.network, sums) for name in _named(config.network)},
        (folder / CARD).read_text(encoding="utf-8"),
        digest(sums, files),
    )


def _of_tasks(config: ModelConfig, tasks: Collection[str], folder: Path) -> ModelConfig:
    try:
        return replace(config, network=config.network.subset(tasks))
    except ConfigError as error:
        raise CheckpointError(f"{folder}: {error}") from error


def _named(config: OmniNetConfig) -> list[str]:
    """Vocabularies whose classes have names of their own."""
    named = {task.vocabulary for task in config.tasks.values() if OUTPUTS[task.output].named}
    return [name for name in config.vocabularies if name in named]


def _read_vocabulary(folder: Path, name: str, config: OmniNetConfig, sums: Mapping[str, str]) -> tuple[str, ...]:
    file = f"{VOCABULARIES}/{name}.json"
    if file not in sums:
        raise CheckpointError(f"{folder / SUMS} does not list {file}")
    classes = read_json(folder / file)
    if not isinstance(classes, list) or len(classes) != config.vocabularies[name]:
        raise CheckpointError(f"{folder / file} must list the {config.vocabularies[name]} classes of {name}")
    return tuple(map(str, classes))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
