"""The toy network with other tasks than its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.modalities.audio.config import AudioConfig
from omninet.model.modalities.line.config import LineConfig
from omninet.model.modalities.page.config import PageConfig
from omninet.model.network.omninet import OmniNet
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs.boxes.tokens import CLASSES
from omninet.model.predictor import Predictor
from omninet.model.tasks import TASKS


def checkpoint_with(
    toy: Checkpoint, tasks: Collection[str], vocabularies: Mapping[str, tuple[str, ...]] | None = None, **cnp: Any
) -> Checkpoint:
    """Return a random network with some of TASKS.

    Args:
        vocabularies: name -> classes, of vocabularies that the toy lacks.
        cnp: changed values of the configuration of the Central Neural Processor.
    """
    config, named = toy.config.network, {**toy.vocabularies, **(vocabularies or {})}
    sizes = {**config.vocabularies, **{name: len(classes) for name, classes in named.items()}}
    kept = {name: TASKS[name] for name in tasks}
    needed = {task.vocabulary for task in kept.values()}
    network = replace(
        config,
        cnp=replace(config.cnp, **cnp),
        tasks=kept,
        vocabularies={name: size for name, size in sizes.items() if name in needed},
        controls=(),
    )
    return _drawn(toy, network, {name: classes for name, classes in named.items() if name in needed})


def _drawn(toy: Checkpoint, network: OmniNetConfig, vocabularies: Mapping[str, tuple[str, ...]]) -> Checkpoint:
    """Return the toy with a random network of another configuration."""
    torch.manual_seed(0)
    config = replace(toy.config, network=network)
    return replace(toy, config=config, network=OmniNet(network).eval(), vocabularies=vocabularies)


def toy_with(
    toy: Checkpoint, tasks: Collection[str], vocabularies: Mapping[str, tuple[str, ...]] | None = None, **cnp: Any
) -> Predictor:
    """Return a predictor of ``checkpoint_with``."""
    return Predictor(checkpoint_with(toy, tasks, vocabularies, **cnp), device="cpu")


SPEECH = AudioConfig(rate=8000, mels=20, channels=4)
NEW_VOCABULARIES = {
    "match": ("match", "no-match"),
    "entailment": ("contradiction", "entailment", "neutral"),
    "truth": ("true", "false"),
    "imagenet": ("tench", "goldfish", "toilet tissue"),
    "caltech101": ("accordion", "airplanes", "anchor"),
    "places": CLASSES,
    "entities": ("O", "B-person", "I-person", "B-place", "I-place"),
    "brackets": ("(S", "(NP", "(VP", "word", ")", "end"),
}


def with_new_tasks(toy: Checkpoint) -> Checkpoint:
    """Return a random network with the tasks of the toy, and those that compare a picture with a text."""
    compared = ["match", "embed", "ground", "entailment", "truth", "pair"]
    tasks = [*toy.config.network.tasks, *compared, "imagenet", "caltech101", "entities", "parse"]
    return checkpoint_with(toy, tasks, NEW_VOCABULARIES)


PAIRS = ("english_german", "german_english")
SEEN = ("english_german_seen", "german_english_seen")


def with_translation(toy: Checkpoint, tasks: Collection[str] = PAIRS) -> Checkpoint:
    """Return a random network that translates between English and German, both with the toy's subwords, and tags."""
    config, size = toy.config.network, toy.config.network.vocabularies["caption"]
    language: Any = config.peripherals["language"]
    network = replace(
        config,
        peripherals={**config.peripherals, "german": replace(language, tokenizer="german")},
        domains=("english", "german", "image"),
        tasks={name: TASKS[name] for name in (*tasks, "pos")},
        vocabularies={"german": size, "english": size, "pos": config.vocabularies["pos"]},
        controls=(),
    )
    found = _drawn(toy, network, {"pos": toy.vocabularies["pos"]})
    return replace(found, tokenizer_files={"german": toy.tokenizer_file})


def with_german_captions(toy: Checkpoint) -> Checkpoint:
    """Return a random network that describes pictures in English and German, both with the toy's subwords."""
    size = toy.config.network.vocabularies["caption"]
    found = checkpoint_with(toy, ["caption", "german_caption"], {"german": ("",) * size})
    return replace(found, vocabularies={}, tokenizer_files={"german": toy.tokenizer_file})


def with_reading(toy: Checkpoint) -> Checkpoint:
    """Return a random network that reads words and tags words of texts."""
    config, letters = toy.config.network, ("<end>", *"abcdEF12")
    network = replace(
        config,
        peripherals={"language": config.peripherals["language"], "line": LineConfig(width=48, channels=32)},
        domains=("english", "writing"),
        tasks={name: TASKS[name] for name in ("read_word", "pos")},
        vocabularies={"letters": len(letters), "pos": config.vocabularies["pos"]},
        controls=(),
    )
    return _drawn(toy, network, {"letters": letters, "pos": toy.vocabularies["pos"]})


def with_scenes(toy: Checkpoint) -> Checkpoint:
    """Return a random network that finds words in pictures and reads them, and embeds pictures."""
    config, letters = toy.config.network, ("<end>", *"abcdEF12")
    network = replace(
        config,
        peripherals={
            **config.peripherals,
            "line": LineConfig(width=48, channels=32),
            "page": PageConfig(width=128, most=256, channels=16),
        },
        domains=("english", "image", "writing", "scene"),
        tasks={name: TASKS[name] for name in ("read_scene", "read_word", "pos", "embed")},
        vocabularies={"letters": len(letters), "pos": config.vocabularies["pos"]},
        controls=(),
    )
    return _drawn(toy, network, {"letters": letters, "pos": toy.vocabularies["pos"]})


def with_speech(toy: Checkpoint, **cnp: Any) -> Checkpoint:
    """Return a random network that transcribes recordings and tags words."""
    config, characters = toy.config.network, ("<end>", " ", *"ABCDE")
    network = replace(
        config,
        cnp=replace(config.cnp, **cnp),
        peripherals={"language": config.peripherals["language"], "audio": SPEECH},
        domains=("audio", "english"),
        tasks={name: TASKS[name] for name in ("transcribe", "pos")},
        vocabularies={"characters": len(characters), "pos": config.vocabularies["pos"]},
        controls=(),
    )
    return _drawn(toy, network, {"characters": characters, "pos": toy.vocabularies["pos"]})
