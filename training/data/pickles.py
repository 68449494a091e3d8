"""Pickle files of data sets, read without running code."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from omninet.model.official.unpack import PlainUnpickler
from omninet.training.data.base import DataError

DAMAGED = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, TypeError, ValueError),
    pickle.UnpicklingError,
)


def read_pickle(path: Path) -> Any:
    """Read a pickle of plain values; byte strings of Python 2 become texts.

    A pickle is a program that may call any function by its name. Here every name is refused, so a file can at worst
    exhaust the memory.

    Raises:
        DataError: the file is damaged, or holds anything but plain values.
    """
    try:
        return PlainUnpickler(io.BytesIO(path.read_bytes()), encoding="utf-8", errors="replace").load()
    except DAMAGED as error:
        raise DataError(f"{path} is no pickle of plain values: {error}") from error
