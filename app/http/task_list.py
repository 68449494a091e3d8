"""What ``GET /tasks`` says of a network: enough for a client, or a page, to ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field

from omninet.app.http.endpoints import Endpoint, endpoints_of, in_order
from omninet.app.http.fields import InputField, is_text
from omninet.app.settings import Settings
from omninet.model.network_config import OmniNetConfig
from omninet.model.tasks import Task


class ServedField(BaseModel):
    """A field of a request by which an input of the task is given."""

    name: str
    role: str = Field(description="The input; of several fields of one role a request has one.")
    modality: str
    form: str
    upload: bool = Field(description="Whether it is a file.")
    text: bool = Field(description="Whether it is a string as it is; what is no file either is JSON.")
    accept: str = Field(description="Media types and suffixes of files.")
    summary: str
    required: bool


class ServedUse(BaseModel):
    """An endpoint: what it is called, and what it takes."""

    path: str
    title: str
    summary: str
    multipart: bool = Field(description="Whether the body is a form with files; else it is JSON.")
    streams: bool = Field(description="Whether `stream` sends the answer part by part.")
    explains: bool = Field(description="Whether `explain` says what the model looked at.")
    fields: list[ServedField]


class ServedTask(BaseModel):
    """A task: what it takes, what it gives, and where it is asked for."""

    name: str
    summary: str
    inputs: list[str]
    output: str
    vocabulary: int | None = Field(description="Classes that it chooses among.")
    limits: dict[str, float] = Field(description="Most that an input may have.")
    endpoints: list[str]
    uses: list[ServedUse]


def listing(network: OmniNetConfig, settings: Settings, tags: Mapping[str, Sequence[str]]) -> list[ServedTask]:
    """Return the tasks of a network.

    Args:
        tags: path of each endpoint -> names of the tasks that it is for.
    """
    endpoints = endpoints_of(network)
    return [
        ServedTask(
            name=task.name,
            summary=task.summary,
            inputs=[given.peripheral for given in task.inputs],
            output=task.output,
            vocabulary=network.vocabularies.get(task.vocabulary),
            limits=_limits(network, task, settings),
            endpoints=[path for path, names in tags.items() if task.name in names],
            uses=[_use(endpoint) for endpoint in endpoints if endpoint.task == task],
        )
        for task in in_order(network)
    ]


def _use(endpoint: Endpoint) -> ServedUse:
    return ServedUse(
        path=endpoint.path,
        title=endpoint.title,
        summary=endpoint.summary,
        multipart=endpoint.is_multipart,
        streams=endpoint.output.streams,
        explains=endpoint.explains,
        fields=[_field(field, endpoint.is_multipart) for field in endpoint.fields],
    )


def _field(field: InputField, multipart: bool) -> ServedField:
    return ServedField(
        name=field.name,
        role=field.input.role,
        modality=field.kind,
        form=field.form_name,
        upload=field.form.upload,
        text=is_text(field, multipart),
        accept=field.form.accept,
        summary=field.form.summary,
        required=field.required,
    )


def _limits(network: OmniNetConfig, task: Task, settings: Settings) -> dict[str, float]:
    """Those of the service and of the modalities that apply to the task."""
    found: dict[str, float] = {}
    for given in task.inputs:
        modality = network.modality(given.peripheral)
        takes_files = any(form.upload for form in modality.forms.values())
        found |= {"upload_bytes": settings.max_upload_bytes} if takes_files else {}
        found |= {} if takes_files else {"characters": settings.max_text_characters}
        found |= modality.limits(settings.media_limits(), network.cnp.max_length)
    return found
