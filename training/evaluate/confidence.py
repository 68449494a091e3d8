"""Calibration of the confidence of answers: how to compute it from the evidence of an output, by dev data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omninet.model.confidence.confidence import Confidence, WordPresence, words_of
from omninet.model.outputs import Output
from omninet.model.predictor import Predictor
from omninet.training.config import RunConfig
from omninet.training.data import DataError, Example, thinned
from omninet.training.evaluate.absence import fit_absence
from omninet.training.evaluate.answering import BATCH, prepare
from omninet.training.evaluate.devsets import dev_examples
from omninet.training.evaluate.markdown import rows
from omninet.training.evaluate.nouns import Tagger
from omninet.training.evaluate.platt import platt
from omninet.training.evaluate.presence import fit_presence

HEADING = "## Confidence"
BINS = 10  # confidence bins of equal size
LEAST_THRESHOLD = 0.5
HELD = 0.45  # share of the wrong answers that should lie below the threshold
NOTE = """\
The field `confidence` of an answer is the calibrated probability that it is right; below the threshold answers are
wrong at least as often as right. An answer is right if the label is the true one; if every tag of a sentence is; if a
noun of the caption stands in a reference. The table is of every second dev example, with confidences fitted on the
others; the stored ones are fitted on all, by `{command}`.
Error: mean difference of confidence and share of right answers, in {bins} bins of equal size.
"""


class OneSidedError(DataError):
    """All answers are right, or all are wrong."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Answers to dev examples: evidence of each row of each answer, and whether each answer is right, (n,)."""

    evidence: Sequence[Sequence[float]]
    right: np.ndarray

    def every_second(self, start: int) -> Judged:
        """Return every second answer, from number ``start``."""
        return Judged(self.evidence[start::2], self.right[start::2])


@dataclass(frozen=True)
class ConfidenceReport:
    """Confidence of one task, and its quality on examples that it was not fitted on.

    Attributes:
        right: share of right answers.
        error: expected calibration error.
        below: share of the answers that lie below the threshold.
        wrong_below: share of wrong answers among those below the threshold.
        held: share of the wrong answers that lie below the threshold.
    """

    task: str
    confidence: Confidence
    count: int
    right: float
    error: float
    below: float
    wrong_below: float
    held: float


def fit_all(
    predictor: Predictor, config: RunConfig, data: Path, limit: int | None = None
) -> tuple[list[ConfidenceReport], dict[str, str]]:
    """Fit the confidence of every task of a run whose answers can be judged.

    Args:
        limit: maximum number of examples of each kind per task, evenly spaced; None uses all.

    Returns:
        Reports, and task -> reason for tasks that cannot be fitted.

    Raises:
        DataError: a data set is missing or empty.
    """
    tagger = Tagger(predictor)
    reports, left_out = [], {}
    for task in predictor.tasks:
        if task in config.tasks and _can_be_judged(predictor, task):
            try:
                reports.append(_fit_task(predictor, config, task, data, limit, tagger))
            except OneSidedError as error:
                left_out[task] = str(error)
    return reports, left_out


def _can_be_judged(predictor: Predictor, task: str) -> bool:
    """Whether there is a rule for right answers of a task, and its captions are English, whose nouns can be found."""
    judges = type(predictor.output(task)).is_right is not Output.is_right
    return judges and not (_describes_pictures(predictor, task) and predictor.task(task).tokenizer)


def _fit_task(
    predictor: Predictor, config: RunConfig, task: str, data: Path, limit: int | None, tagger: Tagger
) -> ConfidenceReport:
    presence = None
    if _describes_pictures(predictor, task):
        read = (source.data_set(data).read("train") for source in config.tasks[task].sources)
        presence = fit_presence(predictor, thinned([example for part in read for example in part], limit), tagger)
    return fit_confidence(predictor, dev_examples(config, task, data, limit), tagger, presence)


def _describes_pictures(predictor: Predictor, name: str) -> bool:
    """Whether a task generates a text from pictures alone."""
    output = predictor.output(name)
    cells = [predictor.modalities[given.peripheral].has_cells for given in predictor.task(name).inputs]
    return output.has_vocabulary and not output.named and all(cells)


def fit_confidence(
    predictor: Predictor, examples: Sequence[Example], tagger: Tagger, presence: WordPresence | None
) -> ConfidenceReport:
    """Fit the confidence of one task to dev examples.

    Args:
        tagger: finds the nouns of captions.
        presence: evidence of captions; None for other tasks.

    Raises:
        OneSidedError: all answers are right, or all are wrong.
    """
    task = examples[0].task
    absence = fit_absence(predictor, examples) if predictor.output(task).finds_nothing else None
    judged = judge(predictor, examples, tagger, Confidence(1.0, 0.0, LEAST_THRESHOLD, presence, absence))
    half = _fitted(task, judged.every_second(0), presence, absence)
    return _report(task, _fitted(task, judged, presence, absence), half, judged.every_second(1))


def judge(predictor: Predictor, examples: Sequence[Example], tagger: Tagger, first: Confidence) -> Judged:
    """Answer examples of one task and judge the answers; those without evidence are left out.

    Args:
        first: holds what the evidence and the answers depend on; its slope and offset are not used.
    """
    task, output = predictor.task(examples[0].task), predictor.output(examples[0].task)
    predictor.confidences[task.name] = first
    answers, evidence = [], []
    for start in range(0, len(examples), BATCH):
        jobs = [prepare(predictor, example) for example in examples[start : start + BATCH]]
        decoded = iter(predictor.run([row for job in jobs for row in job.rows]))
        for job in jobs:
            found = [next(decoded) for _ in job.rows]
            answers.append(predictor.finish(job, found))
            evidence.append([value for row in found if (value := output.evidence(predictor, task, row)) is not None])
    if first.presence is None:
        right = [output.is_right(example, answer) for example, answer in zip(examples, answers, strict=True)]
    else:
        nouns = tagger.nouns([output.line(answer) for answer in answers])
        right = [bool(named & _referred(e)) for named, e in zip(nouns, examples, strict=True)]
    kept = [i for i, values in enumerate(evidence) if values]
    return Judged([evidence[i] for i in kept], np.array([right[i] for i in kept], bool))


def _referred(example: Example) -> set[str]:
    return {word for caption in example.captions for word in words_of(caption)}


def _fitted(task: str, judged: Judged, presence: WordPresence | None, absence: Confidence | None = None) -> Confidence:
    if judged.right.all() or not judged.right.any():
        found = "right" if judged.right.all() else "wrong"
        raise OneSidedError(f"{task} has no confidence: it needs right and wrong answers, and all of these are {found}")
    # Answers of several rows are used for fitting by the row with the least evidence.
    slope, offset = platt(np.array([min(each) for each in judged.evidence]), judged.right)
    values = confidences(Confidence(slope, offset, 0.0), judged)
    return Confidence(slope, offset, threshold(values, judged.right), presence, absence)


def confidences(confidence: Confidence, judged: Judged) -> np.ndarray:
    """Return the confidence of each answer, (n,)."""
    return np.array([math.prod(map(confidence.of, each)) for each in judged.evidence])


def threshold(values: np.ndarray, right: np.ndarray) -> float:
    """Choose a threshold, a multiple of 0.001.

    It is the least one from 0.5 on below which HELD of the wrong answers lie; where less than half of the answers
    below that are wrong, the largest one below which at least half are.
    """
    candidates = [step / 1000 for step in range(1, 1001)]
    mostly_wrong = [t for t in candidates if (below := values < t).any() and (~right[below]).mean() >= 0.5]
    enough = [t for t in mostly_wrong if t >= LEAST_THRESHOLD and (values[~right] < t).mean() >= HELD]
    return min(enough) if enough else max(mostly_wrong, default=candidates[0])


def calibration_error(values: np.ndarray, right: np.ndarray) -> float:
    """Return the mean difference of confidence and share of right answers, in BINS bins of equal size."""
    parts = [part for part in np.array_split(np.argsort(values), BINS) if len(part)]
    return float(sum(abs(values[part].mean() - right[part].mean()) * len(part) for part in parts)) / len(values)


def _report(task: str, final: Confidence, half: Confidence, others: Judged) -> ConfidenceReport:
    values = confidences(half, others)
    below, wrong = values < half.threshold, ~others.right
    return ConfidenceReport(
        task,
        final,
        len(values),
        float(others.right.mean()),
        calibration_error(values, others.right),
        float(below.mean()),
        float(wrong[below].mean()) if below.any() else 0.0,
        float(below[wrong].mean()) if wrong.any() else 0.0,
    )


def section(reports: Sequence[ConfidenceReport], command: str) -> str:
    """Return the section of the model card, without its heading."""
    cells = [
        (
            report.task,
            f"{report.confidence.threshold:.3f}",
            *(f"{100 * share:.0f}%" for share in (report.right, report.below, report.wrong_below, report.held)),
            f"{100 * report.error:.1f}",
            f"{report.count:,}",
        )
        for report in reports
    ]
    heading = (
        "task | threshold | right | below the threshold | wrong of those below | of all wrong ones below"
        " | error | answers"
    )
    return f"{NOTE.format(command=command, bins=BINS)}\n{rows(heading, cells)}"
