"""Exceptions that decoders raise on damaged files."""

from __future__ import annotations

import struct

from av.error import FFmpegError

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

# Exceptions of PyAV's demuxers and decoders; an IndexError is raised where a stream begins in the middle of a file.
STREAM_ERRORS = (FFmpegError, ValueError, IndexError)
