"""Answers of tasks, as JSON: what the output says, then what is about it."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from pydantic import BaseModel, create_model

from omninet.app.backend import Answered
from omninet.app.http.schemas import ExplanationBody, ModelName, Reply, SeenReply, Timings
from omninet.model.outputs import Output
from omninet.model.tasks import Task


def reply_model(output: Output, task: Task) -> type[Reply]:
    """Return the JSON of a task's answers."""
    return _with_the_rest(output.schema(task), SeenReply if output.explains else Reply)


@cache
def _with_the_rest(body: type[BaseModel], rest: type[Reply]) -> type[Reply]:
    """The fields of the second base come first."""
    name = body.__name__.removesuffix("Body") + "Reply"
    bases: Any = (rest, body)
    return cast(type[Reply], create_model(name, __base__=bases, __doc__=body.__doc__, __module__=__name__))


def reply_to(output: Output, task: Task, done: Answered, *, layers: bool = False) -> Reply:
    """Return an answer, with what it was asked to explain.

    Args:
        layers: whether it explains every layer and head.
    """
    body = output.body(task, done.answer)
    fields: dict[str, Any] = {name: getattr(body, name) for name in type(body).model_fields}
    fields |= {
        "model": ModelName(name=done.name, version=done.version),
        "timings_ms": Timings(**done.timings),
        "notes": list(done.answer.notes),
    }
    if done.explanation is not None:
        fields["explanation"] = ExplanationBody(**done.explanation.to_dict(layers=layers))
    return reply_model(output, task)(**fields)
