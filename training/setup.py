"""From a run's configuration and a data folder to everything a runner needs."""

from __future__ import annotations

import copy
import hashlib
import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from model.checkpoint import Checkpoint, load
from model.config import CNPConfig, from_dict, to_dict
from model.errors import ConfigError
from model.modalities.language.config import LanguageConfig
from model.modalities.language.peripheral import LanguagePeripheral
from model.modalities.language.tokenizer import Tokenizer
from model.modalities.vision.config import VisionConfig
from model.model_config import ModelConfig
from model.network_config import OmniNetConfig
from model.omninet import OmniNet
from model.outputs import OUTPUTS
from model.outputs.text.output import plain_text
from model.tasks import TASKS
from training.backbone import RANDOM, check_source, fill_backbone, vision_of
from training.batches import Encoder, Media, spread_captions
from training.config import RunConfig, Source
from training.data import DataError, Example, thinned
from training.features import Features, compute_features, measure_channels
from training.frames import Frames
from training.schedule import mixed
from training.subwords import published_subwords, train_subwords
from training.warm_start import warm_start

T = TypeVar("T")
PARTS: dict[str, Any] = {"cnp": CNPConfig(), "vision": VisionConfig(), "language": LanguageConfig()}
STARTED = "subwords-of-the-start.model"
NAMED = 5  # broken files in a message
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setup:
    """A run, ready to start.

    Attributes:
        examples: task -> training examples, one for each caption.
    """

    config: RunConfig
    data: Path
    network: OmniNet
    encoder: Encoder
    examples: Mapping[str, Sequence[Example]]
    vocabularies: Mapping[str, tuple[str, ...]]

    def checkpoint(self, card: str) -> Checkpoint:
        """The network as it stands."""
        run = self.config
        config = ModelConfig(run.name, run.version, self.network.config, run.text_steps, run.beams)
        return Checkpoint(config, self.network, self.encoder.tokenizer.model_file, self.vocabularies, card)

    def snapshot(self, card: str) -> Checkpoint:
        """A copy of it, which training does not change."""
        return replace(self.checkpoint(card), network=copy.deepcopy(self.network))


def set_up(
    config: RunConfig,
    data: Path,
    backbone: str | None,
    work: Path,
    whole: RunConfig | None = None,
    start: Path | None = None,
    resumed: bool = False,
) -> Setup:
    """Read the data, train the subwords, build the network, compute the features.

    Args:
        data: folder that the data sets' folders are relative to.
        backbone: weights of the vision backbone: a safetensors file, ``published`` for torchvision's, which are
            downloaded once, or ``random``.
        work: folder for what is computed once: subwords and features.
        whole: a run of more tasks, whose subwords and features this one shares.
        start: a checkpoint whose subwords are taken, and whose weights as far as they are found by name.
        resumed: whether the run goes on, with the subwords of a checkpoint that it may have started from.

    Raises:
        ConfigError: ``backbone`` is None, and so is ``start``, or that has another backbone.
    """
    source = check_source(RANDOM if backbone is None and start else backbone)
    first = load(start) if start else None
    every = _read(whole or config, data)
    examples = {name: every[name] for name in config.tasks}
    vocabularies = {
        name: classes(e, config.tasks[name].classes)
        for name, e in examples.items()
        if OUTPUTS[TASKS[name].output].named
    }
    tokenizer, vectors = _subwords(config, every, work, first, resumed)
    torch.manual_seed(config.seed)
    network = OmniNet(network_config(config, len(tokenizer), vocabularies))
    _fill(network, source, vectors)
    if first is not None:
        _start(network, vocabularies, tokenizer, first, needs_backbone=backbone is None)
    media = _media(config, network, every, work)
    ids = {name: {label: i for i, label in enumerate(labels)} for name, labels in vocabularies.items()}
    encoder = Encoder(tokenizer, ids, media, config.loosen, network.config.cnp.max_length)
    usable = {name: _usable(name, group, config, encoder) for name, group in examples.items()}
    config = mixed(config, {name: len(group) for name, group in usable.items()})
    return Setup(config, data, network, encoder, usable, vocabularies)


def _usable(name: str, examples: Sequence[Example], config: RunConfig, encoder: Encoder) -> Sequence[Example]:
    """The examples of a task that can be read, are short enough and have a known answer."""
    unreadable = encoder.media.unreadable if isinstance(encoder.media, Features) else {}
    readable = [e for e in examples if e.media not in unreadable]
    _warn_of(name, examples, unreadable, config.max_skipped)
    short = [e for e in readable if _length(e, encoder.tokenizer) <= encoder.longest]
    known = encoder.vocabularies.get(name)
    named = [e for e in short if known is None or set(e.tags or [e.answer]) <= known.keys()]
    LOG.info(
        "%s: %d examples; left out: %d unreadable, %d too long, %d of rare labels",
        *(name, len(named), len(examples) - len(readable), len(readable) - len(short), len(short) - len(named)),
    )
    if not named:
        folders = " and ".join(source.folder for source in config.tasks[name].sources)
        raise DataError(f"no example of {folders} can be used for {name}")
    return named


def _warn_of(name: str, examples: Sequence[Example], unreadable: Mapping[Path, str], most: float) -> None:
    """Name files that cannot be read.

    Raises:
        DataError: they are more than the share ``most``.
    """
    media = {e.media for e in examples if e.media}
    broken = [path for path in unreadable if path in media]
    for path in broken[:NAMED]:
        LOG.warning("%s: %s cannot be read: %s", name, path, unreadable[path])
    if len(broken) > most * len(media):
        raise DataError(
            f"{name}: {len(broken)} of {len(media)} files cannot be read, more than the share {most} that max_skipped "
            f"allows; the first, {broken[0]}: {unreadable[broken[0]]}"
        )


def _read(config: RunConfig, data: Path) -> dict[str, Sequence[Example]]:
    examples: dict[str, Sequence[Example]] = {}
    for name, run in config.tasks.items():
        found = [example for source in run.sources for example in _examples(source, data)]
        examples[name] = found if OUTPUTS[TASKS[name].output].named else spread_captions(found)
    return examples


def _examples(source: Source, data: Path) -> Sequence[Example]:
    """Training examples of one data set."""
    found = thinned(source.data_set(data).read("train"), source.limit)
    if not found:
        raise DataError(f"{data / source.folder} holds no training example")
    LOG.info("%s: %d training examples", data / source.folder, len(found))
    return found


def classes(examples: Iterable[Example], limit: int | None = None) -> tuple[str, ...]:
    """Every label or tag that occurs, or the ``limit`` most frequent; the most frequent first."""
    counts = Counter(label for e in examples for label in (e.tags or (e.answer,)))
    return tuple(label for label, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit])


def _start(
    network: OmniNet,
    vocabularies: Mapping[str, tuple[str, ...]],
    tokenizer: Tokenizer,
    first: Checkpoint,
    needs_backbone: bool,
) -> None:
    """Begin with another checkpoint's weights, but for a backbone that was named apart, and say what was taken."""
    backbone = vision_of(network).backbone
    kept = None if needs_backbone else copy.deepcopy(backbone.state_dict())
    taken = warm_start(network, vocabularies, tokenizer.model_file, first)
    if kept is not None:
        backbone.load_state_dict(kept)
    elif any(".backbone." in name for name in taken.new):
        raise ConfigError("the checkpoint to start from has another backbone: name the weights of this one, --backbone")
    for line in taken.lines():
        LOG.info("%s", line)


def _subwords(
    config: RunConfig, examples: Mapping[str, Sequence[Example]], work: Path, first: Checkpoint | None, resumed: bool
) -> tuple[Tokenizer, Tensor | None]:
    """The tokenizer, and published vectors of its subwords if there are any."""
    language = _changed(LanguageConfig(), config.network.get("language", {}), "network.language")
    started = work / STARTED
    if first is not None:
        work.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first.tokenizer_file, started)
    if first is not None or (resumed and started.exists()):
        return Tokenizer(started, language.lower_case), None
    if config.subwords == "bpemb":
        path, vectors = published_subwords(config.vocabulary, language.d_embedding)
        return Tokenizer(path, language.lower_case), vectors
    texts = list(_texts(examples))
    if not texts:
        raise ConfigError(
            f"{', '.join(examples)}: no text to fit subwords to; add a task that has some, or set subwords: bpemb"
        )
    key = hashlib.sha256("\n".join([str(config.vocabulary), *texts]).encode()).hexdigest()[:16]
    path = work / f"subwords-{key}.model"
    if not path.exists():
        train_subwords(texts, config.vocabulary, path)
    return Tokenizer(path, language.lower_case), None


def _fill(network: OmniNet, backbone: str, vectors: Tensor | None) -> None:
    """Put what others have trained in the place of random weights."""
    language = network.peripherals["language"]
    assert isinstance(language, LanguagePeripheral)
    fill_backbone(vision_of(network), backbone)
    if vectors is not None:
        language.embedding.weight.data[: len(vectors)] = vectors


def _texts(examples: Mapping[str, Sequence[Example]]) -> Iterable[str]:
    for name, group in examples.items():
        for example in group:
            if not OUTPUTS[TASKS[name].output].named:
                yield plain_text(example.answer)
            elif example.words:
                yield " ".join(example.words)
            elif example.question:
                yield example.question


def network_config(config: RunConfig, subwords: int, vocabularies: Mapping[str, tuple[str, ...]]) -> OmniNetConfig:
    """The network of a run, with what the data decide: subwords, and the classes of each task."""
    parts = network_parts(config)
    return OmniNetConfig(
        parts["cnp"],
        {"vision": parts["vision"], "language": replace(parts["language"], vocabulary=subwords)},
        ("english", "image"),
        {name: TASKS[name] for name in config.tasks},
        {name: len(vocabularies[name]) if name in vocabularies else subwords for name in config.tasks},
    )


def network_parts(config: RunConfig) -> dict[str, Any]:
    """Name -> configuration of what a run's network consists of, but for what the data decide."""
    for name in config.network:
        if name not in PARTS:
            raise ConfigError(f"network.{name} is unknown; known are {', '.join(PARTS)}")
    return {name: _changed(part, config.network.get(name, {}), f"network.{name}") for name, part in PARTS.items()}


def _changed(defaults: T, changes: Mapping[str, Any], where: str) -> T:
    """A configuration with some of its values replaced."""
    return from_dict(type(defaults), _merged(to_dict(defaults), changes), where)


def _merged(defaults: Any, changes: Any) -> Any:
    """Values replaced one by one, also those of inner configurations."""
    if not isinstance(defaults, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**defaults, **{name: _merged(defaults.get(name), value) for name, value in changes.items()}}


def _media(config: RunConfig, network: OmniNet, examples: Mapping[str, Sequence[Example]], work: Path) -> Media:
    """Pixels, or features of pictures and of clips, looked up alike."""
    vision = vision_of(network)
    every = [e for group in examples.values() for e in group]
    pictures = [e.image for e in every if e.image]
    clips = [e.video for e in every if e.video]
    measure_channels(vision, pictures, clips)
    if config.media == "pixels":
        return Frames(vision.config, work / "frames")
    vision.eval()
    return compute_features(vision, pictures, False, work) | compute_features(vision, clips, True, work)


def _length(example: Example, tokenizer: Tokenizer) -> int:
    """Subwords of an example, read or written."""
    words = example.words or tuple((example.question or "").split())
    written = tokenizer.encode_output(plain_text(example.answer)) if example.captions else []
    return max(len(tokenizer.encode(words).tokens), len(written))
