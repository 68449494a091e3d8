"""Response bodies of task endpoints: the output's own fields plus model, timings, notes and explanation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from pydantic import BaseModel, Field, create_model

from omninet.app.backend import Prediction
from omninet.app.http.schemas import ExplainedReply, ExplanationBody, ModelName, Reply, Timings
from omninet.model.outputs import Output
from omninet.model.outputs.answer import confidence_of
from omninet.model.tasks import Task


def reply_model(output: Output, task: Task, chooses: str = "") -> type[Reply]:
    """Return the pydantic model of a task's response body.

    Args:
        chooses: fields, joined by hyphens, that say which of the endpoint's tasks has answered; empty if it has one.
    """
    return _combined_model(output.schema(task), ExplainedReply if output.explains else Reply, chooses)


@cache
def _combined_model(body: type[BaseModel], rest: type[Reply], chooses: str) -> type[Reply]:
    """Combine the fields of an output with those of all replies; pydantic puts the output's fields first."""
    names = chooses.split("-") if chooses else []
    name = body.__name__.removesuffix("Body") + "".join(map(str.title, names)) + "Reply"
    said: Any = {name: (str, Field(description="The task that answered.")) for name in names}
    bases: Any = (rest, create_model(body.__name__, __base__=body, **said))
    return cast(type[Reply], create_model(name, __base__=bases, __doc__=body.__doc__, __module__=__name__))


def reply_to(output: Output, task: Task, done: Prediction, choice: Mapping[str, str], *, layers: bool = False) -> Reply:
    """Return the response body of an answer, with its explanation if it has one.

    Args:
        choice: fields that chose the task -> their values; empty if the endpoint has one task.
        layers: whether the explanation contains every layer and head.
    """
    body = output.body(task, done.answer)
    fields: dict[str, Any] = {name: getattr(body, name) for name in type(body).model_fields}
    fields |= {
        "confidence": confidence_of(done.answer),
        "model": ModelName(name=done.name, version=done.version),
        "timings_ms": Timings(**done.timings),
        "notes": list(done.answer.notes),
    }
    if done.explanation is not None:
        fields["explanation"] = ExplanationBody(**done.explanation.to_dict(layers=layers))
    return reply_model(output, task, "-".join(choice))(**fields, **choice)
