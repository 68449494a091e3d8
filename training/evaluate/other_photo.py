"""Control experiment for visual questions: ask each question about a wrong photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from omninet.model.outputs.answer import Answer
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate.answering import answer_all


def answer_about_others(predictor: Predictor, examples: Sequence[Example]) -> list[Answer]:
    """Answer each question about another photo or clip; empty if the examples have only one."""
    swapped = swap_media(examples)
    return answer_all(predictor, swapped, title="other photos") if swapped else []


def swap_media(examples: Sequence[Example]) -> list[Example]:
    """Give each example another example's media: the one half the list further on."""
    media = list(dict.fromkeys(path for e in examples for path in e.media))
    if len(media) < 2:
        return []
    others = {path: media[(i + len(media) // 2) % len(media)] for i, path in enumerate(media)}
    return [replace(e, inputs={n: others.get(v, v) for n, v in e.inputs.items()}) for e in examples if e.media]
