"""Convert the authors' files to a checkpoint folder."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from omninet.model.checkpoint import Checkpoint, save
from omninet.model.errors import CheckpointError
from omninet.model.modalities.language.tokenizer import Tokenizer
from omninet.model.modalities.vision.config import Framing, VisionConfig
from omninet.model.model_config import ModelConfig
from omninet.model.network_config import OmniNetConfig
from omninet.model.official.conf import read_vocabularies
from omninet.model.official.names import TASKS, Converted, convert, official_config
from omninet.model.official.unpack import unpack
from omninet.model.storage.weights import build_network

Channels = Literal["rgb", "bgr"]
CAPTION_STEPS = 100

CARD = """# {name}

A checkpoint of the authors of OmniNet (Pramanik, Agrawal, Hussain, 2019; github.com/subho406/OmniNet, Apache-2.0),
imported. The weights are theirs, unchanged; nothing was trained here.

- file: `{file}`, SHA-256 `{digest}`
- tasks: {tasks}
- gate: `official`, the authors' code: the temporal weights multiply the scores of the spatial attention, in its order
- images: shorter side to 255, middle 224 x 224; ImageNet's mean and deviation
- videos: first sixteen of every fourth frame (third, second, single one of short clips), 300 x 300, top left 224 x 224,
  channels {channels}

## Entries

{entries} in the file: {used} used, {dropped} dropped.

| dropped | why |
| --- | --- |
{reasons}
"""


@dataclass(frozen=True)
class OfficialSource:
    """Files of an official checkpoint.

    Attributes:
        weights: the authors' ``model.pth``.
        conf: folder of the authors' vocabularies.
        tokenizer: BPEmb's SentencePiece model, English, 25,000 subwords.
        channels: channel order of the training videos; ``bgr`` for the released weights.
        tasks: tasks that the weights were trained for; the weights of other tasks in the file are still random.
    """

    weights: Path
    conf: Path
    tokenizer: Path
    channels: Channels = "bgr"
    tasks: Sequence[str] = tuple(TASKS)


def import_official(source: OfficialSource, out: Path, name: str = "omninet-official") -> Converted:
    """Convert an official checkpoint to a checkpoint folder; return the converted and dropped entries.

    Raises:
        CheckpointError: a file is missing or has another format; the message names it.
    """
    config = network_config(source)
    _check_tokenizer(source.tokenizer, config)
    vocabularies = read_vocabularies(source.conf, config.vocabularies)
    converted = convert(_read_state(source.weights, out), kept=source.tasks)
    _check_numbers(converted.tensors)
    network = build_network(config, converted.tensors, str(source.weights))
    card = _card(name, source, converted)
    model = ModelConfig(name, "1.0.0", config, text_steps=CAPTION_STEPS)
    save(Checkpoint(model, network, source.tokenizer, vocabularies, card), out)
    return converted


def network_config(source: OfficialSource) -> OmniNetConfig:
    """Return the configuration of the authors' network, with their preprocessing of images and videos.

    Raises:
        CheckpointError: the source names an unknown task.
    """
    config = official_config()
    vision = VisionConfig(
        image=Framing("crop", side=255),
        video=Framing("squash", side=300, window="corner", antialias=False, channels=source.channels),
        sampling="stride",
    )
    if unknown := [task for task in source.tasks if task not in config.tasks]:
        raise CheckpointError(f"there is no task {unknown[0]!r}; known are {', '.join(config.tasks)}")
    kept = config.subset(source.tasks)
    # The released weights have a control vector for every domain, including German, which no task uses.
    return replace(
        kept,
        peripherals={**config.peripherals, "vision": vision},
        domains=config.domains,
        controls=(*config.domains, *kept.tasks),
    )


def _check_tokenizer(path: Path, config: OmniNetConfig) -> None:
    wanted = config.peripherals["language"].vocabulary
    try:
        found = len(Tokenizer(path, lower_case=True))
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not a SentencePiece model: {error}") from None
    if found != wanted:
        raise CheckpointError(f"{path} has {found} subwords; the weights need BPEmb's English model with {wanted}")


def _read_state(weights: Path, out: Path) -> dict[str, Tensor]:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as place:
        unpacked = Path(place) / "state.safetensors"
        unpack("weights", weights, unpacked)
        return load_file(unpacked)


def _check_numbers(tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{name} has values that are NaN or infinite")


def _card(name: str, source: OfficialSource, converted: Converted) -> str:
    reasons = Counter(converted.dropped.values())
    used, dropped = len(converted.tensors), len(converted.dropped)
    with source.weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return CARD.format(
        name=name,
        file=source.weights.name,
        digest=digest,
        tasks=", ".join(source.tasks),
        channels=source.channels,
        entries=used + dropped,
        used=used,
        dropped=dropped,
        reasons="\n".join(f"| {count} | {why} |" for why, count in reasons.items()),
    )
