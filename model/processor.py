"""Pre- and postprocessing: raw inputs to rows of arrays, class ids to answers. Does not import torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from omninet.model.confidence.confidence import Confidence
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.documents import Documents
from omninet.model.errors import InputError
from omninet.model.explain.explanation import Explanation
from omninet.model.job import Job
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities import Modality, Pair, Ready, Resources
from omninet.model.modalities.language.english import language_notes
from omninet.model.modalities.language.tokenizer import Tokenizer
from omninet.model.modalities.language.words import Word
from omninet.model.model_config import ModelConfig
from omninet.model.outputs import OUTPUTS, Answer, Output
from omninet.model.rows import Prepared, Row
from omninet.model.tasks import TASKS, Input, Task
from omninet.model.uses import not_in_checkpoint

NO_DOCUMENTS = Documents()
NO_CONFIDENCES: Mapping[str, Confidence] = {}
NO_TOKENIZERS: Mapping[str, Tokenizer] = {}
MAX_NUMBERS = 2**20  # attention weights in one explanation; about 10 MB of JSON


class Given(NamedTuple):
    """One input of a request with its unprepared value."""

    input: Input
    form: str
    value: Any


class CheckedRequest(NamedTuple):
    """A request with valid inputs and options.

    Attributes:
        task: of the request.
        inputs: in the task's order, neither decoded nor tokenised.
        goal: what to decode.
    """

    task: Task
    inputs: list[Given]
    goal: Goal


class Processor:
    """Prepares requests and converts decoded class ids to answers; thread-safe.

    It has no weights and can be pickled, so it can run in another process than the network.

    Args:
        vocabularies: vocabulary name -> class names in the order of their ids.
        limits: limits of images, videos and recordings.
        documents: model card and licence.
        confidences: task -> how its confidence is computed; a task may have none.
        digest: SHA-256 of the weights, hexadecimal; empty if they were not read from disk.
        tokenizers: name -> tokenizer, of those that have a name.
    """

    def __init__(
        self,
        config: ModelConfig,
        tokenizer: Tokenizer,
        vocabularies: Mapping[str, tuple[str, ...]],
        limits: MediaLimits,
        documents: Documents = NO_DOCUMENTS,
        confidences: Mapping[str, Confidence] = NO_CONFIDENCES,
        digest: str = "",
        tokenizers: Mapping[str, Tokenizer] = NO_TOKENIZERS,
    ) -> None:
        self.config, self.tokenizer, self.vocabularies, self.limits = config, tokenizer, vocabularies, limits
        self.name, self.version, self.documents = config.name, config.version, documents
        self.confidences, self.digest = dict(confidences), digest
        self.max_length = config.network.cnp.max_length
        self.resources = Resources(tokenizer, limits, self.max_length, tokenizers)

    @cached_property
    def modalities(self) -> dict[str, Modality]:
        """Modality of each peripheral: name -> modality."""
        return {name: self.config.network.modality(name) for name in self.config.network.peripherals}

    @property
    def tasks(self) -> list[str]:
        """Names of the checkpoint's tasks, those of TASKS first."""
        known = [name for name in TASKS if name in self.config.network.tasks]
        return known + [name for name in self.config.network.tasks if name not in TASKS]

    def task(self, name: str) -> Task:
        """Return a task of the checkpoint.

        Raises:
            InputError: ``unknown_task``; ``task_not_in_checkpoint`` for a task of TASKS.
        """
        if name not in self.config.network.tasks and name in TASKS:
            raise not_in_checkpoint([name], self.tasks)
        if name not in self.config.network.tasks:
            raise InputError("unknown_task", f"there is no task {name!r}; known are {', '.join(self.tasks)}", task=name)
        return self.config.network.tasks[name]

    def tokenizer_of(self, task: str) -> Tokenizer:
        """Return the tokenizer of the text that a task answers."""
        return self.resources.tokenizer_of(self.config.network.tasks[task].tokenizer)

    def names_of(self, task: str) -> tuple[str, ...]:
        """Return the class names of a task's vocabulary; empty for subwords."""
        return self.vocabularies.get(self.config.network.tasks[task].vocabulary, ())

    def prepare(self, task: str, **given: Any) -> Job:
        """Decode media, resize pictures and tokenise texts of a request; the network does not run.

        Args:
            task: a task of the checkpoint; video captioning is ``caption`` with a video, video QA is ``vqa`` with one.
            given: inputs and options by keyword; None counts as missing.
                A picture is ``image`` (bytes, a path, a PIL image, or an RGB uint8 array (height, width, 3)) or
                ``video`` (bytes or a path). In tasks with several pictures each is an image named by its role, or all
                are given as ``images``, role -> image.
                A text is named by its role, such as ``question``; the role ``text`` may be given as ``tokens`` instead.
                ``explain`` (``mean`` or ``layers``) asks for the attention of the answer.
                Further keywords are options of the task's output, such as ``beams``.

        Raises:
            InputError: the task is unknown, or an input is missing, unexpected or invalid.
        """
        spec, inputs, goal = self.check(task, **given)
        job = OUTPUTS[spec.output].prepare(self, spec, inputs, goal)
        english = (given.value for given in inputs if given.input.domain == "english")
        return replace(job, notes=(*job.notes, *language_notes(english)))

    def check(self, task: str, **given: Any) -> CheckedRequest:
        """Check which inputs a request has, and its options, without reading or decoding an input.

        Args:
            task: a task of the checkpoint.
            given: see ``prepare``; the value of an input may be any object but None.

        Raises:
            InputError: ``unknown_task``, ``task_not_in_checkpoint``, ``unexpected_input``, ``missing_input`` or
                ``bad_option``.
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
        confidence = self.confidences.get(task)
        pooled = confidence is not None and confidence.presence is not None
        return CheckedRequest(spec, inputs, replace(output.goal(spec, self, options), explain=explain, pooled=pooled))

    def one_row(self, task: Task, given: Sequence[Given], goal: Goal) -> Job:
        """Prepare a request as one row with all inputs."""
        found = [self.ready(each) for each in given]
        inputs = [
            Prepared(each.input.peripheral, each.input.domain, ready.value, ready.frames)
            for each, ready in zip(given, found, strict=True)
        ]
        return self.job(task, [Row(tuple(inputs), goal, task.moves)], found=found)

    def ready(self, given: Given) -> Ready:
        """Prepare an input."""
        wanted, form, value = given
        return self.modalities[wanted.peripheral].prepare(wanted.role, form, value, self.resources)

    def job(
        self,
        task: Task,
        rows: Sequence[Row],
        sentences: Sequence[tuple[Word, ...]] = (),
        found: Sequence[Ready] = (),
    ) -> Job:
        """Build a Job from prepared rows, with notes, time stamps and words of the inputs ``found``."""
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
        """Prepare a synthetic request of a task; each number gives another one."""
        inputs = self.task(task).inputs
        if self.task(task).either:
            inputs = (inputs[number % len(inputs)],)
        made = {
            self._first_keyword(task, given): self.modalities[given.peripheral].sample(number + i)
            for i, given in enumerate(inputs)
        }
        if self.task(task).pairs:
            made |= {
                given.second: self.modalities[given.peripheral].sample(number + 1) for given in inputs if given.second
            }
        return self.prepare(task, **made)

    def continued(self, job: Job, decoded: Sequence[Decoded]) -> Job | None:
        """Return a job with further rows to run before ``finish``, or None; see ``Output.continued``."""
        return None if job.kept is None else self.output(job.task).continued(self, job, decoded)

    def finish(self, job: Job, decoded: Sequence[Decoded]) -> Answer:
        """Convert the decoded rows of a request to its answer."""
        answer = self.output(job.task).build(self, job, decoded)
        confidence = self.confidences.get(job.task)
        if confidence is None:
            return answer
        output, task = self.output(job.task), self.task(job.task)
        evidence = [value for row in decoded if (value := output.evidence(self, task, row)) is not None]
        found = math.prod(map(confidence.of, evidence)) if evidence else output.probability(answer)
        return replace(answer, confidence=round(found, 4))  # type: ignore[type-var]

    def output(self, task: str) -> Output:
        """Return the output of a task."""
        return OUTPUTS[self.config.network.tasks[task].output]

    def explanation(self, job: Job, row: Decoded, outputs: Sequence[str]) -> Explanation | None:
        """Return the explanation of a row, or None if the request did not ask for one.

        Args:
            outputs: texts of the decoded outputs.

        Raises:
            InputError: ``explanation_too_large``.
        """
        if row.attention is None or job.framed is None:
            return None
        frames = next((given.frames for given in job.rows[0].inputs if given.frames), 1)
        words = job.words[: row.attention.temporal.shape[-1] - frames]
        found = Explanation(tuple(outputs), frames, job.times, words, job.framed, row.attention)
        if found.numbers > MAX_NUMBERS:
            raise InputError(
                "explanation_too_large",
                f"the attention of all layers and heads has {found.numbers} numbers; at most {MAX_NUMBERS} are sent: "
                "lower max_length, or ask for the mean over layers and heads",
                limit=MAX_NUMBERS,
            )
        return found

    def _gather(self, task: Task, given: Mapping[str, Any]) -> list[Given]:
        """Match the keywords of a request to the inputs of its task; return one value per input, in the task's order.

        Raises:
            InputError: ``unexpected_input``, ``missing_input``.
        """
        keywords = self.config.network.keywords(task)
        found: dict[str, Given] = {}
        for name, value in given.items():
            if name not in keywords:
                raise _unexpected(task.name, name)
            wanted, form = keywords[name]
            if name == wanted.second:
                continue
            if wanted.role in found or (task.either and found):
                alternatives = ((word, other) for word, (other, _) in keywords.items() if word != other.second)
                either = " or ".join(word for word, other in alternatives if task.either or other == wanted)
                raise InputError("unexpected_input", f"task {task.name} takes {either}, not both", input=name)
            found[wanted.role] = Given(wanted, form, value)
        if task.either and found:
            return list(found.values())
        for wanted in task.inputs:
            if wanted.role not in found:
                fields = ((word, other) for word, (other, _) in keywords.items() if word != other.second)
                names = [word for word, other in fields if task.either or other == wanted]
                raise InputError("missing_input", f"task {task.name} needs {' or '.join(names)}", input=names[0])
        return [_with_second(task, found[wanted.role], given.get(wanted.second)) for wanted in task.inputs]

    def _first_keyword(self, task: str, given: Input) -> str:
        keywords = self.config.network.keywords(self.task(task))
        return next(word for word, (other, _) in keywords.items() if other == given)

    def _has_one_picture(self, task: Task) -> bool:
        """Return True if exactly one input has spatial cells, which an explanation can show."""
        return Counter(self.modalities[given.peripheral].has_cells for given in task.inputs)[True] == 1


def _with_second(task: Task, first: Given, second: Any) -> Given:
    """Return an input with its second picture, if the task takes pairs.

    Raises:
        InputError: ``not_trained``: there is a second picture, but the task takes one; ``missing_input``.
    """
    name = first.input.second
    if not name or not (task.pairs or second is not None):
        return first
    if not task.pairs:
        raise not_trained(task, name)
    if second is None:
        raise InputError("missing_input", f"task {task.name} needs {name}", input=name)
    return first._replace(value=Pair(first.value, second))


def not_trained(task: Task, name: str) -> InputError:
    """Return the error for a second picture, given as ``name``, that no task of the checkpoint takes."""
    return InputError(
        "not_trained", f"task {task.name} was not trained with two pictures; leave out {name}", input=name
    )


def _unexpected(task: str, name: str) -> InputError:
    return InputError("unexpected_input", f"task {task} takes no {name}", input=name)
