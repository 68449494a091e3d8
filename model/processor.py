"""What surrounds the network: raw input to rows of tensors, class ids to words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from PIL import Image
from torch import Tensor

from model.answers import Answer, Candidate, Caption, Label, Piece, TaggedWord, Tagging, Text
from model.checkpoint import ModelConfig
from model.decoding import Decoded, Explain, Goal, Hypothesis, TextOptions, text_goal
from model.errors import InputError
from model.explaining import Explanation, Framed
from model.media import Clip, MediaLimits, Picture, decode_image, decode_video, image_to_tensor
from model.peripherals.language import Subwords
from model.pictures import fit
from model.rows import Row
from model.tasks import TASKS
from model.text import Tokenizer
from model.words import Word, check_text, given_words, split_text

ImageInput = Picture | bytes | str | Path | Image.Image | np.ndarray
VideoInput = Clip | bytes | str | Path
MOST_NUMBERS = 2**20  # of one explanation; as JSON they are ten megabytes


@dataclass(frozen=True, eq=False)
class Job:
    """A request, prepared: one row, or one for each sentence.

    Attributes:
        times: of a video's frames, in seconds from its start.
        words: of a question, as the network takes them.
    """

    task: str
    rows: tuple[Row, ...]
    sentences: tuple[tuple[Word, ...], ...] = ()
    notes: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    words: tuple[str, ...] = ()


class Processor:
    """Prepares requests for a network and puts its outputs into words, from any thread.

    It has no weights, and may be where the network is not: it can be pickled.

    Args:
        vocabularies: as in Checkpoint.
    """

    def __init__(
        self,
        config: ModelConfig,
        tokenizer: Tokenizer,
        vocabularies: Mapping[str, tuple[str, ...]],
        limits: MediaLimits,
    ) -> None:
        self.config, self.tokenizer, self.vocabularies, self.limits = config, tokenizer, vocabularies, limits
        self.name, self.version = config.name, config.version
        self.vision = config.network.peripherals["vision"]
        self.max_length = config.network.cnp.max_length

    def prepare(
        self,
        task: str,
        *,
        image: ImageInput | None = None,
        video: VideoInput | None = None,
        text: str | list[str] | None = None,
        tokens: list[str] | list[list[str]] | None = None,
        question: str | None = None,
        explain: Explain | None = None,
        **options: Unpack[TextOptions],
    ) -> Job:
        """Decode, resize and tokenise; the model is not called.

        Args:
            task: name in TASKS; video captioning is ``caption`` with a video, video QA ``vqa`` with one.
            image: bytes, a path, a PIL image, or RGB uint8 (height, width, 3).
            video: bytes or a path.
            text: for ``pos``; each string may hold several sentences.
            tokens: for ``pos``; sentences that are already split into words.
            explain: whether the answer is to say what it attended to, ``mean`` or ``layers``; of what is seen alone.
            options: of a text that is written, for ``caption``.

        Raises:
            InputError: an input that is missing, unexpected or cannot be used.
        """
        if task not in TASKS or task not in self.config.network.tasks:
            raise InputError("unknown_task", f"there is no task {task!r}; there are {', '.join(self.tasks)}", task=task)
        given = [name for name, value in options.items() if value is not None]
        if given and TASKS[task].output != "text":
            raise InputError("unexpected_input", f"task {task} takes no {given[0]}", input=given[0])
        if TASKS[task].output == "tags":
            unwanted = {"image": image, "video": video, "question": question, "explain": explain}
            _expect(task, {"text": text, "tokens": tokens}, **unwanted)
            return self._prepare_tags(task, text, tokens)
        _expect(task, {"image": image, "video": video}, text=text, tokens=tokens)
        frames, times, notes = self._frames(image, video)
        inputs: list[tuple[str, Any]] = [("vision", frames)]
        words: tuple[str, ...] = ()
        if "language" in TASKS[task].inputs:
            inputs.append(("language", self._question(question)))
            words = self._words(question or "", inputs[1][1])
        elif question is not None:
            raise InputError("unexpected_input", f"task {task} takes no question", input="question")
        goal = replace(self._goal(task, options), explain=explain)
        return Job(task, (Row(tuple(inputs), goal),), notes=notes, times=times, words=words)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks that this checkpoint has."""
        return [name for name in TASKS if name in self.config.network.tasks]

    def finish(self, job: Job, decoded: Sequence[Decoded]) -> Answer:
        """Class ids to words."""
        output = TASKS[job.task].output
        if output == "tags":
            return self._tagging(job, decoded)
        if output == "label":
            names = self.vocabularies[job.task]
            found = tuple(Candidate(names[i], math.exp(value)) for i, value in decoded[0].candidates)
            explanation = self._explanation(job, decoded[0], [found[0].label])
            return Label(found[0].label, found, job.notes, explanation)
        return self._caption(job, decoded[0])

    def _explanation(self, job: Job, row: Decoded, outputs: Sequence[str]) -> Explanation | None:
        if row.attention is None:
            return None
        frames = len(job.rows[0].inputs[0][1])
        words = job.words[: row.attention.temporal.shape[-1] - frames]
        framing = self.vision.video if job.times else self.vision.image
        framed = Framed(framing.treatment, self.vision.size / (framing.side or self.vision.size), framing.window)
        found = Explanation(tuple(outputs), frames, job.times, words, framed, row.attention)
        if found.numbers > MOST_NUMBERS:
            raise InputError(
                "explanation_too_large",
                f"every layer and head makes {found.numbers} numbers; at most {MOST_NUMBERS} are sent: ask for fewer "
                "subwords with max_length, or for the mean",
                limit=MOST_NUMBERS,
            )
        return found

    def _words(self, question: str, subwords: Subwords) -> tuple[str, ...]:
        """Of a question, one for each of its steps."""
        if self.config.network.peripherals["language"].step == "word":
            return (*question.split(), "")
        return tuple(self.tokenizer.pieces(subwords.tokens.tolist()))

    def _frames(
        self, image: ImageInput | None, video: VideoInput | None
    ) -> tuple[Tensor, tuple[float, ...], tuple[str, ...]]:
        """Squares for the backbone (t, 3, size, size), their times, and what the user must know of them."""
        if video is not None:
            clip = video if isinstance(video, Clip) else self._clip(_read(video))
            note = "the video is damaged or cut short: only its readable part was used"
            frames = clip.frames if clip.fitted else fit(clip.frames, self.vision.video, self.vision.size)
            return frames, clip.times, (note,) if clip.truncated else ()
        picture = self._picture(image)
        note = "the image is cut short: its missing part is grey"
        frames = picture.pixels[None]
        frames = frames if picture.fitted else fit(frames, self.vision.image, self.vision.size)
        return frames, (), (note,) if picture.truncated else ()

    def _clip(self, data: bytes) -> Clip:
        return decode_video(data, self.vision.frames, self.limits, self.vision.sampling)

    def _picture(self, image: ImageInput | None) -> Picture:
        if isinstance(image, Picture):
            return image
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                raise InputError(
                    "bad_array", f"an image array must be uint8 (height, width, 3), not {image.dtype} {image.shape}"
                )
            image = Image.fromarray(image)
        if isinstance(image, Image.Image):
            return Picture(image_to_tensor(image))
        assert image is not None
        return decode_image(_read(image), self.limits)

    def _question(self, question: str | None) -> Subwords:
        if question is None:
            raise InputError("missing_input", "this task needs a question", input="question")
        if not question.strip():
            raise InputError("empty_question", "the question is empty; ask something about what is seen")
        check_text([question])
        return self._subwords(question.split(), "question_too_long", "the question")

    def _subwords(self, words: list[str], code: str, what: str) -> Subwords:
        encoded = self.tokenizer.encode(words)
        if len(encoded.tokens) > self.max_length:
            raise InputError(
                code,
                f"{what} has {len(encoded.tokens)} subwords; at most {self.max_length} are accepted",
                subwords=len(encoded.tokens),
                limit=self.max_length,
            )
        return encoded

    def _goal(self, task: str, options: TextOptions) -> Goal:
        if TASKS[task].output != "text":
            return Goal(task, 1)
        return text_goal(task, self.tokenizer.end, self.config.text_steps, self.config.beams, options)

    def _prepare_tags(self, task: str, text: str | list[str] | None, tokens: Any) -> Job:
        sentences = given_words(tokens) if tokens is not None else split_text(text)
        rows = []
        for words in sentences:
            encoded = self._subwords([word.text for word in words], "text_too_long", "a sentence of the text")
            rows.append(Row((("language", encoded),), Goal(task, len(words))))
        return Job(task, tuple(rows), tuple(sentences))

    def _tagging(self, job: Job, decoded: Sequence[Decoded]) -> Tagging:
        names = self.vocabularies[job.task]
        tagged = [
            tuple(
                TaggedWord(word.text, word.start, word.end, names[tag], math.exp(value))
                for word, tag, value in zip(words, row.tokens, row.log_probabilities, strict=True)
            )
            for words, row in zip(job.sentences, decoded, strict=True)
        ]
        return Tagging(tuple(tagged), job.notes)

    def _caption(self, job: Job, row: Decoded) -> Caption:
        found = Hypothesis(tuple(row.tokens), tuple(row.log_probabilities))
        best, *others = (self.text_of(each) for each in (found, *row.others))
        ended = found.tokens[-1] == self.tokenizer.end
        notes = job.notes if ended else (*job.notes, f"the text was cut at {len(best.tokens)} subwords")
        explanation = self._explanation(job, row, [piece.text for piece in best.tokens])
        return Caption(best.caption, best.log_probability, best.tokens, notes, tuple(others), explanation)

    def text_of(self, found: Hypothesis) -> Text:
        """What subwords say, without the end."""
        ids = [token for token in found.tokens if token != self.tokenizer.end]
        texts = self.tokenizer.pieces(ids)
        pieces = tuple(Piece(t, math.exp(v)) for t, v in zip(texts, found.log_probabilities, strict=False))
        return Text("".join(texts), found.total, pieces)


def _expect(task: str, either: dict[str, Any], **unwanted: Any) -> None:
    """Hold that exactly one of ``either`` is given, and nothing of ``unwanted``."""
    given = [name for name, value in either.items() if value is not None]
    if not given:
        raise InputError("missing_input", f"task {task} needs {' or '.join(either)}", input=next(iter(either)))
    if len(given) > 1:
        raise InputError("unexpected_input", f"task {task} takes {' or '.join(given)}, not both", input=given[1])
    for name, value in unwanted.items():
        if value is not None:
            raise InputError("unexpected_input", f"task {task} takes no {name}", input=name)


def _read(source: bytes | str | Path) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise InputError("unreadable_file", f"{source} cannot be read: {error.strerror}") from error
