"""Scene output: the words in a picture are found first, then each is read by another task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.decoding.options import Option, check_number
from omninet.model.errors import ConfigError
from omninet.model.media.images import Picture
from omninet.model.modalities.page.config import CELL
from omninet.model.modalities.page.modality import PageModality, notes_of
from omninet.model.modalities.page.tiles import Tile
from omninet.model.outputs.base import Metrics, Output
from omninet.model.outputs.scene.answer import PlacedWord, Point, ReadScene
from omninet.model.outputs.scene.box import WordBox, holding, in_reading_order, without_repeats
from omninet.model.outputs.scene.cells import boxes_of
from omninet.model.outputs.scene.crops import crops_of
from omninet.model.outputs.scene.schema import SceneBody
from omninet.model.outputs.scene.scores import spotting_scores
from omninet.model.outputs.scene.truth import WrittenWord
from omninet.model.outputs.truth import Truth
from omninet.model.rows import Prepared, Row

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.modalities.language.tokenizer import Tokenizer
    from omninet.model.outputs.head import Head
    from omninet.model.processor import Given, Processor
    from omninet.model.tasks import Task

MOST_WORDS = 150  # of a picture that are read, the likeliest first
LEAST = 0.1  # probability of a word that is answered; chosen on dev scenes
AT_EDGE = 0.1  # heights from the edge of a tile within which a word may be cut off there


@dataclass(frozen=True, eq=False)
class Page:
    """A picture in which words are sought."""

    picture: Picture
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class FoundWords:
    """Words that were found, which the rows of a job read.

    Attributes:
        boxes: in pixels of the picture as displayed.
        size: its width and height.
        least: probability of a word that is answered.
    """

    boxes: tuple[WordBox, ...]
    size: tuple[int, int]
    least: float


@dataclass(frozen=True)
class SceneGoal(Goal):
    """The settings of a row that finds words.

    Attributes:
        least: probability of a word that is answered.
    """

    least: float = LEAST


class SceneOutput(Output):
    """Answers with the words of a picture; ``truth`` has WrittenWords.

    The first rows are the tiles of the picture, of which the head says where words are; the rows that continue are the
    words, which the task ``then`` reads.
    """

    answers = ReadScene
    reads = "cells"
    has_vocabulary: ClassVar[bool] = False
    explains: ClassVar[bool] = False
    counted: ClassVar[str] = "numbers"
    options: ClassVar[Mapping[str, Option]] = {
        "least": Option(float, 0, 1, f"The least probability of a word that is answered; the default is {LEAST}.")
    }

    @staticmethod
    def head() -> type[Head]:
        """Import and return SceneHead."""
        from omninet.model.outputs.scene.head import SceneHead

        return SceneHead

    def goal(self, task: Task, processor: Processor, options: Mapping[str, Any]) -> SceneGoal:  # noqa: ARG002
        """Return the goal of a tile.

        Raises:
            InputError: ``bad_option``: the least probability is out of range.
        """
        least = options.get("least", LEAST)
        check_number("least", least, self.options["least"])
        return SceneGoal(task.name, 1, reads=self.reads, least=least)

    def prepare(self, processor: Processor, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Prepare a row for each tile of the picture."""
        (seen,) = given
        modality = processor.modalities[seen.input.peripheral]
        if not isinstance(modality, PageModality):
            raise ConfigError(f"task {task.name}: its input {seen.input.role} must be a page")
        picture = modality.picture(seen.value, processor.limits)
        tiles = modality.tiles(picture)
        rows = [Row((Prepared(seen.input.peripheral, seen.input.domain, tile.pixels),), goal) for tile in tiles]
        job = processor.job(task, rows)
        return replace(job, notes=notes_of(picture), kept=Page(picture, tuple(tiles)))

    def continued(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> Job | None:
        """Return a job that reads the words that were found; None if there is none, or they have been read."""
        goal = job.rows[0].goal
        if not isinstance(job.kept, Page) or not isinstance(goal, SceneGoal):
            return None
        picture = job.kept.picture
        boxes = in_reading_order(_found(job.kept, decoded))
        if not boxes:
            return None
        reader = processor.task(processor.task(job.task).then)
        read = [processor.prepare(reader.name, image=crop) for crop in crops_of(picture.pixels, boxes)]
        scale = max(picture.full_size) / max(picture.pixels.shape[1:])
        found = FoundWords(tuple(box.moved(0, 0, scale) for box in boxes), picture.full_size, goal.least)
        return replace(job, rows=tuple(row for each in read for row in each.rows), kept=found)

    def build(self, processor: Processor, job: Job, decoded: Sequence[Decoded]) -> ReadScene:
        """Return the words that were read, with those that are hardly likely left out."""
        if not isinstance(job.kept, FoundWords):
            return ReadScene(words=(), notes=job.notes)
        reader = processor.task(job.task).then
        output = processor.output(reader)
        words = []
        for box, row in zip(job.kept.boxes, decoded, strict=True):
            text = output.line(output.build(processor, replace(job, task=reader, rows=job.rows[:1]), [row]))
            probability = box.probability * math.exp(sum(row.log_probabilities))
            if text and probability >= job.kept.least:
                words.append(_placed(text, box, job.kept.size, probability))
        return ReadScene(words=tuple(words), notes=job.notes)

    def target(self, truth: Truth, ids: Mapping[str, int], tokenizer: Tokenizer) -> list[float]:  # noqa: ARG002
        """Return NUMBERS of each word, in cells of a tile that shows the whole picture in its own size.

        One word without any extent, which cannot be read, stands for what a picture without words has to say.
        """
        return [value for word in truth.truth for value in _numbers(word)] + [0.0] * len(_numbers(NO_WORD))

    def line(self, answer: ReadScene) -> str:
        """Return the words."""
        return " ".join(word.text for word in answer.words) or "(nothing is written)"

    def text(self, answer: ReadScene) -> str:
        """Format each word with its point and probability, one per line."""
        lines = (f"{w.text}\t{w.point[0]:g}, {w.point[1]:g}\t{w.probability:.0%}" for w in answer.words)
        return "\n".join(lines) or "(nothing is written)"

    def schema(self, task: Task) -> type[BaseModel]:  # noqa: ARG002
        """Return the model of words with their places."""
        return SceneBody

    def metrics(self, truths: Sequence[Truth], answers: Sequence[ReadScene]) -> Metrics:
        """Compute how many words are found and read."""
        return spotting_scores([truth.truth for truth in truths], [answer.words for answer in answers])

    def constant(self, train: Sequence[Truth], truths: Sequence[Truth]) -> tuple[str, list[ReadScene]]:  # noqa: ARG002
        """Return that nothing is written."""
        return "nothing", [ReadScene(words=())] * len(truths)


NO_WORD = WrittenWord(((0.0, 0.0),) * 4, None)


def _found(page: Page, decoded: Sequence[Decoded]) -> list[WordBox]:
    """Return the words of all tiles in pixels of the picture that was cut into them, without repeats."""
    found: list[WordBox] = []
    for tile, row in zip(page.tiles, decoded, strict=True):
        assert row.values is not None
        boxes = (box.moved(0, 0, CELL / tile.scale) for box in boxes_of(row.values))
        found += [box.moved(tile.left, tile.top, 1) for box in boxes if _is_whole(box, tile, page.picture)]
    found = sorted(found, key=lambda box: -box.probability)[: 3 * MOST_WORDS]  # in several tiles there are repeats
    return [found[i] for i in without_repeats(found, holding(found))[:MOST_WORDS]]


def _is_whole(box: WordBox, tile: Tile, picture: Picture) -> bool:
    """Return whether a word begins and ends within a tile, and not where only the neighbouring tile shows its rest."""
    xs, ys = zip(*box.corners(-AT_EDGE), strict=True)
    high, wide = picture.pixels.shape[1:]
    inside = box.x < tile.part[0] and box.y < tile.part[1]
    left = min(xs) >= 0 or tile.left == 0
    right = max(xs) <= tile.part[0] or tile.left + tile.part[0] >= wide
    top = min(ys) >= 0 or tile.top == 0
    bottom = max(ys) <= tile.part[1] or tile.top + tile.part[1] >= high
    return inside and left and right and top and bottom


def _placed(text: str, box: WordBox, size: tuple[int, int], probability: float) -> PlacedWord:
    corners = box.corners()
    relative = tuple(_rounded((x / size[0], y / size[1]), 4) for x, y in corners)
    pixels = tuple(_rounded(corner, 1) for corner in corners)
    return PlacedWord(text, _rounded((box.x, box.y), 1), pixels, relative, round(probability, 4))


def _rounded(point: Point, digits: int) -> Point:
    return round(point[0], digits), round(point[1], digits)


def _numbers(word: WrittenWord) -> list[float]:
    box = WordBox.around(word.corners).moved(0, 0, 1 / CELL)
    return [box.x, box.y, box.wide, box.high, box.angle, float(word.text is not None)]
