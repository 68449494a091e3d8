"""How good a checkpoint is on data it was not trained on, beside the best constant answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from model import checkpoint as checkpoints
from model.answers import Answer, Caption, Label, Tagging
from model.predictor import Job, Predictor
from training.config import RunConfig
from training.data import DATASETS, DataError, Example
from training.metrics.bleu import best_constant, bleu4

BATCH = 16
HEADING = "## Evaluation"


@dataclass(frozen=True)
class Measure:
    """One figure.

    Attributes:
        value, constant: of the network and of the best constant answer, in percent or BLEU points.
        count: examples measured.
    """

    task: str
    name: str
    value: float
    constant: float
    constant_answer: str
    count: int


def evaluate(predictor: Predictor, config: RunConfig, data: Path, limit: int | None = None) -> list[Measure]:
    """Measure every task of a run on its dev split, from raw files through serving's own path.

    Args:
        limit: examples a task at most; None takes all.
    """
    measures = []
    for name, run in config.tasks.items():
        dataset = DATASETS[run.dataset](data / run.folder)
        examples = list(dataset.read("dev"))[:limit]
        if not examples:
            raise DataError(f"{dataset.folder} holds no dev example")
        answers = answer_all(predictor, examples)
        measures.append(MEASURES[name](examples, answers, dataset.read("train")))
    return measures


def answer_all(predictor: Predictor, examples: Sequence[Example]) -> list[Answer]:
    """The answers to examples of one task, in their order."""
    answers: list[Answer] = []
    with tqdm(total=len(examples), desc=examples[0].task) as bar:
        for chunk in _chunks(examples):
            jobs = [_prepare(predictor, example) for example in chunk]
            decoded = predictor.run([row for job in jobs for row in job.rows])
            answers += [predictor.finish(job, [row]) for job, row in zip(jobs, decoded, strict=True)]
            bar.update(len(chunk))
    return answers


def _chunks(examples: Sequence[Example]) -> list[Sequence[Example]]:
    return [examples[i : i + BATCH] for i in range(0, len(examples), BATCH)]


def _prepare(predictor: Predictor, example: Example) -> Job:
    if example.words:
        return predictor.prepare(example.task, tokens=list(example.words))
    return predictor.prepare(example.task, image=example.image, video=example.video, question=example.question)


def _captions(examples: Sequence[Example], answers: Sequence[Answer], train: Sequence[Example]) -> Measure:
    references = [e.captions for e in examples]
    written = [a.caption for a in answers if isinstance(a, Caption)]
    constant, score = best_constant((c for e in train for c in e.captions), references)
    return Measure("caption", "BLEU-4", bleu4(written, references), score, constant, len(examples))


def _labels(examples: Sequence[Example], answers: Sequence[Answer], train: Sequence[Example]) -> Measure:
    """Exact answers; the constant is the most common answer in training."""
    right = sum(isinstance(a, Label) and a.label == e.answer for e, a in zip(examples, answers, strict=True))
    constant, _ = Counter(e.answer for e in train).most_common(1)[0]
    baseline = sum(e.answer == constant for e in examples)
    count = len(examples)
    return Measure(examples[0].task, "accuracy", 100 * right / count, 100 * baseline / count, constant, count)


def _tags(examples: Sequence[Example], answers: Sequence[Answer], train: Sequence[Example]) -> Measure:
    """Share of words with the right tag, decoded greedily; the constant is the most common tag in training."""
    pairs = [
        (tag, word.tag)
        for e, a in zip(examples, answers, strict=True)
        if isinstance(a, Tagging)
        for tag, word in zip(e.tags, a.sentences[0], strict=True)
    ]
    constant, _ = Counter(tag for e in train for tag in e.tags).most_common(1)[0]
    right, baseline = sum(gold == tag for gold, tag in pairs), sum(gold == constant for gold, _ in pairs)
    return Measure(
        "pos", "accuracy of words", 100 * right / len(pairs), 100 * baseline / len(pairs), constant, len(pairs)
    )


MEASURES = {"caption": _captions, "vqa": _labels, "activity": _labels, "pos": _tags}


def table(measures: Sequence[Measure]) -> str:
    """Markdown."""
    lines = ["| task | measure | network | best constant | the constant | examples |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {m.task} | {m.name} | {m.value:.1f} | {m.constant:.1f} | {m.constant_answer} | {m.count} |"
        for m in measures
    ]
    return "\n".join(lines) + "\n"


def write_to_card(folder: Path, measures: Sequence[Measure], command: str) -> None:
    """Put the figures and the command that gave them into the checkpoint's card."""
    section = f"{HEADING}\n\nOn the dev splits, by `{command}`:\n\n{table(measures)}"
    card = (folder / checkpoints.CARD).read_text(encoding="utf-8")
    pattern = re.compile(rf"{HEADING}\n.*?(?=\n## |\Z)", re.DOTALL)
    card = pattern.sub(lambda _: section, card) if pattern.search(card) else f"{card.rstrip()}\n\n{section}"
    checkpoints.replace_card(folder, card)
