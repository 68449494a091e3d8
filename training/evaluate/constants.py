"""The best constant answer of each task: what a network that ignores its input could reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from model.outputs.answer import Answer
from model.outputs.label.answer import Candidate, Label
from model.outputs.tags.answer import TaggedWord, Tagging
from model.outputs.text.answer import Caption
from model.outputs.text.bleu import best_constant
from training.data import Example

Constant = tuple[str, list[Answer]]


def _constant_caption(train: Sequence[Example], examples: Sequence[Example]) -> Constant:
    constant, _ = best_constant((c for e in train for c in e.captions), [e.captions for e in examples])
    return constant, [Caption(constant, 0.0, ())] * len(examples)


def _constant_label(train: Sequence[Example], examples: Sequence[Example]) -> Constant:
    """The five most common in training, in their order."""
    counts = Counter(e.answer for e in train).most_common(5)
    candidates = tuple(Candidate(name, count / len(train)) for name, count in counts)
    return candidates[0].label, [Label(candidates[0].label, candidates)] * len(examples)


def _constant_tag(train: Sequence[Example], examples: Sequence[Example]) -> Constant:
    tag, _ = Counter(tag for e in train for tag in e.tags).most_common(1)[0]
    sentences = [tuple(TaggedWord("", None, None, tag, 1.0) for _ in e.tags) for e in examples]
    return tag, [Tagging((words,)) for words in sentences]


CONSTANTS: dict[str, Callable[[Sequence[Example], Sequence[Example]], Constant]] = {
    "caption": _constant_caption,
    "pos": _constant_tag,
    "vqa": _constant_label,
    "activity": _constant_label,
}
