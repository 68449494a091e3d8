"""Examples to batches of tensors."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from model.errors import InputError
from model.modalities.language.bpe_dropout import with_bpe_dropout
from model.modalities.language.config import Subwords
from model.modalities.language.peripheral import LanguagePeripheral
from model.modalities.language.tokenizer import Tokenizer
from model.outputs import OUTPUTS
from model.tasks import TASKS
from training.data import Example

READERS = 4

Drawn = tuple[Example, int]  # an example, and the seed of the choices that reading it takes
Chosen = tuple[Example, random.Random]


@dataclass(frozen=True)
class Batch:
    """One step's worth of one task.

    Attributes:
        inputs: as OmniNet.encode takes them.
        targets: class ids, (b, n).
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
        """Return what the vision peripheral takes as a row: a random view, or the ``plain`` one as serving has it."""
        ...


@dataclass
class Encoder:
    """Turns examples into tensors.

    Attributes:
        vocabularies: task -> its classes, for tasks that name them.
        media: what the vision peripheral gets of every picture and clip.
        loosen: share of the subwords read that are written as two.
        longest: subwords that a text may have.
        unreadable: path -> why it could not be read; it grows as batches are made.
        told: how many of them ``news`` has told.
    """

    tokenizer: Tokenizer
    vocabularies: Mapping[str, Mapping[str, int]]
    media: Media
    loosen: float
    longest: int
    unreadable: dict[Path, str] = field(default_factory=dict)
    told: int = 0

    def batch(self, drawn: Sequence[Drawn]) -> Batch | None:
        """Examples of one task as a batch, without those whose file cannot be read; None if that is all of them."""
        task = drawn[0][0].task
        # One generator each, so that it does not matter who reads them beside which others.
        chosen = [(example, random.Random(seed)) for example, seed in drawn]
        inputs: list[tuple[str, str, Any]] = []
        for given in TASKS[task].inputs:
            if given.peripheral == "vision":
                chosen, found = self._seen(chosen)
                if not chosen:
                    return None
                inputs.append((given.peripheral, given.domain, torch.stack(found)))
            else:
                texts = [self._subwords(*pair) for pair in chosen]
                inputs.append((given.peripheral, given.domain, LanguagePeripheral.collate(texts)))
        targets = [torch.tensor(self._target(example)) for example, _ in chosen]
        mask = pad_sequence([torch.ones_like(t, dtype=torch.bool) for t in targets], batch_first=True)
        return Batch(task, tuple(inputs), pad_sequence(targets, batch_first=True), mask)

    def news(self) -> list[str]:
        """What could not be read since the last call."""
        new = list(self.unreadable.items())[self.told :]
        self.told += len(new)
        return [f"{path} is left out: {why}" for path, why in new]

    def _seen(self, chosen: Sequence[Chosen]) -> tuple[list[Chosen], list[Tensor]]:
        """The examples whose media can be read, and what is seen there."""
        found = list(_readers().map(self._look, chosen))
        pairs = [(pair, seen) for pair, seen in zip(chosen, found, strict=True) if seen is not None]
        return [pair for pair, _ in pairs], [seen for _, seen in pairs]

    def _look(self, chosen: Chosen) -> Tensor | None:
        example, generator = chosen
        path = example.media
        assert path is not None
        try:
            return self.media.get(path, generator, TASKS[example.task].views == "plain")
        except (OSError, InputError) as error:
            self.unreadable[path] = str(error)
            return None

    def _subwords(self, example: Example, generator: random.Random) -> Subwords:
        words = example.words or tuple(_as_people_ask(example.question or "", generator).split())
        encoded = self.tokenizer.encode(words)
        varied = with_bpe_dropout(encoded, self.tokenizer, self.loosen, generator)
        return varied if len(varied.tokens) <= self.longest else encoded

    def _target(self, example: Example) -> Sequence[int] | Sequence[float]:
        output = OUTPUTS[TASKS[example.task].output]
        return output.target(example, self.vocabularies.get(example.task, {}), self.tokenizer)


def _as_people_ask(question: str, generator: random.Random) -> str:
    """Data sets write questions bare; people write "What is this?"."""
    if generator.random() < 0.5:
        return question[:1].upper() + question[1:].rstrip(" ?") + "?"
    return question


@cache
def _readers() -> ThreadPoolExecutor:
    """Threads that read media: decoders let go of Python's lock."""
    return ThreadPoolExecutor(READERS, "reader")


def spread_captions(examples: Sequence[Example]) -> list[Example]:
    """One example for each caption of a picture."""
    return [
        Example(e.task, e.image, e.video, answer=caption, captions=e.captions)
        for e in examples
        for caption in e.captions
    ]
