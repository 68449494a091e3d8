"""Requests of the load test: real inputs as complete HTTP messages."""

from __future__ import annotations

import io
import json
import math
import wave
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "app" / "static" / "samples"
BOUNDARY = "----omninet-benchmark"
TASK = "X-Task"
MOST_FILES = 64
RATE = 8_000  # samples a second
TONES = (300, 440, 700, 1_000)  # Hz
GERMAN = {"source": "en", "target": "de"}
# Fields of answers that are written out.
WRITTEN = ("caption", "answer", "activity", "label", "translation", "text")
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
        task: that answers; sent in the header TASK to the baselines. The service needs no header: it chooses the task
            by the endpoint and the fields.
        inputs: equivalent arguments for ``Predictor.predict``.
        expected: answer of the bare model; None if not computed yet.
    """

    endpoint: str
    content_type: str
    body: bytes
    task: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    expected: Any = None
    method: str = "POST"

    def headers(self) -> dict[str, str]:
        """Return the headers that say what the body is and which task it is for."""
        return {"Content-Type": self.content_type, TASK: self.task}

    def request(self) -> bytes:
        """Return the complete HTTP message."""
        headers = {"Host": "127.0.0.1", **self.headers(), "Content-Length": str(len(self.body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} /{self.endpoint} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


HEALTH = Post("healthz", "text/plain", b"", method="GET")


def posts(data: Path | None = None) -> dict[str, list[Post]]:
    """Return requests for each endpoint of the paper's tasks.

    Args:
        data: folder with ``flickr8k`` and ``activities``, whose dev photos and clips are used; None uses the samples
            of the service.
    """
    photos, clips = _photos(data), _clips(data)
    return {
        "caption": [_form("caption", "caption", image=photo) for photo in photos],
        "vqa": [_form("vqa", "vqa", image=photo, question=question) for photo, question in _asked(photos)],
        "pos": [_json("pos", "pos", {"text": sentence}) for sentence in SENTENCES],
        "activity": [_form("activity", "activity", video=clip) for clip in clips],
        "video-caption": [_form("video-caption", "caption", video=clip) for clip in clips],
        "video-qa": [_form("video-qa", "vqa", video=clip, question=question) for clip, question in _asked(clips)],
    }


def further_posts() -> dict[str, list[Post]]:
    """Return requests for each task that the bundled checkpoint has besides those of the paper, of the samples."""
    photos, about = _photos(None), list(zip(cycle(_photos(None)), SENTENCES, strict=False))
    return {
        "entities": [_json("entities", "entities", {"text": sentence}) for sentence in SENTENCES],
        "translate": [_json("translate", "english_german", {"text": text}, GERMAN) for text in SENTENCES],
        "match": [_form("match", "match", image=photo, text=text) for photo, text in about],
        "embed": [_form("embed", "embed", image=photo) for photo in photos],
        "ground": [_form("ground", "ground", image=photo, phrase="a man") for photo in photos],
        "verify": [_form("verify", "entailment", image=photo, statement=text) for photo, text in about],
        "classify": [_form("classify", "imagenet", image=photo) for photo in photos],
        "german": [_form("caption", "german_caption", {"language": "de"}, image=photo) for photo in photos],
        "transcribe": [_form("transcribe", "transcribe", audio=_tone(hertz)) for hertz in TONES],
        "read": [_form("read", "read_scene", image=photo) for photo in photos],
    }


def answer_in(body: Mapping[str, Any]) -> Any:
    """Extract the answer from a response body; of numbers, which rounding changes, what a reader would notice."""
    if "sentences" in body:
        return [token["tag"] for sentence in body["sentences"] for token in sentence["tokens"]]
    if "vector" in body:
        return [round(value, 1) + 0.0 for value in body["vector"][:8]]
    if "words" in body:
        return [word["text"] for word in body["words"]]
    if "score" in body:
        return round(body["score"])
    if "boxes" in body:
        return len(body["boxes"])
    return next((body[name] for name in WRITTEN if name in body), None)


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


def _tone(hertz: int) -> bytes:
    """Return a second of a tone as a WAV file; the network hears letters in it."""
    samples = (int(16_000 * math.sin(2 * math.pi * hertz * i / RATE)) for i in range(RATE))
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(RATE)
            writer.writeframes(array("h", samples).tobytes())
        return file.getvalue()


def _json(endpoint: str, task: str, inputs: Mapping[str, Any], options: Mapping[str, Any] | None = None) -> Post:
    body = json.dumps({**inputs, **(options or {})}).encode()
    return Post(endpoint, "application/json", body, task, inputs)


def _form(endpoint: str, task: str, options: Mapping[str, str] | None = None, **inputs: bytes | str) -> Post:
    parts = b"".join(_part(name, value) for name, value in {**inputs, **(options or {})}.items())
    body = parts + f"--{BOUNDARY}--\r\n".encode()
    return Post(endpoint, f"multipart/form-data; boundary={BOUNDARY}", body, task, inputs)


def _part(name: str, value: bytes | str) -> bytes:
    file, content = ("", value.encode()) if isinstance(value, str) else ('; filename="file"', value)
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"
