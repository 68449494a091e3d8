"""Prepare a run: read the data, build the network and the encoder."""

from __future__ import annotations

import copy
import hashlib
import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from omninet.model.checkpoint import Checkpoint, load
from omninet.model.decoding.goal import depth_of
from omninet.model.errors import ConfigError
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities import Resources
from omninet.model.modalities.language.config import LanguageConfig
from omninet.model.modalities.language.tokenizer import Tokenizer
from omninet.model.model_config import ModelConfig
from omninet.model.network.omninet import OmniNet
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS
from omninet.training.backbone import RANDOM, backbones_of, check_source, fill_backbone
from omninet.training.config import DataSource, RunConfig
from omninet.training.data import DataError, Example, thinned
from omninet.training.data.clean import kept_leaks, without
from omninet.training.data.leaks import Leak
from omninet.training.network import named_vocabularies, needs_backbone, network_config, tasks_of
from omninet.training.pipeline.batches import Encoder, Media, keyword_of, spread_captions, texts_of, texts_read
from omninet.training.pipeline.features import Features, compute_features, measure_channels
from omninet.training.pipeline.frames import Frames
from omninet.training.pipeline.subwords import published_subwords, train_subwords
from omninet.training.runtime.schedule import mixed
from omninet.training.warm_start import warm_start

NO_TEXT = ("a",)  # text to train subwords on if a run has none, since a checkpoint always contains a tokenizer
STARTED = "subwords-of-the-start"
NAMED = 5  # maximum number of unreadable files to log
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setup:
    """A run that is ready to start.

    Attributes:
        examples: task -> training examples, one per caption.
    """

    config: RunConfig
    data: Path
    network: OmniNet
    encoder: Encoder
    examples: Mapping[str, Sequence[Example]]
    vocabularies: Mapping[str, tuple[str, ...]]

    def checkpoint(self, card: str) -> Checkpoint:
        """Return the current network as a checkpoint, which shares its parameters."""
        run = self.config
        config = ModelConfig(run.name, run.version, self.network.config, run.text_steps, run.beams)
        return Checkpoint(
            config,
            self.network,
            self.encoder.tokenizer.model_file,
            self.vocabularies,
            card,
            licence=run.licence,
            tokenizer_files={name: t.model_file for name, t in self.encoder.resources.tokenizers.items()},
        )

    def snapshot(self, card: str) -> Checkpoint:
        """Return a copy of the current network as a checkpoint."""
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
    """Read the data, train the subwords, build the network and compute the features.

    Args:
        data: folder that contains the data sets' folders.
        backbone: weights of the frozen backbones: a safetensors file, ``published`` for torchvision's, or ``random``;
            None if the network has no backbone or takes that of ``start``.
        work: cache folder for subwords and features.
        whole: configuration of more tasks, with which this one shares subwords and features.
        start: checkpoint to initialise from: its subwords are used, and its weights where names match.
        resumed: whether the run is resumed, and must reuse the subwords of its ``start`` checkpoint if it had one.

    Raises:
        ConfigError: backbone weights are missing, or ``start`` has another backbone.
    """
    is_needed = start is None and needs_backbone(config)
    source = check_source(backbone if is_needed else backbone or RANDOM)
    first = load(start) if start else None
    every = _read(whole or config, data, work)
    examples = {name: every[name] for name in config.tasks}
    vocabularies = _vocabularies(config, examples, data)
    tokenizers, vectors = _subwords(whole or config, every, work, first, resumed)
    tokenizer, others = tokenizers[""], {name: found for name, found in tokenizers.items() if name}
    torch.manual_seed(config.seed)
    counts = {name: len(found) for name, found in others.items()}
    network = OmniNet(network_config(config, len(tokenizer), vocabularies, counts))
    fill_backbone(network, source)
    if vectors is not None:
        _fill_subwords(network, vectors)
    if first is not None:
        _start(network, vocabularies, tokenizers, first, with_backbone=backbone is None)
    media = _media(config, network, network_config(whole or config, config.vocabulary, {}), every, work)
    ids = {name: {label: i for i, label in enumerate(labels)} for name, labels in vocabularies.items()}
    named = {name: others[name] for name in network.config.tokenizers}
    resources = Resources(tokenizer, MediaLimits(), network.config.cnp.max_length, named)
    encoder = Encoder(network.config, resources, ids, media, config.loosen)
    usable = {name: _usable(name, group, config, encoder) for name, group in examples.items()}
    config = mixed(config, {name: len(group) for name, group in usable.items()})
    return Setup(config, data, network, encoder, usable, vocabularies)


def _usable(name: str, examples: Sequence[Example], config: RunConfig, encoder: Encoder) -> Sequence[Example]:
    """Return the examples of a task that are readable, short enough and have a known label."""
    unreadable = {path: why for media in encoder.media.values() for path, why in _unreadable(media).items()}
    readable = [e for e in examples if not any(path in unreadable for path in e.media)]
    _warn_of(name, examples, unreadable, config.max_skipped)
    short = [e for e in readable if _length(e, encoder) <= encoder.resources.max_steps]
    task = encoder.network.tasks[name]
    known = encoder.vocabularies.get(task.vocabulary)
    named = [e for e in short if known is None or set(OUTPUTS[task.output].classes(e)) <= known.keys()]
    LOG.info(
        "%s: %d examples; skipped: %d unreadable, %d too long, %d with rare labels",
        *(name, len(named), len(examples) - len(readable), len(readable) - len(short), len(short) - len(named)),
    )
    if not named:
        folders = " and ".join(source.folder for source in config.tasks[name].sources)
        raise DataError(f"no example of {folders} can be used for {name}")
    return named


def _unreadable(media: Media) -> Mapping[Path, str]:
    """Return the files that are known to be unreadable, with the reason."""
    return media.unreadable if isinstance(media, Features) else {}


def _warn_of(name: str, examples: Sequence[Example], unreadable: Mapping[Path, str], most: float) -> None:
    """Log the first unreadable files.

    Raises:
        DataError: their share is higher than ``most``.
    """
    media = {path for e in examples for path in e.media}
    broken = [path for path in unreadable if path in media]
    for path in broken[:NAMED]:
        LOG.warning("%s: %s cannot be read: %s", name, path, unreadable[path])
    if len(broken) > most * len(media):
        raise DataError(
            f"{name}: {len(broken)} of {len(media)} files cannot be read, more than the share {most} that max_skipped "
            f"allows; the first, {broken[0]}: {unreadable[broken[0]]}"
        )


def _read(config: RunConfig, data: Path, work: Path) -> dict[str, Sequence[Example]]:
    examples: dict[str, Sequence[Example]] = {}
    sets = [source.data_set(data) for run in config.tasks.values() for source in run.sources]
    leaks = kept_leaks(sets, work) if config.clean else {}
    if config.clean:
        LOG.info("%d training photos are left out, since they are also in a dev or test set", len(leaks))
    for name, run in config.tasks.items():
        found = [example for source in run.sources for example in _examples(source, data, leaks)]
        examples[name] = found if OUTPUTS[tasks_of(config)[name].output].named else spread_captions(found)
    return examples


def _examples(source: DataSource, data: Path, leaks: Mapping[Path, Leak]) -> Sequence[Example]:
    """Return the training examples of one data set, without those that show a photo in ``leaks``."""
    every, folder = source.data_set(data).read("train"), data / source.folder
    clean = without(every, leaks)
    if leaks:
        LOG.info("%s: %d examples left out with their photos", folder, len(every) - len(clean))
    found = thinned(clean, source.limit)
    if not found:
        raise DataError(f"{folder} holds no training example{' that is in no dev or test set' * bool(every)}")
    LOG.info("%s: %d training examples", folder, len(found))
    return found


def _vocabularies(
    config: RunConfig, examples: Mapping[str, Sequence[Example]], data: Path
) -> dict[str, tuple[str, ...]]:
    """Return the classes of each vocabulary of named classes, counted over all tasks that share it."""
    found = {}
    for name, tasks in named_vocabularies(config).items():
        if fixed := OUTPUTS[tasks[0].output].fixed:
            found[name] = fixed
            continue
        sources = [source.data_set(data) for task in tasks for source in config.tasks[task.name].sources]
        counts = Counter(dict.fromkeys((c for source in sources for c in source.classes()), 0))
        counts.update(c for task in tasks for e in examples[task.name] for c in OUTPUTS[task.output].classes(e))
        limit = next((limit for task in tasks if (limit := config.tasks[task.name].classes)), None)
        found[name] = most_frequent(counts, limit)
    return found


def most_frequent(counts: Counter[str], limit: int | None = None) -> tuple[str, ...]:
    """Return the ``limit`` most frequent classes, or all of them; the most frequent first."""
    return tuple(label for label, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit])


def _start(
    network: OmniNet,
    vocabularies: Mapping[str, tuple[str, ...]],
    tokenizers: Mapping[str, Tokenizer],
    first: Checkpoint,
    with_backbone: bool,
) -> None:
    """Initialise from another checkpoint, except a backbone given separately, and log which weights were used."""
    backbones = [peripheral.backbone for peripheral in backbones_of(network).values()]
    kept = [] if with_backbone else [copy.deepcopy(backbone.state_dict()) for backbone in backbones]
    taken = warm_start(network, vocabularies, {name: each.model_file for name, each in tokenizers.items()}, first)
    for backbone, weights in zip(backbones, kept, strict=False):
        backbone.load_state_dict(weights)
    if with_backbone and any(".backbone." in name for name in taken.new):
        raise ConfigError(
            "the checkpoint to start from has another backbone: give weights for this one with --backbone"
        )
    for line in taken.lines():
        LOG.info("%s", line)


def _subwords(
    config: RunConfig, examples: Mapping[str, Sequence[Example]], work: Path, first: Checkpoint | None, resumed: bool
) -> tuple[dict[str, Tokenizer], Tensor | None]:
    """Return the tokenizers by name, and the published vectors of the subwords of that without a name, if any."""
    shape = network_config(config, config.vocabulary, {})
    readers = list(shape.every(LanguageConfig).values()) or [LanguageConfig()]
    texts: dict[str, list[str]] = {name: [] for name in ("", *shape.tokenizers)}
    for name, text in (pair for group in examples.values() for each in group for pair in texts_of(shape, each)):
        texts[name].append(text)
    files = {name: _started(name, work, first, resumed) for name in texts}
    vectors = None
    if files[""] is None and config.subwords == "bpemb":
        width = next((part.d_embedding for part in readers if not part.tokenizer), readers[0].d_embedding)
        files[""], vectors = published_subwords(config.vocabulary, width)
    elif files[""] is None and not any(texts.values()) and _reads_or_writes(shape):
        raise ConfigError(
            f"{', '.join(examples)}: no text to train subwords on; add a task that has text, or set subwords: bpemb"
        )
    lower = {name: any(part.lower_case for part in readers if part.tokenizer == name) for name in texts}
    return {
        name: Tokenizer(file or _trained(texts[name] or list(NO_TEXT), config.vocabulary, work), lower[name])
        for name, file in files.items()
    }, vectors


def _started(name: str, work: Path, first: Checkpoint | None, resumed: bool) -> Path | None:
    """Return the subwords of the checkpoint that a run starts from, or started from before it was resumed, if any."""
    kept = work / (f"{STARTED}-{name}.model" if name else f"{STARTED}.model")
    if first is None:
        return kept if resumed and kept.exists() else None
    given = first.tokenizer_files.get(name) if name else first.tokenizer_file
    if given is None:
        return None
    work.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(given, kept)
    return kept


def _trained(texts: Sequence[str], vocabulary: int, work: Path) -> Path:
    """Train subwords on texts, or return those that an earlier call trained on the same."""
    key = hashlib.sha256("\n".join([str(vocabulary), *texts]).encode()).hexdigest()[:16]
    path = work / f"subwords-{key}.model"
    if not path.exists():
        train_subwords(texts, vocabulary, path)
    return path


def _reads_or_writes(network: OmniNetConfig) -> bool:
    """Return whether any task of the network reads or writes text."""
    writes = any(not OUTPUTS[task.output].named for task in network.tasks.values())
    return writes or bool(network.every(LanguageConfig))


def _fill_subwords(network: OmniNet, vectors: Tensor) -> None:
    """Copy published vectors into the embedding of every peripheral whose subwords they belong to."""
    for name, config in network.config.every(LanguageConfig).items():
        if not config.tokenizer:
            network.get_parameter(f"peripherals.{name}.embedding.weight").data[: len(vectors)] = vectors


def _files(
    network: OmniNetConfig, peripheral: str, examples: Mapping[str, Sequence[Example]]
) -> tuple[list[Path], list[Path]]:
    """Return the pictures and the clips that a peripheral reads."""
    found: dict[str, list[Path]] = {form: [] for form in network.modality(peripheral).forms}
    for name, group in examples.items():
        keywords = network.keywords(network.tasks[name])
        for given in network.tasks[name].inputs:
            if given.peripheral == peripheral:
                for example in group:
                    keyword = keyword_of(example, given, keywords)
                    paths = (example.inputs[keyword], example.inputs.get(given.second))
                    found[keywords[keyword][1]] += [path for path in paths if path is not None]
    pictures, clips = found.values()
    return pictures, clips


def _media(
    config: RunConfig, network: OmniNet, whole: OmniNetConfig, examples: Mapping[str, Sequence[Example]], work: Path
) -> dict[str, Media]:
    """Return the source of pictures and clips for each peripheral with a backbone: pixels or features.

    Args:
        whole: network configuration of all tasks in ``examples``.
    """
    found: dict[str, Media] = {}
    for name, vision in backbones_of(network).items():
        pictures, clips = _files(whole, name, examples)
        measure_channels(vision, pictures, clips)
        if config.media == "pixels":
            found[name] = Frames(vision.config, work / "frames")
        else:
            vision.eval()
            found[name] = compute_features(vision, pictures, False, work) | compute_features(vision, clips, True, work)
    return found


def _length(example: Example, encoder: Encoder) -> int:
    """Return the length of an example's target or of its longest input text in subwords, whichever is longer.

    Targets that the decoder does not write may have any length.
    """
    task = encoder.network.tasks[example.task]
    is_decoded = depth_of(OUTPUTS[task.output].reads) is None
    target = encoder.target(task, example) if is_decoded else ()
    read = [
        len(encoder.resources.tokenizer_of(name).encode(text.split()).tokens)
        for name, text in texts_read(encoder.network, example)
    ]
    return max([len(target), *read])
