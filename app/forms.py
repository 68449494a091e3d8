"""Requests: their forms, made of what a task takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

from fastapi import UploadFile
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    create_model,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from app.samples import text_for
from model.decoding.goal import Explain
from model.decoding.options import Option
from model.modalities import Form
from model.tasks import Input

T = TypeVar("T")
NotThere = SkipJsonSchema[None]


@dataclass(frozen=True)
class InputField:
    """A field by which an input of a task is given.

    Attributes:
        name: keyword of ``Processor.prepare``.
        kind: modality of the input.
        form: what it takes, of the modality's forms ``form_name``.
        required: whether there is no other field for the input.
    """

    name: str
    input: Input
    kind: str
    form_name: str
    form: Form
    required: bool


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


def is_multipart(fields: Sequence[InputField]) -> bool:
    """Whether there is an upload among them."""
    return any(field.form.upload for field in fields)


def is_text(field: InputField, multipart: bool) -> bool:
    """Whether a field takes a string as it is; others take files, or JSON."""
    return field.form.type is str or (not multipart and str in get_args(field.form.type))


def annotated(kind: Any, *metadata: Any) -> Any:
    """Return a type with metadata, both of which are known only now."""
    return cast(Any, Annotated)[(kind, *metadata)]


def _option(option: Option, multipart: bool) -> tuple[Any, Any]:
    ranged = annotated(option.kind, Field(ge=option.least, le=option.most))
    return _or_none(ranged, multipart), Field(None, description=option.summary)


def _input(field: InputField, multipart: bool) -> tuple[Any, Any]:
    form, example = field.form, text_for(field.input.role)
    examples = [example] if example and form.type is str else None
    kind: Any = UploadFile if form.upload else _typed(form, multipart)
    if field.required:
        return kind, Field(..., description=form.summary, examples=examples)
    return _or_none(kind, multipart), Field(None, description=form.summary, examples=examples)


def _or_none(kind: Any, multipart: bool) -> Any:
    """A type that may be left out; no form can hold a null, which a schema with None in it would promise."""
    return kind | NotThere if multipart else kind | None


def _typed(form: Form, multipart: bool) -> Any:
    if multipart and form.type is not str:
        return _json(form)
    shape = [_shape(form.shape)] if form.shape else []
    return annotated(form.type, *shape, UNICODE)


def _json(form: Form) -> Any:
    """A part of a form that holds JSON."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotated(form.type, UNICODE))

    def read(text: Any) -> Any:
        try:
            return adapter.validate_json(text)
        except ValidationError:
            raise PydanticCustomError("wrong_shape", f"must be JSON: {form.shape or form.summary}") from None

    schema = {"type": "string", "contentMediaType": "application/json", "contentSchema": adapter.json_schema()}
    return annotated(Any, BeforeValidator(read), WithJsonSchema(schema))


def _shape(expected: str) -> WrapValidator:
    """One plain sentence in place of an error for each member of a union."""

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise PydanticCustomError("wrong_shape", f"must be {expected}") from None

    return WrapValidator(check)


def _valid_unicode(value: T) -> T:
    """JSON can spell half of a surrogate pair, which is no character."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("invalid_unicode", "must be valid Unicode; it holds a lone surrogate") from None
    return value


UNICODE = AfterValidator(_valid_unicode)
