"""Pydantic models of request bodies, built from the inputs and options of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from omninet.app.http.fields import InputField, annotated, field_type, is_multipart, optional
from omninet.app.http.samples import text_for
from omninet.model.decoding.goal import Explain
from omninet.model.decoding.options import Option
from omninet.model.modalities import Form

NULL = {"type": "null"}
NOT_NULL = {"not": NULL}


class RequestForm(BaseModel):
    """Base of all request bodies; unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid")

    @property
    def explain_mode(self) -> Explain | None:
        """Requested detail of the attention weights; None for no explanation."""
        return None


class ExplainForm(RequestForm):
    """Request body of an endpoint that can return attention weights."""

    explain: bool = Field(False, description="Return the attention weights of each token of the answer.")
    explain_layers: bool = Field(False, description="Return those of every layer and head, too, besides their mean.")
    format: Literal["json", "png"] = Field("json", description="png returns a picture of the attention weights only.")

    @property
    def explain_mode(self) -> Explain | None:
        """Requested detail of the attention weights; None for no explanation."""
        if self.explain_layers:
            return "layers"
        return "mean" if self.explain or self.format == "png" else None


class StreamForm(RequestForm):
    """Request body of an endpoint that can stream its answer."""

    stream: bool = Field(False, description="Send each subword as a server-sent event as soon as it is final.")


def form_model(
    name: str,
    summary: str,
    bases: Sequence[type[RequestForm]],
    fields: Sequence[InputField],
    options: Mapping[str, Option],
    choices: Mapping[str, tuple[str, ...]],
) -> type[RequestForm]:
    """Build the request body of an endpoint: multipart if any of its fields is an upload, JSON otherwise.

    Args:
        name: name of the class.
        summary: docstring of the class.
        bases: classes with further fields; empty for none.
        fields: fields for the inputs.
        options: decoding options by field name.
        choices: name of a field -> values that it takes; the first is the default.
    """
    multipart = is_multipart(fields)
    made: dict[str, Any] = {name: _option(option, multipart) for name, option in options.items()}
    made |= {field.name: _input(field, multipart) for field in fields}
    made |= {name: _choice(values, multipart) for name, values in choices.items()}
    return create_model(
        name,
        __base__=tuple(bases) or RequestForm,
        __doc__=summary,
        __module__=__name__,
        __cls_kwargs__={"json_schema_extra": one_of_each(fields)},
        **made,
    )


def one_of_each(fields: Sequence[InputField]) -> dict[str, Any]:
    """Return a JSON schema that holds if exactly one of the fields of each input is there and not null.

    It is empty if every input has only one field. Negations say it, since generators of clients take ``oneOf`` for a
    choice between several types of bodies.
    """
    names: dict[str, list[str]] = {}
    for field in fields:
        names.setdefault(field.group, []).append(field.name)
    wrong: list[dict[str, Any]] = []
    for alternatives in (group for group in names.values() if len(group) > 1):
        wrong.append({"properties": dict.fromkeys(alternatives, NULL)})
        wrong += [
            {"required": [one, other], "properties": {one: NOT_NULL, other: NOT_NULL}}
            for one, other in combinations(alternatives, 2)
        ]
    return {"not": {"anyOf": wrong}} if wrong else {}


def _option(option: Option, multipart: bool) -> tuple[Any, Any]:
    if option.choices:
        kind: Any = Literal[option.choices]
    elif option.shape:
        kind = field_type(Form(option.kind, option.summary, shape=option.shape), multipart)
    else:
        kind = annotated(option.kind, Field(ge=option.least, le=option.most))
    return optional(kind, multipart), Field(None, description=option.summary)


def _choice(values: tuple[str, ...], multipart: bool) -> tuple[Any, Any]:
    said = f"Chooses the task; the default is {values[0]}."
    return optional(Literal[values], multipart), Field(None, description=said)


def _input(field: InputField, multipart: bool) -> tuple[Any, Any]:
    form, example = field.form, text_for(field.input.role)
    examples = [example] if example and form.type is str else None
    kind = field_type(form, multipart)
    if field.required:
        return kind, Field(..., description=form.summary, examples=examples)
    return optional(kind, multipart), Field(None, description=form.summary, examples=examples)
