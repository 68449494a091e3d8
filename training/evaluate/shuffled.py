"""Control experiment for activities: classify clips with their frames in another order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor
from tqdm import tqdm

from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.data.activities import FAMILY_FIGURE
from omninet.training.evaluate.answering import Answered, prepare
from omninet.training.evaluate.markdown import rows

SHUFFLES = 5


@dataclass(frozen=True)
class Order:
    """Accuracy for one order of the frames, in percent.

    Attributes:
        name: of the order.
        family: accuracy on clips of a family of similar classes, choosing only among these; None if the data set
            has no such family.
        count, family_count: clips.
    """

    name: str
    data: str
    top1: float
    family: float | None
    count: int
    family_count: int


def shuffled(predictor: Predictor, answered: Iterable[Answered]) -> tuple[Order, ...]:
    """Evaluate all data sets of clips whose task uses motion."""
    found: list[Order] = []
    for given in answered:
        if given.task.moves and given.examples[0].video:
            found += compare_orders(predictor, given.examples, given.data, given.dataset.family)
    return tuple(found)


def compare_orders(predictor: Predictor, examples: Sequence[Example], data: str, family: str) -> list[Order]:
    """Evaluate clips with their frames in several orders, and the best constant class.

    Args:
        family: prefix of the names of classes that differ only in their motion; empty if there are none.
    """
    classes = predictor.names_of(examples[0].task)
    scores = torch.stack([score_orders(predictor, e) for e in tqdm(examples, desc="frames in other orders")])
    members = [i for i, e in enumerate(examples) if family and e.answer.startswith(family)]
    kin = [i for i, name in enumerate(classes) if family and name.startswith(family)]
    wanted = [e.answer for e in examples]
    all_right = _right(scores, range(len(classes)), classes, wanted)
    kin_right = _right(scores[members], kin, classes, [wanted[i] for i in members]) if members and kin else None

    def order(name: str, columns: slice) -> Order:
        of_kin = None if kin_right is None else median(kin_right[columns])
        return Order(name, data, median(all_right[columns]), of_kin, len(examples), len(members))

    constant = _most_common([wanted[i] for i in members]) if kin_right else None
    return [
        order("as they are", slice(0, 1)),
        order("reversed", slice(1, 2)),
        order("the middle one, repeated", slice(2, 3)),
        order(f"shuffled, median of {SHUFFLES}", slice(3, None)),
        Order("always the most common class", data, _most_common(wanted), constant, len(examples), len(members)),
    ]


@torch.inference_mode()
def score_orders(predictor: Predictor, example: Example) -> Tensor:
    """Return the log-probabilities of a clip's classes for each order of its frames, (orders, classes).

    Each frame passes through the backbone once, since the backbone processes frames separately.
    """
    clip = prepare(predictor, example).rows[0].inputs[0]
    features = predictor.see(clip.value, clip.peripheral)
    name = example.media[0].name
    stacked = torch.stack([features[list(order)] for order in orders(clip.frames, name)])
    memory = predictor.network.encode([(clip.peripheral, clip.domain, stacked)])
    first = torch.zeros(len(stacked), 1, dtype=torch.long, device=predictor.device)
    return predictor.network.cnp.decode(memory, example.task, first)[:, 0].float().cpu()


def orders(count: int, name: str) -> list[Sequence[int]]:
    """Return the original order, the reverse, the middle frame repeated, and shuffles seeded by ``name``."""
    frames = range(count)
    shuffles = [random.Random(f"{seed}:{name}").sample(frames, count) for seed in range(SHUFFLES)]
    return [frames, frames[::-1], [count // 2] * count, *shuffles]


def _right(scores: Tensor, among: Sequence[int], classes: Sequence[str], wanted: Sequence[str]) -> list[float]:
    """Return the accuracy in percent for each order, choosing among some classes; scores (clips, orders, classes)."""
    best = scores[:, :, list(among)].argmax(-1)
    hits = [[classes[among[i]] == right for i in given] for given, right in zip(best.tolist(), wanted, strict=True)]
    return [100 * sum(column) / len(column) for column in zip(*hits, strict=True)]


def _most_common(wanted: Sequence[str]) -> float:
    return 100 * max(Counter(wanted).values()) / len(wanted)


def shuffled_table(found: Sequence[Order]) -> str:
    """Return a Markdown table with a row for each order."""
    cells = [
        (
            order.name,
            order.data,
            f"{order.top1:.1f}",
            str(order.count),
            "-" if order.family is None else f"{order.family:.1f}",
            str(order.family_count),
        )
        for order in found
    ]
    return rows(f"frames of clips | data | top-1 | clips | {FAMILY_FIGURE} | clips", cells)
