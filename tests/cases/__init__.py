"""Files that people really sent, and what is right for each of them (``expected.json``)."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def case(name: str) -> bytes:
    """Return the contents of a file of this folder."""
    return (FOLDER / name).read_bytes()
