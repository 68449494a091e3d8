"""Examples to batches of tensors, one endless stream a task."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from model.peripherals.language import LanguagePeripheral, Subwords
from model.tasks import TASKS
from model.text import Tokenizer
from training.data import Example
from training.features import VIEWS, Features

POOL = 20  # batches that are sorted by length together, so that little is padded


@dataclass(frozen=True)
class Batch:
    """One step's worth of one task.

    Attributes:
        inputs: as OmniNet.encode takes them.
        targets: class ids, (b, n).
        mask: (b, n), false at padding.
    """

    task: str
    inputs: tuple[tuple[str, Any], ...]
    targets: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Encoder:
    """Turns examples into tensors.

    Attributes:
        vocabularies: task -> its classes, for tasks that name them.
        features: of every picture and clip.
    """

    tokenizer: Tokenizer
    vocabularies: Mapping[str, Mapping[str, int]]
    features: Features

    def batch(self, examples: Sequence[Example], generator: random.Random) -> Batch:
        """Examples of one task as a batch."""
        task = examples[0].task
        inputs: list[tuple[str, Any]] = []
        for name in TASKS[task].inputs:
            if name == "vision":
                inputs.append((name, self._maps(examples, generator)))
            else:
                texts = [self._subwords(example, generator) for example in examples]
                inputs.append((name, LanguagePeripheral.collate(texts)))
        targets = [torch.tensor(self._target(example)) for example in examples]
        mask = pad_sequence([torch.ones_like(t, dtype=torch.bool) for t in targets], batch_first=True)
        return Batch(task, tuple(inputs), pad_sequence(targets, batch_first=True), mask)

    def _maps(self, examples: Sequence[Example], generator: random.Random) -> Tensor:
        paths = [example.media for example in examples]
        return torch.stack([self.features.get(path, generator.randrange(VIEWS)) for path in paths if path])

    def _subwords(self, example: Example, generator: random.Random) -> Subwords:
        if example.question is None:
            return self.tokenizer.encode(example.words)
        question = example.question
        # Data sets write questions bare; people write "What is this?".
        if generator.random() < 0.5:
            question = question[:1].upper() + question[1:].rstrip(" ?") + "?"
        return self.tokenizer.encode(question.split())

    def _target(self, example: Example) -> list[int]:
        output = TASKS[example.task].output
        if output == "text":
            return self.tokenizer.encode_output(plain_caption(example.answer))
        ids = self.vocabularies[example.task]
        return [ids[tag] for tag in example.tags] if output == "tags" else [ids[example.answer]]


def plain_caption(caption: str) -> str:
    """A caption without its final full stop and the space before commas that tokenisation left."""
    return caption.strip().rstrip(" .").replace(" ,", ",").replace(" 's", "'s")


def stream(examples: Sequence[Example], size: int, encoder: Encoder, seed: int, start: int = 0) -> Iterator[Batch]:
    """Batches for ever, from number ``start`` on; every example once an epoch, neighbours in length together."""
    per_epoch = -(-len(examples) // size)
    epoch, first = divmod(start, per_epoch)
    while True:
        for i, members in enumerate(_epoch(examples, size, random.Random(f"{seed}:{epoch}"))):
            if i >= first:
                yield encoder.batch(members, random.Random(f"{seed}:{epoch}:{i}"))
        epoch, first = epoch + 1, 0


def _epoch(examples: Sequence[Example], size: int, generator: random.Random) -> list[list[Example]]:
    order = list(examples)
    generator.shuffle(order)
    batches = []
    for start in range(0, len(order), size * POOL):
        pool = sorted(order[start : start + size * POOL], key=_length)
        batches += [pool[i : i + size] for i in range(0, len(pool), size)]
    generator.shuffle(batches)
    return batches


def _length(example: Example) -> int:
    """Of what is padded; labels are not, and sorting by them would fill batches with one class."""
    return sum(map(len, example.words)) or (len(example.answer) if example.captions else len(example.question or ""))


def spread_captions(examples: Sequence[Example]) -> list[Example]:
    """One example for each caption of a picture."""
    return [
        Example(e.task, e.image, e.video, answer=caption, captions=e.captions)
        for e in examples
        for caption in e.captions
    ]
