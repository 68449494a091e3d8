"""Completeness check of data sets: read every split, and decode every picture, clip and recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from omninet.model.errors import InputError
from omninet.model.media.audio import decode_audio
from omninet.model.media.images import decode_image
from omninet.model.media.videos import decode_video
from omninet.training.data.base import DataError, DataSet, Example, MissingError

RATE = 16_000  # at which recordings are decoded
MISSING = "is missing"
SHOWN = 5  # maximum number of problems in an error message


DECODERS: Mapping[str, Callable[[bytes], Any]] = {
    "image": decode_image,
    "video": decode_video,
    "audio": lambda data: decode_audio(data, RATE),
}


@dataclass(frozen=True)
class SplitReport:
    """Contents and problems of one split of a data set.

    Attributes:
        media: number of distinct pictures, clips and recordings.
        missing: files that do not exist.
        unreadable: path -> reason.
        error: reason why the split cannot be read at all.
    """

    name: str
    split: str
    examples: int = 0
    media: int = 0
    missing: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None

    @property
    def problems(self) -> list[str]:
        """Return one line per problem."""
        lines = [f"{path} {MISSING}" for path in self.missing]
        lines += [f"{path}: {why}" for path, why in self.unreadable.items()]
        return [self.error, *lines] if self.error else lines


def check(sets: Mapping[str, DataSet]) -> list[SplitReport]:
    """Read every split and decode every file once, with a progress bar on stderr.

    A missing ``test`` split is not reported, since it is optional.
    """
    found = [_read(name, dataset, split) for name, dataset in sets.items() for split in dataset.splits]
    splits = [both for both in found if both]
    faults = _faults({path: kind for _, media in splits for path, kind in media.items()})
    return [_with_faults(report, {path: faults[path] for path in media}) for report, media in splits]


def _read(name: str, dataset: DataSet, split: str) -> tuple[SplitReport, dict[Path, str]] | None:
    """Return the report before decoding, and path -> name in DECODERS; None for a missing test split."""
    try:
        examples = dataset.read(split)
    except DataError as error:
        if split == "test" and isinstance(error, MissingError):
            return None
        return SplitReport(name, split, error=str(error)), {}
    media = {path: _kind(example, path) for example in examples for path in example.media}
    empty = None if examples else f"{dataset.folder} holds no {split} example"
    return SplitReport(name, split, len(examples), len(media), error=empty), media


def _with_faults(report: SplitReport, faults: Mapping[Path, str]) -> SplitReport:
    missing = tuple(str(path) for path, why in faults.items() if why == MISSING)
    unreadable = {str(path): why for path, why in faults.items() if why not in {"", MISSING}}
    return replace(report, missing=missing, unreadable=unreadable)


def _kind(example: Example, path: Path) -> str:
    return next((kind for kind in DECODERS if example.inputs.get(kind) == path), "image")


def _faults(media: Mapping[Path, str]) -> dict[Path, str]:
    """Return path -> problem of the file, empty if there is none."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        results = pool.map(_fault, media.keys(), media.values())
        return dict(zip(media, tqdm(results, desc="decoding", total=len(media), unit="file"), strict=True))
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt must not wait for the queued files


def _fault(path: Path, kind: str) -> str:
    try:
        data = path.read_bytes()
        decoded = DECODERS[kind](data)
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except InputError as error:
        return error.message
    return "the file ends early" if decoded.truncated else ""


def table(reports: Sequence[SplitReport]) -> str:
    """Return a Markdown table of the reports."""
    lines = ["| data | split | examples | media files | missing | unreadable |", "|---|---|---|---|---|---|"]
    for r in reports:
        counts = ["-"] * 4 if r.error else [r.examples, r.media, len(r.missing), len(r.unreadable)]
        lines.append(f"| {r.name} | {r.split} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines) + "\n"


def refuse(reports: Sequence[SplitReport]) -> None:
    """Raise an error if there are problems.

    Raises:
        DataError: there are problems; the message counts them and names the first few.
    """
    problems = list(dict.fromkeys(line for report in reports for line in report.problems))
    if problems:
        count = len(problems)
        more = f"; and {count - SHOWN} more" if count > SHOWN else ""
        raise DataError(f"{count} problem{'s' * (count > 1)}: {'; '.join(problems[:SHOWN])}{more}")
