"""Requests: their forms, made of what a task takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from omninet.app.http.fields import InputField, accepted, annotated, is_multipart, or_none
from omninet.app.http.samples import text_for
from omninet.model.decoding.goal import Explain
from omninet.model.decoding.options import Option


class Asking(BaseModel):
    """What every request has: no field but those of its form."""

    model_config = ConfigDict(extra="forbid")

    @property
    def wanted(self) -> Explain | None:
        """What is to be explained."""
        return None


class ExplainForm(Asking):
    """Whether an answer is to say what it looked at."""

    explain: bool = Field(False, description="Say for each token of the answer what the model attended to.")
    explain_layers: bool = Field(False, description="The same for every layer and head, beside their mean.")
    format: Literal["json", "png"] = Field("json", description="png draws what was attended to, instead of the answer.")

    @property
    def wanted(self) -> Explain | None:
        """What is to be explained."""
        if self.explain_layers:
            return "layers"
        return "mean" if self.explain or self.format == "png" else None


class StreamForm(Asking):
    """Whether an answer is sent part by part."""

    stream: bool = Field(False, description="Send each subword as soon as it is settled, as server-sent events.")


def form_model(
    name: str,
    summary: str,
    bases: Sequence[type[Asking]],
    fields: Sequence[InputField],
    options: Mapping[str, Option],
) -> type[Asking]:
    """Return the form of an endpoint; with an upload among its fields it is multipart, else JSON.

    Args:
        bases: what else it says; none is nothing.
    """
    multipart = is_multipart(fields)
    made: dict[str, Any] = {name: _option(option, multipart) for name, option in options.items()}
    made |= {field.name: _input(field, multipart) for field in fields}
    return create_model(name, __base__=tuple(bases) or Asking, __doc__=summary, __module__=__name__, **made)


def _option(option: Option, multipart: bool) -> tuple[Any, Any]:
    ranged = annotated(option.kind, Field(ge=option.least, le=option.most))
    return or_none(ranged, multipart), Field(None, description=option.summary)


def _input(field: InputField, multipart: bool) -> tuple[Any, Any]:
    form, example = field.form, text_for(field.input.role)
    examples = [example] if example and form.type is str else None
    kind = accepted(form, multipart)
    if field.required:
        return kind, Field(..., description=form.summary, examples=examples)
    return or_none(kind, multipart), Field(None, description=form.summary, examples=examples)
