"""Fields by which the inputs of a task are given, and what is accepted in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast, get_args

from fastapi import UploadFile
from pydantic import (
    AfterValidator,
    BeforeValidator,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from omninet.model.modalities import Form
from omninet.model.tasks import Input

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


def is_multipart(fields: Sequence[InputField]) -> bool:
    """Whether there is an upload among them."""
    return any(field.form.upload for field in fields)


def is_text(field: InputField, multipart: bool) -> bool:
    """Whether a field takes a string as it is; others take files, or JSON."""
    return field.form.type is str or (not multipart and str in get_args(field.form.type))


def annotated(kind: Any, *metadata: Any) -> Any:
    """Return a type with metadata, both of which are known only now."""
    return cast(Any, Annotated)[(kind, *metadata)]


def or_none(kind: Any, multipart: bool) -> Any:
    """A type that may be left out; no form can hold a null, which a schema with None in it would promise."""
    return kind | NotThere if multipart else kind | None


def accepted(form: Form, multipart: bool) -> Any:
    """Return the type of a field."""
    if form.upload:
        return UploadFile
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
