"""HTTP endpoints of a network: one for each use of each of its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from operator import or_
from typing import Any

from omninet.app.backend import Prediction, Upload
from omninet.app.http.fields import InputField, is_multipart
from omninet.app.http.forms import ExplainForm, RequestForm, StreamForm, form_model
from omninet.app.http.replies import reply_model, reply_to
from omninet.app.http.schemas import Reply
from omninet.model.errors import InputError
from omninet.model.modalities import kind_of
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS, Output
from omninet.model.processor import not_trained
from omninet.model.tasks import Task, Use
from omninet.model.uses import in_order, shared_uses


@dataclass(frozen=True)
class Endpoint:
    """One use of a task as an HTTP endpoint, or of several tasks among which a request chooses.

    Attributes:
        task, use: the default.
        network: configuration of the network.
        fields: request fields that carry the inputs of each task.
        choices: ``Use.choice`` -> task; empty if there is one task.
        pairs: ``Use.choice`` -> task for requests with two pictures.
    """

    task: Task
    use: Use
    network: OmniNetConfig
    fields: tuple[InputField, ...]
    choices: Mapping[str, Task] = field(default_factory=dict)
    pairs: Mapping[str, Task] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """URL path."""
        return f"/{self.use.name}"

    @property
    def title(self) -> str:
        """Name for people."""
        return self.use.title or self.use.name

    @property
    def summary(self) -> str:
        """One clause that says what the endpoint does."""
        return self.use.summary or self.task.summary

    @property
    def outputs(self) -> list[Output]:
        """Output kinds of the tasks, that of the default first."""
        return list(dict.fromkeys(OUTPUTS[task.output] for task in self.tasks))

    @property
    def explains(self) -> bool:
        """Whether an answer of any of the tasks can contain attention weights."""
        return any(map(self.can_explain, self.tasks))

    def can_explain(self, task: Task) -> bool:
        """Return whether an answer of a task can contain attention weights: it has one input with cells."""
        seen = [self.network.modality(given.peripheral).has_cells for given in task.inputs]
        return OUTPUTS[task.output].explains and seen.count(True) == 1

    @property
    def streams(self) -> bool:
        """Whether any of the tasks can stream its answer."""
        return any(output.streams for output in self.outputs)

    @property
    def is_multipart(self) -> bool:
        """Whether the request body is multipart/form-data with files; JSON otherwise."""
        return is_multipart(self.fields)

    @cached_property
    def form(self) -> type[RequestForm]:
        """Pydantic model of the request body."""
        wanted = ((ExplainForm, self.explains), (StreamForm, self.streams))
        bases = [base for base, is_wanted in wanted if is_wanted]
        name = "".join(word.title() for word in self.use.name.split("-")) + ("Form" if self.is_multipart else "Request")
        options = {name: option for output in self.outputs for name, option in output.options.items()}
        return form_model(name, f"Request body of {self.path}.", bases, self.fields, options, self._values)

    @property
    def _values(self) -> dict[str, tuple[str, ...]]:
        """Return the values of the fields that choose among the tasks, the default first; empty for one task."""
        chosen = [replace(self.use, choice=choice).choosing for choice in self.choices]
        return {name: tuple(dict.fromkeys(each[name] for each in chosen)) for name in (chosen or [{}])[0]}

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks of the endpoint, the default first."""
        return (*self.choices.values(), *self.pairs.values()) or (self.task,)

    def choice_of(self, task: Task) -> str:
        """Return the choice of a task; empty if there is one task."""
        return next((choice for choice, each in (*self.choices.items(), *self.pairs.items()) if each is task), "")

    def chosen(self, form: RequestForm) -> Task:
        """Return the task that a request chooses.

        Raises:
            InputError: ``not_trained``: it has a second picture, but no such task takes one; ``bad_option``: no task
                has this combination of choices.
        """
        choice = self._choice(form)
        if self.choices and choice not in self.choices:
            message = f"{self.use.chooses} must be one of {', '.join(self.choices)}, not {choice}"
            raise InputError("bad_option", message, option=self.use.chooses)
        task = self.choices.get(choice, self.task)
        second = next((given.second for given in task.inputs if given.second), "")
        if not second or getattr(form, second) is None:
            return task
        if choice not in self.pairs:
            raise not_trained(task, second)
        return self.pairs[choice]

    def _choice(self, form: RequestForm) -> str:
        """Return the choice among the tasks; empty if there is one task."""
        given = ((getattr(form, name), default) for name, default in self.use.choosing.items())
        return "-".join(str(value or default) for value, default in given) if self.choices else ""

    @property
    def reply(self) -> Any:
        """Pydantic model of the response body, or the union of those of the tasks."""
        chooses = self.use.chooses if self.choices else ""
        models = dict.fromkeys(reply_model(OUTPUTS[task.output], task, chooses) for task in self.tasks)
        return reduce(or_, models)

    def reply_to(self, done: Prediction, form: RequestForm) -> Reply:
        """Return the response body of an answer to the request ``form``."""
        task = self.chosen(form)
        chosen = replace(self.use, choice=self._choice(form)).choosing if self.choices else {}
        return reply_to(OUTPUTS[task.output], task, done, chosen, layers=form.explain_mode == "layers")

    def uploads(self, form: RequestForm) -> tuple[Upload, ...]:
        """Return the uploaded files of a request, each with the peripheral of the chosen task that reads it."""
        keywords = self.network.keywords(self.chosen(form))
        given = ((each, getattr(form, each.name)) for each in self.fields if each.form.upload)
        return tuple(
            Upload(each.name, keywords[each.name][0].peripheral, each.form_name, value.file)
            for each, value in given
            if value is not None
        )

    def values(self, form: RequestForm) -> dict[str, Any]:
        """Return the inputs of a request that are not files, by keyword of ``Processor.prepare``."""
        return {each.name: getattr(form, each.name) for each in self.fields if not each.form.upload}

    def options(self, form: RequestForm) -> dict[str, Any]:
        """Return the decoding options of a request, by name; also those that the chosen task does not have."""
        return {name: getattr(form, name) for output in self.outputs for name in output.options}


def endpoints_of(network: OmniNetConfig) -> list[Endpoint]:
    """Return all endpoints of a network, its tasks in the order of ``ordered_tasks``.

    Two may have one path, of which one takes JSON, and the other a form with a file besides (``Use.beside``).
    """
    return [_endpoint(network, uses) for uses in shared_uses(ordered_tasks(network)).values()]


def ordered_tasks(network: OmniNetConfig) -> list[Task]:
    """Return the tasks of a network: the built-in tasks in the order of ``TASKS``, then all others."""
    return in_order(network.tasks.values())


def _endpoint(network: OmniNetConfig, uses: Sequence[tuple[Task, Use]]) -> Endpoint:
    task, use = min(uses, key=lambda pair: pair[0].pairs)
    choices, pairs = (
        {other.choice: each for each, other in uses if other.chooses and each.pairs == two} for two in (False, True)
    )
    return Endpoint(task, use, network, tuple(_fields(network, task, use)), choices, pairs)


def _fields(network: OmniNetConfig, task: Task, use: Use) -> Sequence[InputField]:
    """Return the fields of all inputs in order, one field for each form that both the use and the output allow."""
    keywords = network.keywords(task)
    found: list[InputField] = []
    for given in task.inputs:
        names = {
            word: name
            for word, (wanted, name) in keywords.items()
            if wanted == given and name == use.forms.get(given.role, name) and word != given.second
        }
        modality = network.modality(given.peripheral)
        forms = OUTPUTS[task.output].forms(given, {word: modality.forms[name] for word, name in names.items()})
        kind = kind_of(network.peripherals[given.peripheral])
        required, group = len(forms) == 1 and not task.either, task.name if task.either else given.role
        found += [InputField(word, given, kind, names[word], form, required, group) for word, form in forms.items()]
        if given.second:
            name, form = keywords[given.second][1], modality.forms[keywords[given.second][1]]
            found.append(InputField(given.second, given, kind, name, form, required=False, group=given.second))
    return found
