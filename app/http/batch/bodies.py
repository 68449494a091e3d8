"""Bodies of the single requests that the items of a batch stand for, derived from the OpenAPI schema."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from omninet.app.errors import ServiceError
from omninet.model.errors import InputError
from omninet.model.uses import missing_tasks, not_in_checkpoint

# Endpoints that are no tasks of the model, or whose requests change something.
EXCLUDED = {"batch", "index", "search"}
JSON, MULTIPART = "application/json", "multipart/form-data"


@dataclass(frozen=True)
class Body:
    """Body of a request.

    Attributes:
        content_type: with the boundary of a multipart body.
        data: encoded body.
    """

    content_type: str
    data: bytes


def body_for(schema: Mapping[str, Any], task: str, fields: Mapping[str, Any]) -> Body:
    """Return the body of a single request.

    Args:
        schema: OpenAPI schema of the service.
        task: endpoint without its slash.
        fields: value of each field; files as base64.

    Raises:
        InputError: ``task_not_in_checkpoint``.
        ServiceError: ``unknown_task``, ``not_in_batch``, ``invalid_base64``, ``invalid_value``.
    """
    if task in EXCLUDED:
        raise not_in_batch(f"/{task} cannot be used in a batch; send it as a request of its own")
    content = _bodies(schema).get(task)
    if content is None:
        raise _unknown(schema, task)
    files = _file_fields(schema, content[MULTIPART]["schema"]) if MULTIPART in content else set()
    if JSON in content and not files & fields.keys():
        return Body(JSON, json.dumps(fields, ensure_ascii=False).encode(errors="surrogatepass"))
    return _multipart((name, value, name in files) for name, value in fields.items() if value is not None)


def _unknown(schema: Mapping[str, Any], task: str) -> InputError | ServiceError:
    """Return the error for a task without an endpoint."""
    offered = _posts(schema).keys() - EXCLUDED
    tasks = {name: None for each in _posts(schema) if each in offered for name in _posts(schema)[each].get("tags", ())}
    if missing := missing_tasks(task, tasks):
        return not_in_checkpoint(missing, tasks)
    known = ", ".join(sorted(offered))
    return ServiceError(422, "unknown_task", f"there is no task {task!r}; known are {known}", task=task)


def not_in_batch(message: str) -> ServiceError:
    """Return the error for an item that only a request of its own can be."""
    return ServiceError(422, "not_in_batch", message)


def _bodies(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return each endpoint, without its slash -> its bodies by content type."""
    return {name: post["requestBody"]["content"] for name, post in _posts(schema).items()}


def _posts(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return each endpoint with a body, without its slash -> its description in the schema."""
    posts = {path[1:]: methods["post"] for path, methods in schema["paths"].items() if "post" in methods}
    return {name: post for name, post in posts.items() if "/" not in name and "requestBody" in post}


def _file_fields(schema: Mapping[str, Any], form: Mapping[str, Any]) -> set[str]:
    """Return the names of the fields of a multipart form that are files."""
    if "$ref" in form:
        form = schema["components"]["schemas"][form["$ref"].rsplit("/", 1)[-1]]
    return {name for name, each in form["properties"].items() if each.get("format") == "binary"}


def _multipart(parts: Iterable[tuple[str, Any, bool]]) -> Body:
    """Return a multipart body of parts: name, value and whether it is a file."""
    boundary = secrets.token_hex(16)
    pieces = []
    for name, value, is_file in parts:
        data = _decoded(name, value) if is_file else _text(name, value)
        quoted = _text(name, name).replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")
        filename = b'; filename="file"' if is_file else b""
        head = b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (boundary.encode(), quoted, filename)
        pieces += [head, data, b"\r\n"]
    pieces.append(b"--%s--\r\n" % boundary.encode())
    return Body(f"{MULTIPART}; boundary={boundary}", b"".join(pieces))


def _decoded(name: str, value: Any) -> bytes:
    try:
        return b64decode("".join(value.split()), validate=True)
    except (AttributeError, ValueError):
        message = f"{name!r} must be the contents of a file in base64; addresses are not fetched"
        raise ServiceError(422, "invalid_base64", message, field=name) from None


def _text(name: str, value: Any) -> bytes:
    """Return the value of a part: a string as it is, any other value as JSON."""
    try:
        return (value if isinstance(value, str) else json.dumps(value)).encode()
    except UnicodeEncodeError:
        message = f"{name!r} must be valid Unicode; it holds a lone surrogate"
        raise ServiceError(422, "invalid_value", message) from None
