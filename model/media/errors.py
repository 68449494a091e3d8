"""Exceptions of Pillow's decoders."""

from __future__ import annotations

import struct

# Exceptions that Pillow's decoders raise on damaged files.
DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    OverflowError,
    MemoryError,
    RuntimeError,
    struct.error,
)
