"""Request fields for the inputs of a task, and their types for pydantic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
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
    """A request field that carries one input of a task.

    Attributes:
        name: name of the field, which is the keyword of ``Processor.prepare``.
        kind: modality of the input.
        form_name: name of ``form`` among the forms of the modality.
        form: representation of the input that the field accepts.
        required: whether this is the only field for the input.
        group: a request has exactly one of the fields with the same group: the role of the input, or the task if its
            inputs are alternatives.
    """

    name: str
    input: Input
    kind: str
    form_name: str
    form: Form
    required: bool
    group: str


def is_multipart(fields: Sequence[InputField]) -> bool:
    """Whether any of the fields is a file upload."""
    return any(field.form.upload for field in fields)


def is_text(field: InputField, multipart: bool) -> bool:
    """Whether a field accepts a plain string; all other fields accept a file or JSON."""
    return field.form.type is str or (not multipart and str in get_args(field.form.type))


def annotated(kind: Any, *metadata: Any) -> Any:
    """Return ``Annotated[kind, *metadata]`` for a type that is known only at run time."""
    return cast(Any, Annotated)[(kind, *metadata)]


def optional(kind: Any, multipart: bool) -> Any:
    """Return ``kind`` as an optional type.

    The schema of a multipart field omits null, since a multipart form cannot contain one.
    """
    return kind | NotThere if multipart else kind | None


def field_type(form: Form, multipart: bool) -> Any:
    """Return the pydantic type of a field."""
    if form.upload:
        return UploadFile
    if multipart and form.type is not str:
        return _json(form)
    shape = [_shape(form.shape)] if form.shape else []
    return annotated(form.type, *shape, UNICODE)


def _json(form: Form) -> Any:
    """Return the type of a multipart field that contains JSON, or a plain string if its type includes them."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotated(form.type, UNICODE))
    plain = isinstance(form.type, UnionType) and str in get_args(form.type)

    def read(text: Any) -> Any:
        if plain and isinstance(text, str) and not _is_list(text):
            return _valid_unicode(text)  # a string needs no quotation marks
        try:
            return adapter.validate_json(text)
        except ValidationError:
            raise PydanticCustomError("wrong_shape", f"must be JSON: {form.shape or form.summary}") from None

    schema: dict[str, Any] = {"type": "string"}
    if not plain:
        schema |= {"contentMediaType": "application/json", "contentSchema": adapter.json_schema()}
    return annotated(Any, BeforeValidator(read), WithJsonSchema(schema))


def _is_list(text: str) -> bool:
    """Return whether a text is a list in JSON."""
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def _shape(expected: str) -> WrapValidator:
    """Return a validator that reports one error, "must be ``expected``", instead of one for each member of a union."""

    def check(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:
            raise PydanticCustomError("wrong_shape", f"must be {expected}") from None

    return WrapValidator(check)


def _valid_unicode(value: T) -> T:
    """Return ``value`` if all of its strings are valid Unicode: JSON can contain a lone surrogate, which is not.

    Raises:
        PydanticCustomError: ``invalid_unicode``.
    """
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("invalid_unicode", "must be valid Unicode; it holds a lone surrogate") from None
    return value


UNICODE = AfterValidator(_valid_unicode)
