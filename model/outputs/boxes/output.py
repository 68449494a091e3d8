"""Boxes output: where a phrase's thing is in a picture, or that it is absent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

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
from omninet.model.outputs.boxes.tokens import BOX, CLASSES, END, LENGTH, MOST_BOXES, BoxGrammar, boxes_of, names_of
from omninet.model.outputs.truth import Truth

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.outputs.head import Head
    from omninet.model.processor import Given, Processor
    from omninet.model.tasks import Task

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class BoxesOutput(Output):
    """Answers with boxes in pixels of the picture as displayed; ``truth`` has fractions of the picture."""

    answers = Places
    counted: ClassVar[str] = "coordinates"
    fixed: ClassVar[tuple[str, ...]] = CLASSES
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
        return BoxesGoal(task.name, MOST_BOXES * LENGTH + 1, ids[-1], grammar=BoxGrammar(ids), candidates=candidates)

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Prepare one row; with candidates it scores them, and that there is no box, in place of a search.

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
        scored = replace(goal, steps=LENGTH, best=len(sequences) + 1, given=(*sequences, (ids[END],)))
        return replace(job, rows=(replace(job.rows[0], goal=scored),))

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Places:
        """Return the boxes that were found, or the candidates, the likeliest first."""
        (row,), goal = decoded, job.rows[0].goal
        assert isinstance(goal, BoxesGoal)
        assert job.framed is not None
        names = processor.names_of(job.task)
        if goal.candidates:
            relative = inside(goal.candidates, job.framed)
            boxes = list(zip(relative, _shares(row), strict=True))
            absent = _absent(row.log_probabilities[0], _last(row))
        else:
            boxes, absent = self._found(processor, job, row), _absent_of(row, names)
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
            total = sum(row.log_probabilities[start + 1 : start + LENGTH])
            probability = math.exp(total / (LENGTH - 1)) if calibrated is None else calibrated.of(total)
            found.append((to_picture(square, job.framed), probability))
        return found

    def evidence(self, processor: Processor, task: Task, row: Decoded) -> float:  # noqa: ARG002
        """Return the log-probability of the coordinates of the first box, or of the end if there is none."""
        return sum(row.log_probabilities[1:LENGTH]) if len(row.tokens) > 1 else row.log_probabilities[0]

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
    """Return the share of each candidate in their total probability; the last sequence is the end alone."""
    scored = [row.log_probabilities, *(other.log_probabilities for other in row.others[:-1])]
    totals = [sum(values[1:]) for values in scored]
    weights = [math.exp(total - max(totals)) for total in totals]
    return [weight / sum(weights) for weight in weights]


def _last(row: Decoded) -> float:
    return row.others[-1].log_probabilities[0]


def _absent_of(row: Decoded, names: Sequence[str]) -> float:
    """Return the probability of no box: the grammar leaves only two classes at the first step."""
    first = {names[i]: value for i, value in row.candidates}
    return _absent(first[BOX], first[END])


def _absent(box: float, end: float) -> float:
    """Return the probability of the end, given log-probabilities of a box and of the end."""
    return 1 / (1 + math.exp(min(box - end, 700)))


def _accuracy(pairs: Sequence[tuple[Sequence[Box], Places]]) -> Metrics:
    given = [[box.relative for box in answer.boxes] for _, answer in pairs]
    return grounding_metrics([boxes for boxes, _ in pairs], given)
