"""Boxes output: where a phrase's thing is in a picture, or that it is absent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from omninet.model.confidence.confidence import Confidence, log_odds
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.options import Option
from omninet.model.outputs.base import Metrics, Output
from omninet.model.outputs.boxes.absence import rejection
from omninet.model.outputs.boxes.answer import PlacedBox, Places
from omninet.model.outputs.boxes.frame import inside, pixels, read_candidates, to_picture, to_square
from omninet.model.outputs.boxes.goal import BoxesGoal
from omninet.model.outputs.boxes.metrics import Box, grounding_metrics, is_found
from omninet.model.outputs.boxes.schema import PlacesBody
from omninet.model.outputs.boxes.tokens import CLASSES, LENGTH, MOST_BOXES, BoxGrammar, boxes_of, names_of
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.outputs.head import Head
    from omninet.model.processor import Given, Processor
    from omninet.model.tasks import Task

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
UNCALIBRATED = Confidence(slope=1.0, offset=0.0, threshold=0.5)


class BoxesOutput(Output):
    """Answers with boxes in pixels of the picture as displayed; ``truth`` has fractions of the picture."""

    answers = Places
    counted: ClassVar[str] = "coordinates"
    fixed: ClassVar[tuple[str, ...]] = CLASSES
    finds_nothing: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Option]] = {
        "candidates": Option(
            list[list[float]],
            None,
            None,
            "Boxes to choose among, in pixels of the picture as displayed; the answer has the probability of each.",
            shape="a list of boxes, each of four numbers x1, y1, x2, y2",
        )
    }

    @staticmethod
    def head() -> type[Head]:
        """Import and return the class of the head."""
        from omninet.model.outputs.boxes.head import BoxesHead

        return BoxesHead

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> BoxesGoal:
        """Return the goal of a sequence of boxes.

        Raises:
            InputError: ``bad_option``: the candidates are no boxes.
        """
        given = options.get("candidates")
        candidates = () if given is None else read_candidates(given)
        ids = _ids(processor, task.name)
        steps, grammar = MOST_BOXES * LENGTH + 1, BoxGrammar(ids)
        return BoxesGoal(task.name, steps, ids[-1], grammar=grammar, medians=True, candidates=candidates)

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Prepare one row; with candidates it scores them in place of a search.

        Raises:
            InputError: ``bad_option``: a candidate is outside of the picture.
        """
        job = processor.one_row(task, given, goal)
        assert isinstance(goal, BoxesGoal)
        assert job.framed is not None
        if not goal.candidates:
            return job
        ids = dict(zip(CLASSES, _ids(processor, task.name), strict=True))
        squares = [to_square(box, job.framed) for box in inside(goal.candidates, job.framed)]
        sequences = [tuple(ids[name] for name in names_of([square])[:-1]) for square in squares]
        scored = replace(goal, steps=LENGTH, best=len(sequences), given=tuple(sequences))
        return replace(job, rows=(replace(job.rows[0], goal=scored),))

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Places:
        """Return the boxes that were found, or the candidates, the likeliest first; none if the thing is absent."""
        (row,), goal = decoded, job.rows[0].goal
        assert isinstance(goal, BoxesGoal)
        assert job.framed is not None
        names = processor.names_of(job.task)
        if goal.candidates:
            boxes = list(zip(inside(goal.candidates, job.framed), _shares(row), strict=True))
        else:
            boxes = [] if self._says_absent(processor, job.task, row) else self._found(processor, job, row)
        absent = _absence(processor, job.task).of(self.absence(row))
        placed = [PlacedBox(pixels(box, job.framed), box, probability) for box, probability in boxes]
        placed.sort(key=lambda box: -box.probability)
        explanation = processor.explanation(job, row, [names[token] for token in row.tokens])
        return Places(boxes=tuple(placed), absent_probability=absent, notes=job.notes, explanation=explanation)

    def _found(self, processor: Processor, job: Job, row: Decoded) -> list[tuple[Box, float]]:
        """Return the decoded boxes as fractions of the picture, with the probability of each."""
        assert job.framed is not None
        calibrated = processor.confidences.get(job.task)
        names = processor.names_of(job.task)
        found = []
        for start, square in boxes_of([names[token] for token in row.tokens]):
            total = sum(row.log_probabilities[start : start + LENGTH])
            probability = math.exp(total / LENGTH) if calibrated is None else calibrated.of(total)
            found.append((to_picture(square, job.framed), probability))
        return found

    def evidence(self, processor: Processor, task: Task, row: Decoded) -> float | None:
        """Return the log-probability of the first box; None if the thing is absent, or candidates were given."""
        if row.others or self._says_absent(processor, task.name, row):
            return None
        return sum(row.log_probabilities[:LENGTH])

    def absence(self, row: Decoded) -> float:
        """Return the log-odds that there is no box."""
        return -log_odds(row.log_probabilities[0])

    def is_absent(self, truth: Truth) -> bool:
        """Return whether there is no box."""
        return not truth.truth

    def _says_absent(self, processor: Processor, task: str, row: Decoded) -> bool:
        absence = _absence(processor, task)
        return absence.of(self.absence(row)) > absence.threshold

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the model of boxes."""
        return PlacesBody

    def is_right(self, truth: Truth, answer: Places) -> bool:
        """Return whether the first box has an IoU of at least 0.5 with a true one, or the thing is absent as said."""
        return is_found(truth.truth, [answer.boxes[0].relative]) if answer.boxes else not truth.truth

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[int]:  # noqa: ARG002
        """Return the class ids of the boxes; pictures of training are squashed, so that they are fractions of both."""
        return [ids[name] for name in names_of(truth.truth)]

    def classes(self, truth: Truth) -> tuple[()]:  # noqa: ARG002
        """Return nothing: the classes are ``fixed``."""
        return ()

    def line(self, answer: Places) -> str:
        """Return the boxes in pixels, or that there is none."""
        boxes = (f"{', '.join(f'{value:g}' for value in box.box)} ({box.probability:.0%})" for box in answer.boxes)
        return "; ".join(boxes) or f"absent ({answer.absent_probability:.0%})"

    def metrics(self, truths: Sequence[Truth], answers: Sequence[Places]) -> Metrics:
        """Compute the accuracy of phrases with one true box and of all phrases, and the rejection of absent ones."""
        pairs = [(truth.truth, answer) for truth, answer in zip(truths, answers, strict=True)]
        present = [(boxes, answer) for boxes, answer in pairs if boxes]
        absent = [answer.absent_probability for boxes, answer in pairs if not boxes]
        one = [(boxes, answer) for boxes, answer in present if len(boxes) == 1] or present
        found = _accuracy(one) if one else {}
        if present and len(one) < len(present):
            found |= {f"all phrases: {name}": value for name, value in _accuracy(present).items()}
        if present and absent:
            found["absent phrases rejected at 90% kept"] = rejection(
                [1 - answer.absent_probability for _, answer in present], [1 - value for value in absent]
            )
        return found

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[Places]]:  # noqa: ARG002
        """Return the whole picture."""
        return "the whole picture", [Places(boxes=(PlacedBox(WHOLE, WHOLE, 1.0),), absent_probability=0.0)] * len(
            truths
        )

    def probability(self, answer: Places) -> float:
        """Return the probability of the first box, or of absence."""
        return answer.boxes[0].probability if answer.boxes else answer.absent_probability


def _ids(processor: Processor, task: str) -> tuple[int, ...]:
    """Return the id of each of CLASSES."""
    numbers = {name: i for i, name in enumerate(processor.names_of(task))}
    return tuple(numbers[name] for name in CLASSES)


def _shares(row: Decoded) -> list[float]:
    """Return the share of each candidate in their total probability."""
    scored = [row.log_probabilities, *(other.log_probabilities for other in row.others)]
    totals = [sum(values[1:]) for values in scored]
    weights = [math.exp(total - max(totals)) for total in totals]
    return [weight / sum(weights) for weight in weights]


def _absence(processor: Processor, task: str) -> Confidence:
    """Return how the probability of absence is computed, and above which threshold nothing is answered."""
    calibrated = processor.confidences.get(task)
    return calibrated.absence if calibrated and calibrated.absence else UNCALIBRATED


def _accuracy(pairs: Sequence[tuple[Sequence[Box], Places]]) -> Metrics:
    given = [[box.relative for box in answer.boxes] for _, answer in pairs]
    return grounding_metrics([boxes for boxes, _ in pairs], given)
