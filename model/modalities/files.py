"""Files of a user: their bytes, or their paths."""

from __future__ import annotations

from pathlib import Path

from omninet.model.errors import InputError


def bytes_of(source: bytes | str | Path) -> bytes:
    """Return the given bytes, or read those of a file.

    Raises:
        InputError: ``unreadable_file``.
    """
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise InputError("unreadable_file", f"{source} cannot be read: {error.strerror}") from error
