"""Folders that are written atomically and verified by the SHA-256 digests of their files."""

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
def write_atomically(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder that replaces ``folder`` atomically when the block ends without an error.

    Before that, SHA256SUMS is added and all files are flushed to disk. After an error or a crash the previous folder is
    unchanged.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield fresh
        _write_sums(fresh)
        _replace_folder(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def read_sums(folder: Path, required: Collection[str]) -> dict[str, str]:
    """Read SHA256SUMS, file name -> digest, and check that required files are listed and listed files exist.

    Raises:
        CheckpointError: the folder or SHA256SUMS does not exist, or a file is missing.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a checkpoint folder: it does not exist")
    if not (folder / SUMS).is_file():
        raise CheckpointError(f"{folder} is not a checkpoint folder: it lacks {SUMS}")
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in required:
        if name not in sums:
            raise CheckpointError(f"{folder / SUMS} does not list {name}")
    for name in sums:
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name} is missing")
    return sums


def check_sums(folder: Path, sums: Mapping[str, str], names: Collection[str]) -> None:
    """Check the digests of the named files.

    Raises:
        CheckpointError: a file was altered.
    """
    for name in names:
        if _sha256(folder / name) != sums[name]:
            raise CheckpointError(f"{folder / name} was altered: its SHA-256 differs from the one in {SUMS}")


def check_no_other_files(folder: Path, sums: Mapping[str, str]) -> None:
    """Check that a folder has no unlisted files.

    Raises:
        CheckpointError: a file is not listed in SHA256SUMS.
    """
    for name in _files(folder):
        if name not in sums:
            raise CheckpointError(f"{folder / name} is unexpected: {SUMS} does not list it; remove the file")


def _write_sums(folder: Path) -> None:
    """Write SHA256SUMS, set permissions and flush all files to disk."""
    names = _files(folder)
    (folder / SUMS).write_text("".join(f"{_sha256(folder / name)}  {name}\n" for name in names), encoding="utf-8")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        _fsync(path)


def _replace_folder(fresh: Path, folder: Path) -> None:
    fresh.chmod(0o755)
    if not folder.exists():
        fresh.rename(folder)
    elif not _exchange(fresh, folder):
        # Without an atomic exchange, keep the old folder under another name until the new one is in place.
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old)
    _fsync(folder.parent)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two folders atomically (Linux renameat2); return False if the system does not support it."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename is not None and rename(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _files(folder: Path) -> list[str]:
    """Return the relative names of all files in a folder except SHA256SUMS, sorted."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != SUMS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
