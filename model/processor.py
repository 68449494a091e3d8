"""What surrounds the network: raw input to rows of arrays, class ids to answers. Nothing here imports torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.errors import InputError
from omninet.model.explain.explanation import Explanation
from omninet.model.job import Job
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities import Modality, Ready, Resources
from omninet.model.modalities.language.tokenizer import Tokenizer
from omninet.model.modalities.language.words import Word
from omninet.model.model_config import ModelConfig
from omninet.model.outputs import OUTPUTS, Answer, Output
from omninet.model.outputs.text.answer import Text
from omninet.model.outputs.text.output import written
from omninet.model.rows import Prepared, Row
from omninet.model.tasks import TASKS, Input, Task

MOST_NUMBERS = 2**20  # of one explanation; as JSON they are ten megabytes


class Given(NamedTuple):
    """One input of a request, as it was given."""

    input: Input
    form: str
    value: Any


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
        self.resources = Resources(tokenizer, limits, self.max_length)

    @cached_property
    def modalities(self) -> dict[str, Modality]:
        """The modality of each of the network's peripherals."""
        return {name: self.config.network.modality(name) for name in self.config.network.peripherals}

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks that this checkpoint has."""
        known = [name for name in TASKS if name in self.config.network.tasks]
        return known + [name for name in self.config.network.tasks if name not in TASKS]

    def task(self, name: str) -> Task:
        """Return a task of the checkpoint.

        Raises:
            InputError: ``unknown_task``.
        """
        if name not in self.config.network.tasks:
            raise InputError("unknown_task", f"there is no task {name!r}; there are {', '.join(self.tasks)}", task=name)
        return self.config.network.tasks[name]

    def names_of(self, task: str) -> tuple[str, ...]:
        """Return the names of the classes of a task's vocabulary; those of subwords have none."""
        return self.vocabularies.get(self.config.network.tasks[task].vocabulary, ())

    def prepare(self, task: str, **given: Any) -> Job:
        """Decode, resize and tokenise; the model is not called.

        Args:
            task: of the checkpoint; video captioning is ``caption`` with a video, video QA ``vqa`` with one.
            given: the task's inputs by keyword. A picture is an ``image`` (bytes, a path, a PIL image, or RGB uint8
                (height, width, 3)) or a ``video`` (bytes or a path), or, where a task has several, an image named by
                its role, or all of them as ``images``, role -> image. A text is named by its role, such as
                ``question``; a ``text`` may be given as ``tokens``, too. Beside them: ``explain``, ``mean`` or
                ``layers``, to be told what the answer attended to; and the options of the task's output, such as
                ``beams``. What is None counts as left out.

        Raises:
            InputError: an input that is missing, unexpected or cannot be used.
        """
        spec = self.task(task)
        output = OUTPUTS[spec.output]
        given = {name: value for name, value in given.items() if value is not None}
        given |= given.pop("images", {})
        explain = given.pop("explain", None)
        options = {name: given.pop(name) for name in output.options if name in given}
        inputs = self._gather(spec, given)
        if explain is not None and not (output.explains and self._has_one_picture(spec)):
            raise _unexpected(task, "explain")
        return output.prepare(self, spec, inputs, replace(output.goal(spec, self, options), explain=explain))

    def one_row(self, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Return a request that is one row of all inputs."""
        inputs, found = list[Prepared](), list[Ready]()
        for wanted, form, value in given:
            ready = self.modalities[wanted.peripheral].prepare(wanted.role, form, value, self.resources)
            inputs.append(Prepared(wanted.peripheral, wanted.domain, ready.value, ready.frames))
            found.append(ready)
        return self.job(task, [Row(tuple(inputs), goal, task.moves)], found=found)

    def job(
        self,
        task: Task,
        rows: Sequence[Row],
        sentences: Sequence[tuple[Word, ...]] = (),
        found: Sequence[Ready] = (),
    ) -> Job:
        """Return a request of prepared rows, with what is to be said of its inputs."""
        framed = (
            self.modalities[given.peripheral].framed(ready) for given, ready in zip(task.inputs, found, strict=False)
        )
        return Job(
            task.name,
            tuple(rows),
            tuple(sentences),
            notes=tuple(note for ready in found for note in ready.notes),
            times=next((ready.times for ready in found if ready.times), ()),
            words=tuple(word for ready in found for word in ready.words),
            framed=next((each for each in framed if each), None),
        )

    def sample(self, task: str, number: int) -> Job:
        """Prepare a made-up request that a task takes, another one for each number."""
        inputs = self.task(task).inputs
        made = {
            self._first_keyword(task, given): self.modalities[given.peripheral].sample(number + i)
            for i, given in enumerate(inputs)
        }
        return self.prepare(task, **made)

    def finish(self, job: Job, decoded: Sequence[Decoded]) -> Answer:
        """Turn what was decoded into an answer."""
        return self.output(job.task).answer(self, job, decoded)

    def output(self, task: str) -> Output:
        """Return the kind of output of a task."""
        return OUTPUTS[self.config.network.tasks[task].output]

    def text_of(self, found: Hypothesis) -> Text:
        """Return what subwords say, without the end."""
        return written(found, self.tokenizer)

    def explanation(self, job: Job, row: Decoded, outputs: Sequence[str]) -> Explanation | None:
        """Return what each of a row's outputs attended to, where that was asked for.

        Raises:
            InputError: ``explanation_too_large``.
        """
        if row.attention is None or job.framed is None:
            return None
        frames = next(given.frames for given in job.rows[0].inputs if given.frames)
        words = job.words[: row.attention.temporal.shape[-1] - frames]
        found = Explanation(tuple(outputs), frames, job.times, words, job.framed, row.attention)
        if found.numbers > MOST_NUMBERS:
            raise InputError(
                "explanation_too_large",
                f"every layer and head makes {found.numbers} numbers; at most {MOST_NUMBERS} are sent: ask for fewer "
                "subwords with max_length, or for the mean",
                limit=MOST_NUMBERS,
            )
        return found

    def _gather(self, task: Task, given: Mapping[str, Any]) -> list[Given]:
        """Return the value of each input, in the order of the inputs.

        Raises:
            InputError: ``unexpected_input``, ``missing_input``.
        """
        keywords = self.config.network.keywords(task)
        found: dict[str, Given] = {}
        for name, value in given.items():
            if name not in keywords:
                raise _unexpected(task.name, name)
            wanted, form = keywords[name]
            if wanted.role in found:
                either = " or ".join(word for word, (other, _) in keywords.items() if other == wanted)
                raise InputError("unexpected_input", f"task {task.name} takes {either}, not both", input=name)
            found[wanted.role] = Given(wanted, form, value)
        for wanted in task.inputs:
            if wanted.role not in found:
                names = [word for word, (other, _) in keywords.items() if other == wanted]
                raise InputError("missing_input", f"task {task.name} needs {' or '.join(names)}", input=names[0])
        return [found[wanted.role] for wanted in task.inputs]

    def _first_keyword(self, task: str, given: Input) -> str:
        keywords = self.config.network.keywords(self.task(task))
        return next(word for word, (other, _) in keywords.items() if other == given)

    def _has_one_picture(self, task: Task) -> bool:
        """Whether there is one input in whose cells an explanation can show what was attended to."""
        return Counter(self.modalities[given.peripheral].has_cells for given in task.inputs)[True] == 1


def _unexpected(task: str, name: str) -> InputError:
    return InputError("unexpected_input", f"task {task} takes no {name}", input=name)
