"""API documentation of an endpoint: a curl command and example bodies, all of which work unchanged."""

from __future__ import annotations

import json
from typing import Any

from fastapi.openapi.models import Example

from omninet.app.http.endpoints import Endpoint
from omninet.app.http.fields import InputField
from omninet.app.http.samples import PageSample, sample_for, text_for

SERVER = "http://127.0.0.1:8000"
ANY_TEXT = "A dog runs."


def description_of(endpoint: Endpoint) -> str:
    """Return the Markdown description of an endpoint: its summary and a curl command."""
    said = endpoint.summary[:1].upper() + endpoint.summary[1:]
    command = _form_command(endpoint) if endpoint.is_multipart else _json_command(endpoint)
    return f"{said}.\n\n```sh\n{command}\n```"


def examples_of(endpoint: Endpoint) -> dict[str, Example]:
    """Return example JSON bodies of an endpoint by name: each has all required fields and one example of a field.

    The result is empty if a required field has no example.
    """
    wanted = [field for field in endpoint.fields if field.required]
    if not all(map(_examples, wanted)):
        return {}
    required = {field.name: _examples(field)[0] for field in wanted}
    found: dict[str, Example] = {}
    for field in endpoint.fields:
        for number, value in enumerate(_examples(field), 1):
            found[field.name if number == 1 else f"{field.name} {number}"] = {"value": required | {field.name: value}}
    return found


def _examples(field: InputField) -> tuple[Any, ...]:
    """Return example values of a field; empty if there are none for its type."""
    if field.form.examples or field.form.type is not str:
        return field.form.examples
    return (text_for(field.input.role) or ANY_TEXT,)


def _json_command(endpoint: Endpoint) -> str:
    first = next(iter(examples_of(endpoint).values()), None)
    body = _quoted(json.dumps(first["value"], ensure_ascii=False)) if first else "@FILE"
    return f"curl --json {body} {SERVER}{endpoint.path}"


def _form_command(endpoint: Endpoint) -> str:
    """Return a curl command for a multipart endpoint.

    A single file is piped from the service's own samples; several files are placeholders for the reader to fill in.
    """
    fields = _first_field_per_input(endpoint)
    files = [field for field in fields if field.form.upload]
    sample = sample_for(files[0].form.accept) if len(files) == 1 else None
    parts = "".join(f" {_part(field, sample)}" for field in fields)
    if sample is None:
        return f"curl{parts} {SERVER}{endpoint.path}"
    line = " |\n  " if len(fields) > 1 else " | "
    return f"curl -s {SERVER}/static/samples/{sample.file}{line}curl{parts} {SERVER}{endpoint.path}"


def _first_field_per_input(endpoint: Endpoint) -> list[InputField]:
    """Return the first field of each input."""
    found = {field.input.role: field for field in reversed(endpoint.fields)}
    return [field for field in endpoint.fields if found[field.input.role] is field]


def _part(field: InputField, sample: PageSample | None) -> str:
    if field.form.upload:
        return f"-F {field.name}=@{'-' if sample else 'FILE'}"
    if field.form.type is str:
        return f"-F {_quoted(f'{field.name}={text_for(field.input.role, sample) or ANY_TEXT}')}"
    value = json.dumps(examples[0]) if (examples := _examples(field)) else "<FILE"
    return f"-F {_quoted(f'{field.name}={value}')}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
