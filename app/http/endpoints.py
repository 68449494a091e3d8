"""What a network offers: an endpoint for each use of each of its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from omninet.app.backend import Answered, Upload
from omninet.app.http.fields import InputField, is_multipart
from omninet.app.http.forms import Asking, ExplainForm, StreamForm, form_model
from omninet.app.http.replies import reply_model, reply_to
from omninet.app.http.schemas import Reply
from omninet.model.modalities import kind_of
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS, Output
from omninet.model.tasks import TASKS, Task, Use


@dataclass(frozen=True)
class Endpoint:
    """A use of a task, over HTTP.

    Attributes:
        fields: by which its inputs are given.
        explains: whether an answer can say what it looked at.
    """

    task: Task
    use: Use
    fields: tuple[InputField, ...]
    explains: bool

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/{self.use.name}"

    @property
    def title(self) -> str:
        """What people call it."""
        return self.use.title or self.use.name

    @property
    def summary(self) -> str:
        """What it does."""
        return self.use.summary or self.task.summary

    @property
    def output(self) -> Output:
        """The kind of its answers."""
        return OUTPUTS[self.task.output]

    @property
    def is_multipart(self) -> bool:
        """Whether its body is a form with files; else it is JSON."""
        return is_multipart(self.fields)

    @cached_property
    def form(self) -> type[Asking]:
        """What it takes."""
        wanted = ((ExplainForm, self.explains), (StreamForm, self.output.streams))
        bases = [base for base, is_wanted in wanted if is_wanted]
        name = "".join(word.title() for word in self.use.name.split("-")) + ("Form" if self.is_multipart else "Request")
        return form_model(name, f"What {self.path} takes.", bases, self.fields, self.output.options)

    @property
    def reply(self) -> type[Reply]:
        """What it answers."""
        return reply_model(self.output, self.task)

    def reply_to(self, done: Answered, form: Asking) -> Reply:
        """Return an answer to a request as JSON."""
        return reply_to(self.output, self.task, done, layers=form.wanted == "layers")

    def uploads(self, form: Asking) -> tuple[Upload, ...]:
        """Return the files of a request."""
        given = ((field, getattr(form, field.name)) for field in self.fields if field.form.upload)
        return tuple(
            Upload(field.name, field.input.peripheral, field.form_name, value.file)
            for field, value in given
            if value is not None
        )

    def values(self, form: Asking) -> dict[str, Any]:
        """Return the inputs of a request that are no files, by keyword."""
        return {field.name: getattr(form, field.name) for field in self.fields if not field.form.upload}

    def options(self, form: Asking) -> dict[str, Any]:
        """Return what a request says of the decoding."""
        return {name: getattr(form, name) for name in self.output.options}


def endpoints_of(network: OmniNetConfig) -> list[Endpoint]:
    """Return what a network offers, its tasks in the order of ``in_order``."""
    return [_endpoint(network, task, use) for task in in_order(network) for use in task.uses]


def in_order(network: OmniNetConfig) -> list[Task]:
    """Return the tasks of a network, those that are known here first."""
    known = [task for name, task in network.tasks.items() if name in TASKS]
    known.sort(key=lambda task: list(TASKS).index(task.name))
    return known + [task for name, task in network.tasks.items() if name not in TASKS]


def _endpoint(network: OmniNetConfig, task: Task, use: Use) -> Endpoint:
    seen = [network.modality(given.peripheral).has_cells for given in task.inputs]
    explains = OUTPUTS[task.output].explains and seen.count(True) == 1
    return Endpoint(task, use, tuple(_fields(network, task, use)), explains)


def _fields(network: OmniNetConfig, task: Task, use: Use) -> Sequence[InputField]:
    """Return the fields of the inputs in their order, each in the forms that the use and the output let it have."""
    keywords = network.keywords(task)
    found: list[InputField] = []
    for given in task.inputs:
        names = {
            word: name
            for word, (wanted, name) in keywords.items()
            if wanted == given and name == use.forms.get(given.role, name)
        }
        modality = network.modality(given.peripheral)
        forms = OUTPUTS[task.output].forms(given, {word: modality.forms[name] for word, name in names.items()})
        kind = kind_of(network.peripherals[given.peripheral])
        found += [InputField(word, given, kind, names[word], form, len(forms) == 1) for word, form in forms.items()]
    return found
