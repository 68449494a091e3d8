"""JSON files of data sets, with errors that name file, line or record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omninet.training.data.base import DataError, read_text


@contextmanager
def malformed(where: object, kind: str) -> Iterator[None]:
    """Convert the errors of reading a file, or a record with missing or wrong fields, to a DataError.

    Args:
        where: file, or file with line or record, which begins the message.
        kind: expected content, such as ``SNLI-VE record``.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, OSError, SyntaxError, TypeError, ValueError) as error:
        raise DataError(f"{where} is no {kind}: {error!r}") from error


def read_json(path: Path, kind: str) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is not UTF-8 or no JSON.
    """
    text = read_text(path)
    with malformed(path, kind):
        return json.loads(text)


def json_lines(path: Path, kind: str, text: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ``<path>:<line>`` and the object of each line of a JSON Lines file; empty lines are skipped.

    Args:
        text: content of the file, if it is compressed; by default the file is read.

    Raises:
        DataError: the file is not UTF-8, or a line is no JSON object.
    """
    for number, line in enumerate((read_text(path) if text is None else text).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        with malformed(where, kind):
            record = json.loads(line)
        if not isinstance(record, dict):
            raise DataError(f"{where} is no {kind}: expected a JSON object, found {line[:60]!r}")
        yield where, record


def one_of(value: Any, known: tuple[str, ...]) -> str:
    """Return a label if it is a known one.

    Raises:
        ValueError: it is not.
    """
    if value not in known:
        raise ValueError(f"unknown label {value!r}; expected {', '.join(known)}")
    return str(value)


def text_of(value: Any) -> str:
    """Return a text without surrounding white space.

    Raises:
        TypeError: the value is no text.
        ValueError: the text is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {value!r}")
    if not value.strip():
        raise ValueError("a text is empty")
    return value.strip()
