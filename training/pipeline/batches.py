"""Convert examples to batches of tensors."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from omninet.model.errors import InputError
from omninet.model.modalities import Modality, Resources, Variation
from omninet.model.modalities.language.tokenizer import Tokenizer
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS
from omninet.model.tasks import Input, Task
from omninet.training.data import DataError, Drawing, Example
from omninet.training.pipeline.views import View, seen_in

READERS = 4

Drawn = tuple[Example, int]  # an example, and the random seed for reading it


@dataclass
class TrainingRow:
    """An example for which a batch is being built.

    Attributes:
        values: inputs read so far, in the form that the peripherals' ``collate`` takes.
    """

    example: Example
    generator: random.Random
    values: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """One batch of one task.

    Attributes:
        inputs: (peripheral, domain, value), as OmniNet.encode takes them.
        targets: class ids or numbers, depending on the output, (b, n).
        mask: (b, n), false at padding.
        skipped: unreadable samples in this batch and in dropped batches before it.
        shares: share of each class in the only target of a row, (b, c); None if every target is one class.
    """

    task: str
    inputs: tuple[tuple[str, str, Any], ...]
    targets: Tensor
    mask: Tensor
    skipped: int = 0
    shares: Tensor | None = None

    @property
    def real(self) -> int:
        """Return the number of unpadded targets."""
        return int(self.mask.sum())

    @property
    def samples(self) -> int:
        """Return the number of rows with at least one unpadded target."""
        return int(self.mask.any(1).sum())


def rows_of(value: Any, rows: Tensor) -> Any:
    """Return some rows of a collated input, a tensor or a named tuple of tensors."""
    return value[rows] if isinstance(value, Tensor) else type(value)(*(part[rows] for part in value))


class Media(Protocol):
    """Source of pictures and clips: precomputed features, or pixels."""

    def get(self, path: Path, generator: random.Random, plain: bool = False) -> tuple[Tensor, View]:
        """Return the input of a peripheral with a backbone, and what it shows.

        Args:
            plain: use the view of serving in place of a random one.
        """
        ...


@dataclass
class Encoder:
    """Converts examples to batches.

    Attributes:
        network: configuration of the network and its tasks.
        resources: shared by the modalities.
        vocabularies: name -> class -> id, for vocabularies whose classes have names.
        media: peripheral with a backbone -> source of its inputs.
        bpe_dropout: probability that a subword of a text input is split in two.
        unreadable: path -> reason; grows as batches are made.
        reported: number of entries of ``unreadable`` that ``new_warnings`` has returned.
    """

    network: OmniNetConfig
    resources: Resources
    vocabularies: Mapping[str, Mapping[str, int]]
    media: Mapping[str, Media]
    bpe_dropout: float = 0.0
    unreadable: dict[Path, str] = field(default_factory=dict)
    reported: int = 0

    @property
    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer of all texts that name none."""
        return self.resources.tokenizer

    @cached_property
    def modalities(self) -> dict[str, Modality]:
        """Return the modality of each peripheral."""
        return {name: self.network.modality(name) for name in self.network.peripherals}

    def batch(self, drawn: Sequence[Drawn]) -> Batch | None:
        """Make a batch from examples of one task, without unreadable ones; None if no example can be read."""
        task = self.network.tasks[drawn[0][0].task]
        # Each row has its own generator, so that its random numbers do not depend on the other rows or on threads.
        found = [self._row(example, random.Random(seed)) for example, seed in drawn]
        rows = [row for row in found if row]
        for given in task.inputs:
            rows = self._with_input(rows, task, given)
        if not rows:
            return None
        inputs = []
        for position, given in enumerate(task.inputs):
            collate = self.modalities[given.peripheral].peripheral().collate
            inputs.append((given.peripheral, given.domain, collate([row.values[position] for row in rows])))
        targets = [torch.tensor(self.target(task, row.example)) for row in rows]
        mask = pad_sequence([torch.ones_like(target, dtype=torch.bool) for target in targets], batch_first=True)
        shares = self._shares(task, [row.example for row in rows])
        return Batch(task.name, tuple(inputs), pad_sequence(targets, batch_first=True), mask, shares=shares)

    def target(self, task: Task, example: Example) -> Sequence[int] | Sequence[float]:
        """Return an example's target, in the form that the head's loss takes."""
        ids = self.vocabularies.get(task.vocabulary, {})
        return OUTPUTS[task.output].target(example, ids, self.resources.tokenizer_of(task.tokenizer))

    def _shares(self, task: Task, examples: Sequence[Example]) -> Tensor | None:
        """Return the soft targets of a batch, (b, c); None if no example has one."""
        ids, output = self.vocabularies.get(task.vocabulary, {}), OUTPUTS[task.output]
        soft = [output.shares(example, ids) for example in examples]
        if not any(soft):
            return None
        found = torch.zeros(len(examples), len(ids))
        for row, (example, shares) in enumerate(zip(examples, soft, strict=True)):
            for number, share in (shares or {int(self.target(task, example)[0]): 1.0}).items():
                found[row, number] = share
        return found

    def new_warnings(self) -> list[str]:
        """Return a warning for each file that was found unreadable since the last call."""
        new = list(self.unreadable.items())[self.reported :]
        self.reported += len(new)
        return [f"{path} is skipped: {why}" for path, why in new]

    def _row(self, example: Example, generator: random.Random) -> TrainingRow | None:
        """Return a row of an example, whose picture is drawn if it is a Drawing; None if a file cannot be read."""
        drawing = next((value for value in example.inputs.values() if isinstance(value, Drawing)), None)
        if drawing is None:
            return TrainingRow(example, generator)
        try:
            return TrainingRow(drawing.example(generator), generator)
        except (OSError, InputError) as error:
            if not drawing.files:
                raise
            self.unreadable[drawing.files[0]] = str(error)
            return None

    def _with_input(self, rows: Sequence[TrainingRow], task: Task, given: Input) -> list[TrainingRow]:
        """Add one input to the rows, and drop rows whose file cannot be read."""
        keywords = self.network.keywords(task)
        media, kept = self.media.get(given.peripheral), list[TrainingRow]()

        def read(row: TrainingRow) -> Any:
            keyword = keyword_of(row.example, given, keywords)
            value = row.example.inputs[keyword]
            try:
                if media is not None:
                    found = _view(media, value, row, task)
                    second = row.example.inputs.get(given.second)
                    return found if second is None else torch.cat([found, _view(media, second, row, task)])
                return self._varied(row, given, keywords[keyword][1], value)
            except (OSError, InputError) as error:
                # Of recordings that are joined, the first one stands for all.
                path = value if isinstance(value, Path) else next(iter(getattr(value, "files", ())), None)
                if path is None:
                    raise
                self.unreadable[path] = str(error)
                return None

        # Only media are read in threads: decoders release the GIL, tokenizers do not.
        for row, value in zip(rows, map(read, rows) if media is None else _readers().map(read, rows), strict=True):
            if value is not None:
                row.values.append(value)
                kept.append(row)
        return kept

    def _varied(self, row: TrainingRow, given: Input, form: str, value: Any) -> Any:
        """Return an input of a peripheral without a backbone, with random variation such as BPE dropout."""
        variation = Variation(row.generator, self.bpe_dropout)
        return self.modalities[given.peripheral].varied(given.role, form, value, self.resources, variation)


def keyword_of(example: Example, given: Input, keywords: Mapping[str, tuple[Input, str]]) -> str:
    """Return the keyword under which an example holds an input.

    Raises:
        DataError: the example lacks the input.
    """
    for keyword in example.inputs:
        if keyword in keywords and keywords[keyword][0] == given:
            return keyword
    names = " or ".join(keyword for keyword, (wanted, _) in keywords.items() if wanted == given)
    raise DataError(f"an example of task {example.task} lacks the input {names}")


def texts_of(network: OmniNetConfig, example: Example) -> Iterator[tuple[str, str]]:
    """Yield the texts of an example, each after the name of its tokenizer: first target texts, then input texts."""
    task = network.tasks[example.task]
    yield from ((task.tokenizer, text) for text in OUTPUTS[task.output].texts(example))
    yield from texts_read(network, example)


def texts_read(network: OmniNetConfig, example: Example) -> Iterator[tuple[str, str]]:
    """Yield the texts among an example's inputs, each after the name of its tokenizer.

    Raises:
        DataError: the example lacks an input of its task.
    """
    task = network.tasks[example.task]
    keywords = network.keywords(task)
    for given in task.inputs:
        keyword = keyword_of(example, given, keywords)
        modality = network.modality(given.peripheral)
        tokenizer = getattr(modality.config, "tokenizer", "")
        yield from ((tokenizer, text) for text in modality.texts(keywords[keyword][1], example.inputs[keyword]))


def _view(media: Media, path: Path, row: TrainingRow, task: Task) -> Tensor:
    """Read a file; with ``moved`` views the example of the row becomes what the view shows."""
    found, view = media.get(path, row.generator, task.views == "plain")
    if task.views == "moved":
        example = seen_in(row.example, view)
        if example is None:
            return media.get(path, row.generator, plain=True)[0]
        row.example = example
    return found


@cache
def _readers() -> ThreadPoolExecutor:
    """Return the thread pool for reading media; decoders release the GIL."""
    return ThreadPoolExecutor(READERS, "reader")


def spread_captions(examples: Sequence[Example]) -> list[Example]:
    """Return one example per caption of a picture; each keeps all captions as references."""
    return [replace(e, answer=text) for e in examples for text in e.captions or (e.answer,)]
