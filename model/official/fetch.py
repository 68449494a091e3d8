"""Download of the authors' published checkpoints, with resume."""

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
from omninet.model.official.releases import BPEMB, CONF, STORE, SUBWORDS, Release

CHUNK = 2**20
TIMEOUT_S = 60
WEIGHTS = "model.pth"
MAX_WEIGHTS_BYTES = 4 * 2**30  # limit of the unpacked weights; those of the authors have 0.6 GB
Progress = Callable[[str], None]


class FetchError(OmniNetError):
    """A download failed, or its content is invalid."""


def fetch(release: Release, folder: Path, progress: Progress, store: str = STORE, conf: str = CONF) -> Path:
    """Download a release and the vocabularies into ``folder``; existing files are not downloaded again.

    Returns:
        Path of ``model.pth``; the vocabularies are in ``folder / "conf"``.

    Raises:
        FetchError: a download failed (call again to resume), or its content is invalid.
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


def fetch_subwords(progress: Progress, address: str = BPEMB) -> Path:
    """Return BPEmb's English SentencePiece model, from the cache of the library ``bpemb`` or downloaded to it.

    Raises:
        FetchError: the download failed.
    """
    target = Path.home() / ".cache" / "bpemb" / "en" / SUBWORDS
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        download(f"{address}/{SUBWORDS}", target, progress)
    except FetchError as error:
        raise FetchError(
            f"{error}; or get {SUBWORDS} from https://bpemb.h-its.org and pass it with --tokenizer"
        ) from None
    return target


def download(url: str, target: Path, progress: Progress) -> None:
    """Download ``url`` to ``target``; an interrupted download is resumed by the next call.

    Raises:
        FetchError: the download failed.
    """
    if target.exists():
        return
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            _copy(answer, part, target.name, progress)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # the part file is already complete
            raise FetchError(f"{url}: {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise FetchError(f"{url}: {error}; run the same command again to resume") from None
    part.replace(target)


def _copy(answer: HTTPResponse, part: Path, name: str, progress: Progress) -> None:
    with part.open("ab" if answer.status == HTTPStatus.PARTIAL_CONTENT else "wb") as file:
        have, length = file.tell(), answer.headers.get("Content-Length")
        whole = have + int(length) if length else None
        while chunk := answer.read(CHUNK):
            have += file.write(chunk)
            progress(f"{name} {have / whole:.0%}" if whole else f"{name} {have / 1e6:.0f} MB")
    if whole is not None and have < whole:
        raise FetchError(
            f"{name}: the connection ended after {have} of {whole} bytes; run the same command again to resume"
        )


def _extract(archive: Path, target: Path) -> None:
    """Extract ``model.pth`` from an archive, wherever it is in there.

    Raises:
        FetchError: the archive is damaged, or does not have exactly one ``model.pth`` of a valid size.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if Path(entry.filename).name == WEIGHTS]
            if len(entries) != 1 or entries[0].file_size > MAX_WEIGHTS_BYTES:
                raise FetchError(
                    f"{archive} has {len(entries)} files {WEIGHTS}, or one that is too large; it must have exactly one"
                )
            target.parent.mkdir(exist_ok=True)
            part = target.with_name(f"{WEIGHTS}.part")
            with opened.open(entries[0]) as source, part.open("wb") as file:
                shutil.copyfileobj(source, file, CHUNK)  # reading checks the CRC of the archive
            part.replace(target)
    except zipfile.BadZipFile as error:
        archive.unlink()
        raise FetchError(f"{archive} was damaged and has been deleted: {error}; run the command again") from None


def on_terminal(text: str) -> None:
    """Show progress as one changing line on stderr, if it is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
