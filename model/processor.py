"""What surrounds the network: raw input to rows of tensors, class ids to words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from PIL import Image
from torch import Tensor

from model.answers import Answer, Text
from model.checkpoint import ModelConfig
from model.decoding import Decoded, Explain, Goal, Hypothesis, TextOptions
from model.errors import InputError
from model.explaining import Explanation, Framed
from model.media import Clip, MediaLimits, Picture, decode_image, decode_video, image_to_tensor
from model.outputs import OUTPUTS
from model.outputs.text import written
from model.peripherals.language import LanguageConfig, Subwords
from model.peripherals.vision import VisionConfig
from model.pictures import fit
from model.rows import Prepared, Row
from model.tasks import TASKS, Input, Task
from model.text import Tokenizer
from model.words import Word, check_text, given_words, split_text

ImageInput = Picture | bytes | str | Path | Image.Image | np.ndarray
VideoInput = Clip | bytes | str | Path
HINTS = {"question": "ask something about what is seen"}
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

    @property
    def frames(self) -> Tensor | None:
        """What its first row shows, uint8 (t, 3, size, size); None where that is nothing."""
        return next((given.value for given in self.rows[0].inputs if given.frames), None)


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
        self.max_length = config.network.cnp.max_length

    @property
    def vision(self) -> VisionConfig | None:
        """The configuration of the network's first vision peripheral, None where it has none."""
        found = self.config.network.first(VisionConfig)
        return found and found[1]

    def task(self, name: str) -> Task:
        """Return a task of the checkpoint.

        Raises:
            InputError: ``unknown_task``.
        """
        if name not in self.config.network.tasks:
            raise InputError("unknown_task", f"there is no task {name!r}; there are {', '.join(self.tasks)}", task=name)
        return self.config.network.tasks[name]

    def prepare(
        self,
        task: str,
        *,
        image: ImageInput | None = None,
        video: VideoInput | None = None,
        text: str | list[str] | None = None,
        tokens: list[str] | list[list[str]] | None = None,
        question: str | None = None,
        images: Mapping[str, ImageInput] | None = None,
        explain: Explain | None = None,
        **options: Unpack[TextOptions],
    ) -> Job:
        """Decode, resize and tokenise; the model is not called.

        Args:
            task: of the checkpoint; video captioning is ``caption`` with a video, video QA ``vqa`` with one.
            image: bytes, a path, a PIL image, or RGB uint8 (height, width, 3).
            video: bytes or a path.
            text: for ``pos``, where each string may hold several sentences, and for other tasks that read a text.
            tokens: for ``pos``; sentences that are already split into words.
            images: role -> image, for tasks that see several.
            explain: whether the answer is to say what it attended to, ``mean`` or ``layers``; of what is seen alone.
            options: of a text that is written, for ``caption``.

        Raises:
            InputError: an input that is missing, unexpected or cannot be used.
        """
        spec = self.task(task)
        given = [name for name, value in options.items() if value is not None]
        output = OUTPUTS[spec.output]
        if given and not output.has_options:
            raise InputError("unexpected_input", f"task {task} takes no {given[0]}", input=given[0])
        if output.by_word:
            unwanted = {"image": image, "video": video, "question": question, "images": images, "explain": explain}
            _expect(task, {"text": text, "tokens": tokens}, **unwanted)
            return self._prepare_tags(spec, text, tokens)
        pictures = self._expect_pictures(spec, image, video, images, explain)
        texts = {"text": text, "question": question}
        roles = {wanted.role for wanted in spec.inputs}
        for name, value in ({"tokens": tokens} | texts).items():
            if value is not None and name not in roles:
                raise InputError("unexpected_input", f"task {task} takes no {name}", input=name)
        inputs: list[Prepared] = []
        times, notes, words = tuple[float, ...](), tuple[str, ...](), tuple[str, ...]()
        for wanted in spec.inputs:
            config = self.config.network.peripherals[wanted.peripheral]
            if isinstance(config, VisionConfig):
                frames, times, more = self._frames(config, pictures.get(wanted.role), video)
                notes += more
                inputs.append(Prepared(wanted.peripheral, wanted.domain, frames, len(frames)))
            else:
                subwords = self._read(wanted.role, texts.get(wanted.role))
                words += self._words(config, str(texts[wanted.role]), subwords)
                inputs.append(Prepared(wanted.peripheral, wanted.domain, subwords))
        goal = replace(output.goal(spec, self, options), explain=explain)
        return Job(task, (Row(tuple(inputs), goal, spec.moves),), notes=notes, times=times, words=words)

    def sample(self, task: str, picture: ImageInput, sentence: str) -> Job:
        """Prepare a request that a task takes, made of a picture for each picture and a sentence for each text."""
        spec = self.task(task)
        pictures = {wanted.role: picture for wanted in self._visual(spec)}
        inputs: dict[str, Any] = {wanted.role: sentence for wanted in spec.inputs if wanted.role not in pictures}
        if pictures:
            inputs |= {"images": pictures} if len(pictures) > 1 else {"image": picture}
        return self.prepare(task, **inputs)

    def sees(self, task: str) -> bool:
        """Return whether a task takes pictures."""
        return bool(self._visual(self.task(task)))

    def _visual(self, task: Task) -> list[Input]:
        peripherals = self.config.network.peripherals
        return [wanted for wanted in task.inputs if isinstance(peripherals[wanted.peripheral], VisionConfig)]

    def _expect_pictures(
        self,
        task: Task,
        image: ImageInput | None,
        video: VideoInput | None,
        images: Mapping[str, ImageInput] | None,
        explain: Explain | None,
    ) -> Mapping[str, ImageInput | None]:
        """Return the image of each role, None where it is given a video."""
        roles = [wanted.role for wanted in self._visual(task)]
        if len(roles) != 1:
            # What was attended to is told as cells of one picture.
            unwanted = {"image": image, "video": video, "explain": explain} | ({} if roles else {"images": images})
            _expect(task.name, {}, **unwanted)
            if wrong := [role for role in (*roles, *(images or {})) if (role in roles) != (role in (images or {}))]:
                needed = ", ".join(roles)
                raise InputError("missing_input", f"task {task.name} needs the images {needed}", input=wrong[0])
            return images or {}
        _expect(task.name, {"image": image, "video": video}, images=images)
        return {roles[0]: image}

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks that this checkpoint has."""
        known = [name for name in TASKS if name in self.config.network.tasks]
        return known + [name for name in self.config.network.tasks if name not in TASKS]

    def names_of(self, task: str) -> tuple[str, ...]:
        """Return the names of the classes of a task's vocabulary; those of subwords have none."""
        return self.vocabularies.get(self.config.network.tasks[task].vocabulary, ())

    def finish(self, job: Job, decoded: Sequence[Decoded]) -> Answer:
        """Turn class ids into words."""
        return OUTPUTS[self.config.network.tasks[job.task].output].answer(self, job, decoded)

    def explanation(self, job: Job, row: Decoded, outputs: Sequence[str]) -> Explanation | None:
        """Return what each of a row's outputs attended to, where that was asked for."""
        if row.attention is None:
            return None
        seen = next(given for given in job.rows[0].inputs if given.frames)
        frames, vision = seen.frames, self.config.network.peripherals[seen.peripheral]
        words = job.words[: row.attention.temporal.shape[-1] - frames]
        framing = vision.video if job.times else vision.image
        framed = Framed(framing.treatment, vision.size / (framing.side or vision.size), framing.window)
        found = Explanation(tuple(outputs), frames, job.times, words, framed, row.attention)
        if found.numbers > MOST_NUMBERS:
            raise InputError(
                "explanation_too_large",
                f"every layer and head makes {found.numbers} numbers; at most {MOST_NUMBERS} are sent: ask for fewer "
                "subwords with max_length, or for the mean",
                limit=MOST_NUMBERS,
            )
        return found

    def _words(self, language: LanguageConfig, question: str, subwords: Subwords) -> tuple[str, ...]:
        """Of a question, one for each of its steps."""
        if language.step == "word":
            return (*question.split(), "")
        return tuple(self.tokenizer.pieces(subwords.tokens.tolist()))

    def _frames(
        self, vision: VisionConfig, image: ImageInput | None, video: VideoInput | None
    ) -> tuple[Tensor, tuple[float, ...], tuple[str, ...]]:
        """Squares for the backbone (t, 3, size, size), their times, and what the user must know of them."""
        if video is not None:
            clip = video if isinstance(video, Clip) else self._clip(vision, _bytes_of(video))
            note = "the video is damaged or cut short: only its readable part was used"
            frames = clip.frames if clip.fitted else fit(clip.frames, vision.video, vision.size)
            return frames, clip.times, (note,) if clip.truncated else ()
        picture = self._picture(image)
        note = "the image is cut short: its missing part is grey"
        frames = picture.pixels[None]
        frames = frames if picture.fitted else fit(frames, vision.image, vision.size)
        return frames, (), (note,) if picture.truncated else ()

    def _clip(self, vision: VisionConfig, data: bytes) -> Clip:
        return decode_video(data, vision.frames, self.limits, vision.sampling)

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
        return decode_image(_bytes_of(image), self.limits)

    def _read(self, role: str, text: str | list[str] | None) -> Subwords:
        if text is None:
            raise InputError("missing_input", f"this task needs a {role}", input=role)
        if not isinstance(text, str):
            raise InputError("unexpected_input", f"this task needs one {role}, a string", input=role)
        if not text.strip():
            raise InputError(f"empty_{role}", f"the {role} is empty; {HINTS.get(role, 'write something')}")
        check_text([text])
        return self._subwords(text.split(), f"{role}_too_long", f"the {role}")

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

    def _prepare_tags(self, task: Task, text: str | list[str] | None, tokens: Any) -> Job:
        sentences = given_words(tokens) if tokens is not None else split_text(text)
        rows = []
        for words in sentences:
            encoded = self._subwords([word.text for word in words], "text_too_long", "a sentence of the text")
            given = Prepared(task.inputs[0].peripheral, task.inputs[0].domain, encoded)
            rows.append(Row((given,), Goal(task.name, len(words)), task.moves))
        return Job(task.name, tuple(rows), tuple(sentences))

    def text_of(self, found: Hypothesis) -> Text:
        """Return what subwords say, without the end."""
        return written(found, self.tokenizer)


def _expect(task: str, either: dict[str, Any], **unwanted: Any) -> None:
    """Hold that exactly one of ``either``, where it has any, is given, and nothing of ``unwanted``."""
    given = [name for name, value in either.items() if value is not None]
    if either and not given:
        raise InputError("missing_input", f"task {task} needs {' or '.join(either)}", input=next(iter(either)))
    if len(given) > 1:
        raise InputError("unexpected_input", f"task {task} takes {' or '.join(given)}, not both", input=given[1])
    for name, value in unwanted.items():
        if value is not None:
            raise InputError("unexpected_input", f"task {task} takes no {name}", input=name)


def _bytes_of(source: bytes | str | Path) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise InputError("unreadable_file", f"{source} cannot be read: {error.strerror}") from error
