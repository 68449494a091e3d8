"""The authors' files to a checkpoint folder of ours."""

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
from omninet.model.modalities.language.config import LanguageConfig
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
class Source:
    """What the authors' checkpoint consists of.

    Attributes:
        weights: their ``model.pth``.
        conf: the folder of their vocabularies.
        tokenizer: BPEmb's SentencePiece model, English, 25,000 subwords.
        channels: order of the colours in the frames of videos that it was trained on; theirs are ``bgr``.
        tasks: those it was trained for; the others in the file are as they were drawn.
    """

    weights: Path
    conf: Path
    tokenizer: Path
    channels: Channels = "bgr"
    tasks: Sequence[str] = tuple(TASKS)


def import_official(source: Source, out: Path, name: str = "omninet-official") -> Converted:
    """Write a checkpoint folder; returns what became of every entry.

    Raises:
        CheckpointError: a file that is missing or not as theirs; the message names it.
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


def network_config(source: Source) -> OmniNetConfig:
    """The authors' network, with what their code does to images and videos."""
    config = official_config()
    vision = VisionConfig(
        image=Framing("crop", side=255),
        video=Framing("squash", side=300, window="corner", antialias=False, channels=source.channels),
        sampling="stride",
    )
    if unknown := [task for task in source.tasks if task not in config.tasks]:
        raise CheckpointError(f"there is no task {unknown[0]!r} in it; there are {', '.join(config.tasks)}")
    kept = config.subset(source.tasks)
    # The released weights have a control vector for each domain, of which only one lacks a task.
    return replace(
        kept,
        peripherals={**config.peripherals, "vision": vision},
        domains=config.domains,
        controls=(*config.domains, *kept.tasks),
    )


def bpemb_model() -> Path:
    """BPEmb's English subwords, from its cache or its download.

    Raises:
        CheckpointError: they cannot be had.
    """
    from bpemb import BPEmb

    try:
        return Path(BPEmb(lang="en", vs=LanguageConfig.vocabulary, segmentation_only=True).model_file)
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"BPEmb's {LanguageConfig.vocabulary} English subwords cannot be had: {error}; "
            "get en.wiki.bpe.vs25000.model from https://bpemb.h-its.org and name it as the tokenizer"
        ) from None


def _check_tokenizer(path: Path, config: OmniNetConfig) -> None:
    wanted = config.peripherals["language"].vocabulary
    try:
        found = len(Tokenizer(path, lower_case=True))
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{path} is no SentencePiece model: {error}") from None
    if found != wanted:
        raise CheckpointError(f"{path} has {found} subwords; the weights are for BPEmb's English one of {wanted}")


def _read_state(weights: Path, out: Path) -> dict[str, Tensor]:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as place:
        unpacked = Path(place) / "state.safetensors"
        unpack("weights", weights, unpacked)
        return load_file(unpacked)


def _check_numbers(tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{name} holds values that are no numbers")


def _card(name: str, source: Source, converted: Converted) -> str:
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
