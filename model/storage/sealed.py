"""Folders that are written in one stroke and held against the SHA-256 of their files."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from omninet.model.errors import CheckpointError

SUMS = "SHA256SUMS"


@contextmanager
def written(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write into; at the end it is in the place of ``folder``, and a crash leaves the old one.

    Sums of all files are added, and everything is on disk before it is put in place.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield fresh
        _seal(fresh)
        _put_in_place(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def read_sums(folder: Path, required: Collection[str]) -> dict[str, str]:
    """Read SHA256SUMS, name -> digest, and hold that it lists the required files and that all it lists are there.

    Raises:
        CheckpointError: it is no such folder, or a file is missing.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is no checkpoint folder: it does not exist")
    if not (folder / SUMS).is_file():
        raise CheckpointError(f"{folder} is no checkpoint folder: it lacks {SUMS}")
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in required:
        if name not in sums:
            raise CheckpointError(f"{folder / SUMS} does not list {name}")
    for name in sums:
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name} is missing")
    return sums


def check(folder: Path, sums: Mapping[str, str], names: Collection[str]) -> None:
    """Hold files against their digests.

    Raises:
        CheckpointError: one was altered.
    """
    for name in names:
        if _sha256(folder / name) != sums[name]:
            raise CheckpointError(f"{folder / name} was altered: its SHA-256 is not the one in {SUMS}")


def check_nothing_else(folder: Path, sums: Mapping[str, str]) -> None:
    """Hold that a folder has no file that is not listed.

    Raises:
        CheckpointError: there is one.
    """
    for name in _files(folder):
        if name not in sums:
            raise CheckpointError(f"{folder / name} does not belong here: {SUMS} does not list it")


def _seal(folder: Path) -> None:
    """Write the sums of all files, and everything to disk."""
    names = _files(folder)
    (folder / SUMS).write_text("".join(f"{_sha256(folder / name)}  {name}\n" for name in names), encoding="utf-8")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        _flush(path)


def _put_in_place(fresh: Path, folder: Path) -> None:
    fresh.chmod(0o755)
    if not folder.exists():
        fresh.rename(folder)
    elif not _exchange(fresh, folder):
        # Where the system cannot exchange two folders at once, the old one stays beside until the new is there.
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old)
    _flush(folder.parent)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders atomically (Linux); False where that cannot be done."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename is not None and rename(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _files(folder: Path) -> list[str]:
    """Names of the files in a checkpoint folder but for the sums, sorted."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != SUMS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
