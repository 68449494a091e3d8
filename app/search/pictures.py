"""What the model says of pictures that are added to an index, and the vectors of searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from omninet.app.search.entries import Entry, Identity, NewEntry, ReadWord, Vector, digest_of, id_of
from omninet.app.search.thumbnails import thumbnail_of
from omninet.model.media.images import Picture, decode_image
from omninet.model.outputs.embedding.exits import EXITS
from omninet.model.uses import not_in_checkpoint

if TYPE_CHECKING:
    from omninet.model.job import Job
    from omninet.model.predictor import Predictor
    from omninet.model.rows import Prepared

EMBED, CAPTION, MATCH, ENTITIES, READ = "embed", "caption", "match", "entities", "read_scene"
READ_OPTIONS = {"least": 0.02}  # also unlikely words are kept, since searches rank them by their probability


@dataclass(frozen=True)
class NewPicture:
    """A picture to add to an index.

    Attributes:
        picture: as decoded.
        digest: of its file.
        name: id of the entry; empty makes one from the content.
        reads: whether the words that are written in it are read.
        words: that are known to be written in it.
    """

    picture: Picture
    digest: str
    source: str = ""
    name: str = ""
    text: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reads: bool = False
    words: tuple[ReadWord, ...] = ()


def words_read(answer: Any) -> tuple[ReadWord, ...]:
    """Return the words of an answer of the task READ."""
    return tuple(ReadWord(word.text, word.probability, tuple(word.relative)) for word in answer.words)


def picture_of(data: bytes, source: str, reads: bool = False) -> NewPicture:
    """Decode a file.

    Raises:
        InputError: it is no picture, or cannot be used.
    """
    return NewPicture(decode_image(data), digest_of(data), source, reads=reads)


class PictureReader:
    """Makes entries of pictures, and vectors of searches, with a model in this process.

    Raises:
        InputError: ``task_not_in_checkpoint``: the model does not embed.
    """

    def __init__(self, predictor: Predictor) -> None:
        if EMBED not in predictor.tasks:
            raise not_in_checkpoint([EMBED], predictor.tasks)
        self._predictor = predictor
        self._has_captions = CAPTION in predictor.tasks
        self._has_entities = ENTITIES in predictor.tasks

    @cached_property
    def identity(self) -> Identity:
        """What the vectors are of."""
        width = len(self.vector_of(EXITS[0], text="a"))
        return Identity(self._predictor.digest, tuple(reversed(EXITS)), width)

    def read(self, pictures: Sequence[NewPicture]) -> list[NewEntry]:
        """Make an entry of each picture; all are read in one batch, each once by the backbone."""
        jobs = [job for picture in pictures for job in self._jobs(picture.picture)]
        decoded = self._predictor.run([row for job in jobs for row in job.rows])
        answers = [self._predictor.finish(job, [row]) for job, row in zip(jobs, decoded, strict=True)]
        each = len(jobs) // max(1, len(pictures))
        return [self._entry(picture, answers[i * each : (i + 1) * each]) for i, picture in enumerate(pictures)]

    def vector_of(self, exit_name: str, **given: Any) -> Vector:
        """Return the vector of a text (``text=``) or a picture (``image=``), at an exit.

        Raises:
            InputError: the input or the exit cannot be used.
        """
        answer: Any = self._predictor.predict(EMBED, exit=exit_name, **given)
        return np.asarray(answer.vector, np.float32)

    def match(self, thumbnails: Sequence[bytes], text: str) -> list[float]:
        """Return the log-odds that each picture fits a text (second stage).

        Raises:
            InputError: ``task_not_in_checkpoint``: the model does not match.
        """
        jobs = [self._predictor.prepare(MATCH, image=thumbnail, text=text) for thumbnail in thumbnails]
        decoded = self._predictor.run([row for job in jobs for row in job.rows])
        answers: list[Any] = [self._predictor.finish(job, [row]) for job, row in zip(jobs, decoded, strict=True)]
        return [answer.score for answer in answers]

    def _jobs(self, picture: Picture) -> list[Job]:
        """Return the requests about a picture: its vector at each exit, and a caption if the model writes any.

        In place of the pixels they have the features of the backbone, which are computed once.
        """
        jobs = [self._predictor.prepare(EMBED, image=picture, exit=name) for name in self.identity.exits]
        jobs += [self._predictor.prepare(CAPTION, image=picture, beams=1)] if self._has_captions else []
        shown = _input_of(jobs[0])
        features = self._predictor.see(shown.value, shown.peripheral)
        return [_with_value(job, features) for job in jobs]

    def _entry(self, picture: NewPicture, answers: Sequence[Any]) -> NewEntry:
        vectors = {
            name: np.asarray(answer.vector, np.float32)
            for name, answer in zip(self.identity.exits, answers, strict=False)
        }
        entry = Entry(
            picture.name or id_of(picture.digest),
            picture.digest,
            picture.source,
            answers[-1].caption if self._has_captions else "",
            picture.text,
            self._names_in(picture.text),
            picture.metadata,
            self._words_in(picture.picture) if picture.reads else picture.words,
        )
        return NewEntry(entry, vectors, thumbnail_of(picture.picture))

    def _words_in(self, picture: Picture) -> tuple[ReadWord, ...]:
        """Return the words that are written in a picture.

        Raises:
            InputError: ``task_not_in_checkpoint``: the model does not read.
        """
        return words_read(self._predictor.predict(READ, image=picture, **READ_OPTIONS))

    def _names_in(self, text: str) -> tuple[str, ...]:
        """Return the entities of a text; none if the model does not find any."""
        if not (self._has_entities and text.strip()):
            return ()
        answer: Any = self._predictor.predict(ENTITIES, text=text)
        names: tuple[str, ...] = answer.names
        return names


def _input_of(job: Job) -> Prepared:
    """Return the one input of a request with one row."""
    ((given,),) = (row.inputs for row in job.rows)
    return given


def _with_value(job: Job, value: Any) -> Job:
    """Return a request with another value of its one input."""
    (row,) = job.rows
    return replace(job, rows=(replace(row, inputs=(_input_of(job)._replace(value=value),)),))
