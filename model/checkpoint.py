"""A checkpoint: a folder that holds everything a network needs to run, and nothing that is code.

::

    config.json            what it is; the network is rebuilt from it alone
    model.safetensors      its weights
    tokenizer.model        its subwords (SentencePiece)
    vocabularies/*.json    the classes of each task that has named ones
    MODEL_CARD.md
    SHA256SUMS             of all the others, as ``sha256sum --check`` reads it
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.config import from_dict, positive
from model.errors import CheckpointError, ConfigError
from model.omninet import OmniNet, OmniNetConfig
from model.tasks import TASKS

FORMAT = 1
CONFIG, WEIGHTS, TOKENIZER, CARD, SUMS = (
    "config.json",
    "model.safetensors",
    "tokenizer.model",
    "MODEL_CARD.md",
    "SHA256SUMS",
)
VOCABULARIES = "vocabularies"
BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class ModelConfig:
    """What ``config.json`` says.

    Attributes:
        format: version of this folder layout.
        text_steps: subwords that a text output may have at most.
        beams: hypotheses that a text is searched with, where the request does not say.
    """

    name: str
    version: str
    network: OmniNetConfig
    text_steps: int = 40
    beams: int = 1
    format: int = FORMAT

    def __post_init__(self) -> None:
        positive(self, "text_steps", "beams")
        if self.format != FORMAT:
            raise ConfigError(f"format {self.format!r} is not known here; this version reads format {FORMAT}")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        vocabularies: task -> its classes in the order of their ids; tasks that write subwords have none.
        digest: SHA-256 of the weights file, hexadecimal; empty if it was never on disk.
    """

    config: ModelConfig
    network: OmniNet
    tokenizer_file: Path
    vocabularies: Mapping[str, tuple[str, ...]]
    card: str
    digest: str = ""


def save(checkpoint: Checkpoint, folder: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write a checkpoint folder in one stroke: a crash leaves the old one whole.

    Args:
        dtype: type of floating-point weights on disk.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _write(checkpoint, fresh, dtype)
        _put_in_place(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def replace_card(folder: Path, card: str) -> None:
    """Write another MODEL_CARD.md into a checkpoint folder, the rest as it is, in one stroke."""
    _check_sums(folder)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        shutil.copytree(folder, fresh, dirs_exist_ok=True)
        (fresh / CARD).write_text(card, encoding="utf-8")
        _seal(fresh)
        _put_in_place(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint folder, strictly, onto the CPU in float32.

    Raises:
        CheckpointError: anything missing, left over, altered, misshapen or of another version; the
            message names it.
    """
    digests = _check_sums(folder)
    config = read_config(folder)
    try:
        tensors = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise CheckpointError(f"{folder / WEIGHTS} is not a safetensors file: {error}") from error
    return Checkpoint(
        config,
        built(config.network, tensors, str(folder / WEIGHTS)).eval(),
        folder / TOKENIZER,
        {name: _read_vocabulary(folder, name, config.network, digests) for name in _named(config.network)},
        (folder / CARD).read_text(encoding="utf-8"),
        digests[WEIGHTS],
    )


def read_config(folder: Path) -> ModelConfig:
    """What a checkpoint is a checkpoint of, without its weights.

    Raises:
        CheckpointError: there is no configuration, or none that can be used.
    """
    path = folder / CONFIG
    values = _read_json(path)
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"{path} is of format {found!r}; this version reads format {FORMAT}")
    try:
        network = OmniNetConfig.from_dict(values.get("network"))
        return from_dict(ModelConfig, values | {"network": network}, "config")
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def built(config: OmniNetConfig, tensors: Mapping[str, Tensor], source: str) -> OmniNet:
    """A network with the given weights, all of them and nothing else, on the CPU in float32.

    Raises:
        CheckpointError: as ``load_weights``.
    """
    with torch.device("meta"):  # to draw weights first, and to throw them away, takes longer than to read a file
        network = OmniNet(config)
    _check_fit(network, tensors, source)
    types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    network.load_state_dict({name: tensor.to(types[name], copy=True) for name, tensor in tensors.items()}, assign=True)
    return network.to(memory_format=torch.channels_last)  # as its convolutions were before


def load_weights(network: torch.nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill ``network`` from ``tensors``, all of them and nothing else.

    Raises:
        CheckpointError: names the tensors that are missing, extra or of another shape.
    """
    _check_fit(network, tensors, source)
    network.load_state_dict(dict(tensors))


def _check_fit(network: torch.nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    expected = network.state_dict()
    problems = [f"missing {name}" for name in expected if name not in tensors]
    problems += [f"unexpected {name}" for name in tensors if name not in expected]
    problems += [
        f"{name} has shape {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise CheckpointError(f"{source} does not fit its configuration: {shown}")


def _write(checkpoint: Checkpoint, folder: Path, dtype: torch.dtype) -> None:
    config = asdict(checkpoint.config) | {"network": checkpoint.config.network.to_dict()}
    (folder / CONFIG).write_text(_json(config), encoding="utf-8")
    (folder / CARD).write_text(checkpoint.card, encoding="utf-8")
    shutil.copyfile(checkpoint.tokenizer_file, folder / TOKENIZER)
    (folder / VOCABULARIES).mkdir()
    for task, classes in checkpoint.vocabularies.items():
        (folder / VOCABULARIES / f"{task}.json").write_text(_json(list(classes)), encoding="utf-8")
    tensors = {name: _on_disk(tensor, dtype) for name, tensor in checkpoint.network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    _seal(folder)


def _seal(folder: Path) -> None:
    """Write the sums of all files, and everything to disk."""
    names = _files(folder)
    (folder / SUMS).write_text("".join(f"{_sha256(folder / name)}  {name}\n" for name in names), encoding="utf-8")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        _flush(path)


def _on_disk(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_in_place(fresh: Path, folder: Path) -> None:
    fresh.chmod(0o755)
    if not folder.exists():
        fresh.rename(folder)
    elif not _exchange(fresh, folder):
        # Where the system cannot exchange two folders at once, the old one stays beside until the new is there.
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old)
    _flush(folder.parent)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders atomically (Linux); False where that cannot be done."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename is not None and rename(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0


def _check_sums(folder: Path) -> dict[str, str]:
    """Hold every file against SHA256SUMS; returns name -> digest."""
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is no checkpoint folder: it does not exist")
    if not (folder / SUMS).is_file():
        raise CheckpointError(f"{folder} is no checkpoint folder: it lacks {SUMS}")
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    digests = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in (CONFIG, WEIGHTS, TOKENIZER, CARD):
        if name not in digests:
            raise CheckpointError(f"{folder / SUMS} does not list {name}")
    for name, digest in digests.items():
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name} is missing")
        if _sha256(folder / name) != digest:
            raise CheckpointError(f"{folder / name} was altered: its SHA-256 is not the one in {SUMS}")
    for name in _files(folder):
        if name not in digests:
            raise CheckpointError(f"{folder / name} does not belong here: {SUMS} does not list it")
    return digests


def _files(folder: Path) -> list[str]:
    """Names of the files in a checkpoint folder but for the sums, sorted."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != SUMS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def _named(config: OmniNetConfig) -> list[str]:
    """Tasks whose classes have names of their own."""
    return [name for name in config.tasks if name in TASKS and TASKS[name].output != "text"]


def _read_vocabulary(folder: Path, task: str, config: OmniNetConfig, digests: Mapping[str, str]) -> tuple[str, ...]:
    name = f"{VOCABULARIES}/{task}.json"
    if name not in digests:
        raise CheckpointError(f"{folder / SUMS} does not list {name}")
    classes = _read_json(folder / name)
    if not isinstance(classes, list) or len(classes) != config.tasks[task]:
        raise CheckpointError(f"{folder / name} must list the {config.tasks[task]} classes of task {task}")
    return tuple(map(str, classes))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
