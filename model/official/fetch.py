"""The authors' published checkpoints, downloaded once and for all."""

from __future__ import annotations

import shutil
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from omninet.model.errors import OmniNetError
from omninet.model.official.conf import ACTIVITIES, ANSWERS, TAGS
from omninet.model.official.releases import CONF, STORE, Release

CHUNK = 2**20
PATIENCE_S = 60
WEIGHTS = "model.pth"
LARGEST = 4 * 2**30  # of the unpacked weights, which have 0.6 GB
Progress = Callable[[str], None]


class FetchError(OmniNetError):
    """What was to be downloaded is not there, or not what it should be."""


def fetch(release: Release, folder: Path, progress: Progress, store: str = STORE, conf: str = CONF) -> Path:
    """Download a release and the vocabularies into ``folder``; what is there already is not asked for again.

    Returns:
        its ``model.pth``; the vocabularies are in the folder ``conf`` beside it.

    Raises:
        FetchError: a download failed, so that the same call would go on; or it is not what it should be.
    """
    (folder / "conf").mkdir(parents=True, exist_ok=True)
    for name in (TAGS, ANSWERS, ACTIVITIES):
        download(f"{conf}/{name}", folder / "conf" / name, progress)
    archive = folder / release.archive
    weights = folder / archive.stem / WEIGHTS
    if not weights.exists():
        download(f"{store}/{archive.name}", archive, progress)
        _extract(archive, weights)
        archive.unlink()
    return weights


def download(url: str, target: Path, progress: Progress) -> None:
    """Bring ``url`` into ``target``; cut off, the next call goes on where this one was."""
    if target.exists():
        return
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            _copy(answer, part, target.name, progress)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # all of it is there already
            raise FetchError(f"{url}: {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise FetchError(f"{url}: {error}; what came is kept, the same command goes on from there") from None
    part.replace(target)


def _copy(answer: HTTPResponse, part: Path, name: str, progress: Progress) -> None:
    with part.open("ab" if answer.status == HTTPStatus.PARTIAL_CONTENT else "wb") as file:
        have, length = file.tell(), answer.headers.get("Content-Length")
        whole = have + int(length) if length else None
        while chunk := answer.read(CHUNK):
            have += file.write(chunk)
            progress(f"{name} {have / whole:.0%}" if whole else f"{name} {have / 1e6:.0f} MB")
    if whole is not None and have < whole:
        raise FetchError(f"{name}: the connection ended after {have} of {whole} bytes; the same command goes on there")


def _extract(archive: Path, target: Path) -> None:
    """The one file of the archive that is wanted; its place in there does not matter."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if Path(entry.filename).name == WEIGHTS]
            if len(entries) != 1 or entries[0].file_size > LARGEST:
                raise FetchError(f"{archive} holds {len(entries)} files {WEIGHTS}, or one too large; one is wanted")
            target.parent.mkdir(exist_ok=True)
            part = target.with_name(f"{WEIGHTS}.part")
            with opened.open(entries[0]) as source, part.open("wb") as file:
                shutil.copyfileobj(source, file, CHUNK)  # which holds the sum against that of the archive
            part.replace(target)
    except zipfile.BadZipFile as error:
        archive.unlink()
        raise FetchError(f"{archive} was no whole archive and is deleted: {error}; fetch it again") from None


def on_terminal(text: str) -> None:
    """Progress for people: one line that changes."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
