"""Examples to batches of tensors."""

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
from omninet.training.data import DataError, Example

READERS = 4

Drawn = tuple[Example, int]  # an example, and the seed of the choices that reading it takes


@dataclass
class Row:
    """An example on its way into a batch.

    Attributes:
        values: of the inputs read so far, as the peripherals collate them.
    """

    example: Example
    generator: random.Random
    values: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """One step's worth of one task.

    Attributes:
        inputs: as OmniNet.encode takes them.
        targets: class ids or numbers, as the output gives them, (b, n).
        mask: (b, n), false at padding.
        skipped: samples before it and in it that could not be read.
    """

    task: str
    inputs: tuple[tuple[str, str, Any], ...]
    targets: Tensor
    mask: Tensor
    skipped: int = 0

    @property
    def real(self) -> int:
        """Targets that count."""
        return int(self.mask.sum())

    @property
    def samples(self) -> int:
        """Rows with a target that counts."""
        return int(self.mask.any(1).sum())


class Media(Protocol):
    """Where pictures and clips come from: features computed before, or pixels."""

    def get(self, path: Path, generator: random.Random, plain: bool = False) -> Tensor:
        """Return a row of a peripheral with a backbone: a random view, or the ``plain`` one as serving has it."""
        ...


@dataclass
class Encoder:
    """Turns examples into tensors.

    Attributes:
        network: what the tasks take and give.
        resources: what the modalities share.
        vocabularies: name -> its classes with their ids, of those whose classes are named.
        media: of each peripheral with a backbone, what that gets of its files.
        bpe_dropout: share of the subwords read that are written as two.
        unreadable: path -> why it could not be read; it grows as batches are made.
        told: how many of them ``news`` has told.
    """

    network: OmniNetConfig
    resources: Resources
    vocabularies: Mapping[str, Mapping[str, int]]
    media: Mapping[str, Media]
    bpe_dropout: float = 0.0
    unreadable: dict[Path, str] = field(default_factory=dict)
    told: int = 0

    @property
    def tokenizer(self) -> Tokenizer:
        """The subwords."""
        return self.resources.tokenizer

    @cached_property
    def modalities(self) -> dict[str, Modality]:
        """The modality of each peripheral."""
        return {name: self.network.modality(name) for name in self.network.peripherals}

    def batch(self, drawn: Sequence[Drawn]) -> Batch | None:
        """Examples of one task as a batch, without those whose file cannot be read; None if that is all of them."""
        task = self.network.tasks[drawn[0][0].task]
        # One generator each, so that it does not matter who reads them beside which others.
        rows = [Row(example, random.Random(seed)) for example, seed in drawn]
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
        return Batch(task.name, tuple(inputs), pad_sequence(targets, batch_first=True), mask)

    def target(self, task: Task, example: Example) -> Sequence[int] | Sequence[float]:
        """What is right, as the head's loss takes it."""
        ids = self.vocabularies.get(task.vocabulary, {})
        return OUTPUTS[task.output].target(example, ids, self.resources.tokenizer)

    def news(self) -> list[str]:
        """What could not be read since the last call."""
        new = list(self.unreadable.items())[self.told :]
        self.told += len(new)
        return [f"{path} is left out: {why}" for path, why in new]

    def _with_input(self, rows: Sequence[Row], task: Task, given: Input) -> list[Row]:
        """The rows with one more input, without those whose file cannot be read."""
        keywords = self.network.keywords(task)
        media, kept = self.media.get(given.peripheral), list[Row]()

        def read(row: Row) -> Any:
            keyword = keyword_of(row.example, given, keywords)
            value = row.example.inputs[keyword]
            try:
                if media is not None:
                    return media.get(value, row.generator, task.views == "plain")
                return self._varied(row, given, keywords[keyword][1], value)
            except (OSError, InputError) as error:
                if not isinstance(value, Path):
                    raise
                self.unreadable[value] = str(error)
                return None

        # Threads read media alone: decoders let go of Python's lock, tokenisers do not.
        for row, value in zip(rows, map(read, rows) if media is None else _readers().map(read, rows), strict=True):
            if value is not None:
                row.values.append(value)
                kept.append(row)
        return kept

    def _varied(self, row: Row, given: Input, form: str, value: Any) -> Any:
        """An input of a peripheral without a backbone."""
        variation = Variation(row.generator, self.bpe_dropout)
        return self.modalities[given.peripheral].varied(given.role, form, value, self.resources, variation)


def keyword_of(example: Example, given: Input, keywords: Mapping[str, tuple[Input, str]]) -> str:
    """Return the name by which an example gives an input.

    Raises:
        DataError: it does not give it.
    """
    for keyword in example.inputs:
        if keyword in keywords and keywords[keyword][0] == given:
            return keyword
    names = " or ".join(keyword for keyword, (wanted, _) in keywords.items() if wanted == given)
    raise DataError(f"an example of task {example.task} lacks {names}")


def texts_of(network: OmniNetConfig, example: Example) -> Iterator[str]:
    """Texts of an example that become subwords: those to be written, then those that are read."""
    yield from OUTPUTS[network.tasks[example.task].output].texts(example)
    yield from texts_read(network, example)


def texts_read(network: OmniNetConfig, example: Example) -> Iterator[str]:
    """Texts among an example's inputs.

    Raises:
        DataError: it lacks an input of its task.
    """
    task = network.tasks[example.task]
    keywords = network.keywords(task)
    for given in task.inputs:
        keyword = keyword_of(example, given, keywords)
        modality = network.modality(given.peripheral)
        yield from modality.texts(keywords[keyword][1], example.inputs[keyword])


@cache
def _readers() -> ThreadPoolExecutor:
    """Threads that read media: decoders let go of Python's lock."""
    return ThreadPoolExecutor(READERS, "reader")


def spread_captions(examples: Sequence[Example]) -> list[Example]:
    """One example for each of the right texts of a picture, which are all kept beside it."""
    return [replace(e, answer=text) for e in examples for text in e.captions or (e.answer,)]
