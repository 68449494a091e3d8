"""Response body of ``GET /tasks``: all that a client needs to know to call the endpoints of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field

from omninet.app.http.endpoints import Endpoint, endpoints_of, ordered_tasks
from omninet.app.http.fields import InputField, is_text
from omninet.app.settings import Settings
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs import OUTPUTS
from omninet.model.tasks import Task


class ServedField(BaseModel):
    """A request field that carries an input of the task."""

    name: str
    role: str = Field(description="Name of the input.")
    group: str = Field(description="A request has exactly one of the fields that share a group.")
    modality: str
    form: str
    upload: bool = Field(description="Whether the field is a file.")
    text: bool = Field(
        description="Whether the field is a plain string; fields that are neither file nor text are JSON."
    )
    accept: str = Field(description="Accepted media types and file suffixes.")
    summary: str
    required: bool


class ServedUse(BaseModel):
    """An endpoint and its request fields."""

    path: str
    title: str
    summary: str
    multipart: bool = Field(description="Whether the body is multipart/form-data; JSON otherwise.")
    streams: bool = Field(description="Whether the option `stream` is available.")
    explains: bool = Field(description="Whether the option `explain`, for attention weights, is available.")
    chooses: str = Field(description="Request field that chooses this task at the endpoint; empty without one.")
    choice: str = Field(description="Value of that field for this task.")
    fields: list[ServedField]


class ServedConfidence(BaseModel):
    """Calibration of the field `confidence` of the answers."""

    threshold: float = Field(description="Answers with a lower confidence are wrong at least as often as right.")


class ServedTask(BaseModel):
    """A task with its inputs, output, limits and endpoints."""

    name: str
    summary: str
    inputs: list[str]
    output: str
    vocabulary: int | None = Field(description="Number of classes that the task predicts.")
    confidence: ServedConfidence | None = Field(description="Null if the checkpoint is not calibrated for the task.")
    limits: dict[str, float] = Field(description="Upper limits on the inputs, by name.")
    endpoints: list[str]
    uses: list[ServedUse]


def list_tasks(
    network: OmniNetConfig, settings: Settings, tags: Mapping[str, Sequence[str]], thresholds: Mapping[str, float]
) -> list[ServedTask]:
    """Return the tasks of a network.

    Args:
        network: configuration of the network.
        settings: supply the limits on inputs.
        tags: path of each endpoint -> names of its tasks.
        thresholds: task -> threshold of its confidences; calibrated tasks only.
    """
    endpoints = endpoints_of(network)
    return [
        ServedTask(
            name=task.name,
            summary=task.summary,
            inputs=[given.peripheral for given in task.inputs],
            output=task.output,
            vocabulary=network.vocabularies.get(task.vocabulary),
            confidence=ServedConfidence(threshold=thresholds[task.name]) if task.name in thresholds else None,
            limits=_limits(network, task, settings),
            endpoints=[path for path, names in tags.items() if task.name in names],
            uses=[_use(endpoint, task) for endpoint in endpoints if task in endpoint.tasks],
        )
        for task in ordered_tasks(network)
    ]


def _use(endpoint: Endpoint, task: Task) -> ServedUse:
    use = next(use for use in task.uses if use.name == endpoint.use.name)
    return ServedUse(
        path=endpoint.path,
        title=use.title or use.name,
        summary=use.summary or task.summary,
        chooses=endpoint.use.chooses,
        choice=endpoint.choice_of(task),
        multipart=endpoint.is_multipart,
        streams=OUTPUTS[task.output].streams,
        explains=endpoint.can_explain(task),
        fields=[
            _field(field, endpoint.is_multipart)
            for field in endpoint.fields
            if endpoint.pairs or field.name != field.input.second
        ],
    )


def _field(field: InputField, multipart: bool) -> ServedField:
    return ServedField(
        name=field.name,
        role=field.input.role,
        group=field.group,
        modality=field.kind,
        form=field.form_name,
        upload=field.form.upload,
        text=is_text(field, multipart),
        accept=field.form.accept,
        summary=field.form.summary,
        required=field.required,
    )


def _limits(network: OmniNetConfig, task: Task, settings: Settings) -> dict[str, float]:
    """Return the limits of the service and of the modalities that apply to a task."""
    found: dict[str, float] = {}
    for given in task.inputs:
        modality = network.modality(given.peripheral)
        takes_files = any(form.upload for form in modality.forms.values())
        found |= {"upload_bytes": settings.max_upload_bytes} if takes_files else {}
        found |= {} if takes_files else {"characters": settings.max_text_characters}
        found |= modality.limits(settings.media_limits(), network.cnp.max_length)
    return found
