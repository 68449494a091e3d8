"""Requests of the load test: real inputs as complete HTTP messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "app" / "static" / "samples"
# Endpoint -> its task.
TASKS = {
    "caption": "caption",
    "vqa": "vqa",
    "pos": "pos",
    "activity": "activity",
    "video-caption": "caption",
    "video-qa": "vqa",
}
BOUNDARY = "----omninet-benchmark"
MOST_FILES = 64
QUESTIONS = ("What is on the table?", "What colour is the shirt?", "How many people are there?", "What is he doing?")
SENTENCES = (
    "He bought two red apples.",
    "She didn't know that the old lighthouse still worked.",
    "Time flies like an arrow; fruit flies like a banana.",
    "The quick brown fox didn't jump over Mr. Smith's lazy dog.",
    "Stay!",
    "Two men play tennis on a court, and a woman watches them.",
    "In 1998 the company moved its headquarters from New York to a small town in the west of Ireland.",
    "Nobody asked.",
    "What the committee decided last week will be announced after the holidays.",
    "Rain is expected in the north, with strong winds along the coast by the evening.",
    "I have never seen so many birds in one place.",
    "Please send me the report before Friday.",
)


@dataclass(frozen=True)
class Post:
    """An HTTP request with its expected answer.

    Attributes:
        inputs: equivalent arguments for ``Predictor.predict``.
        expected: answer of the bare model; None if not computed yet.
    """

    endpoint: str
    content_type: str
    body: bytes
    inputs: Mapping[str, Any] = field(default_factory=dict)
    expected: Any = None
    method: str = "POST"

    @property
    def task(self) -> str:
        """Return the task of the endpoint."""
        return TASKS[self.endpoint]

    def request(self) -> bytes:
        """Return the complete HTTP message."""
        head = (
            f"{self.method} /{self.endpoint} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {self.content_type}\r\n"
            f"Content-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


HEALTH = Post("healthz", "text/plain", b"", method="GET")


def posts(data: Path | None = None) -> dict[str, list[Post]]:
    """Return requests for each endpoint.

    Args:
        data: folder with ``flickr8k`` and ``activities``, whose dev photos and clips are used; None uses the samples
            of the service.
    """
    photos, clips = _photos(data), _clips(data)
    return {
        "caption": [_form("caption", image=photo) for photo in photos],
        "vqa": [_form("vqa", image=photo, question=question) for photo, question in _asked(photos)],
        "pos": [_json("pos", text=sentence) for sentence in SENTENCES],
        "activity": [_form("activity", video=clip) for clip in clips],
        "video-caption": [_form("video-caption", video=clip) for clip in clips],
        "video-qa": [_form("video-qa", video=clip, question=question) for clip, question in _asked(clips)],
    }


def answer_in(body: Mapping[str, Any]) -> Any:
    """Extract the answer from a response body."""
    if "sentences" in body:
        return [token["tag"] for sentence in body["sentences"] for token in sentence["tokens"]]
    return next((body[name] for name in ("caption", "answer", "activity") if name in body), None)


def _photos(data: Path | None) -> list[bytes]:
    if data is None:
        return _read(sorted(SAMPLES.glob("*.jpg")))
    names = (data / "flickr8k" / "Flickr_8k.devImages.txt").read_text().split()
    return _read(data / "flickr8k" / "Flicker8k_Dataset" / name for name in names[:MOST_FILES])


def _clips(data: Path | None) -> list[bytes]:
    if data is None:
        return _read(sorted(SAMPLES.glob("*.webm")))
    names = (data / "activities" / "dev.txt").read_text().split()
    return _read(data / "activities" / "clips" / name for name in names[:MOST_FILES])


def _read(files: Iterable[Path]) -> list[bytes]:
    return [file.read_bytes() for file in files]


def _asked(files: Sequence[bytes]) -> list[tuple[bytes, str]]:
    return [(file, QUESTIONS[i % len(QUESTIONS)]) for i, file in enumerate(files)]


def _json(endpoint: str, **inputs: Any) -> Post:
    return Post(endpoint, "application/json", json.dumps(inputs).encode(), inputs)


def _form(endpoint: str, **inputs: bytes | str) -> Post:
    parts = b"".join(_part(name, value) for name, value in inputs.items())
    body = parts + f"--{BOUNDARY}--\r\n".encode()
    return Post(endpoint, f"multipart/form-data; boundary={BOUNDARY}", body, inputs)


def _part(name: str, value: bytes | str) -> bytes:
    file, content = ("", value.encode()) if isinstance(value, str) else ('; filename="file"', value)
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"
