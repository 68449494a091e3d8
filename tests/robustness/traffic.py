"""Clients that send many requests and record the replies."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.robustness.server import Server

IMAGE_PATHS = ("/caption", "/vqa")
VIDEO_PATHS = ("/activity", "/video-caption", "/video-qa")
AUDIO_PATHS = ("/transcribe",)
MEDIA_PATHS = IMAGE_PATHS + VIDEO_PATHS + AUDIO_PATHS
PARTS = {"image": IMAGE_PATHS, "video": VIDEO_PATHS, "audio": AUDIO_PATHS}  # request field -> endpoints
QUESTION = "What is there?"
GIVE_UP_SECONDS = 120


@dataclass(frozen=True)
class Upload:
    """A file of a multipart request."""

    data: bytes
    name: str = "file"
    content_type: str = "application/octet-stream"
    note: str = ""


@dataclass(frozen=True)
class Ask:
    """A request: a path, and the arguments of ``httpx.AsyncClient.post``."""

    path: str
    arguments: dict[str, Any]
    note: str = ""


@dataclass(frozen=True)
class Reply:
    """A response; ``status`` is 0 if there was none."""

    ask: Ask
    status: int
    seconds: float
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Error code; empty without an error."""
        code: str = self.body.get("error", {}).get("code", "")
        return code

    @property
    def answer(self) -> dict[str, Any]:
        """Return the body without fields that vary between equal requests."""
        return {key: value for key, value in self.body.items() if key != "timings_ms"}


def ask(path: str, upload: Upload) -> Ask:
    """Create a request with a file."""
    part = next(part for part, paths in PARTS.items() if path in paths)
    arguments: dict[str, Any] = {"files": {part: (upload.name, upload.data, upload.content_type)}}
    if path in {"/vqa", "/video-qa"}:
        arguments["data"] = {"question": QUESTION}
    return Ask(path, arguments, upload.note)


async def send(client: httpx.AsyncClient, question: Ask) -> Reply:
    """Send one request and return its reply."""
    started = time.perf_counter()
    try:
        response = await client.post(question.path, **question.arguments)
    except httpx.TransportError as error:
        return Reply(question, 0, time.perf_counter() - started, {"error": {"code": type(error).__name__}})
    is_json = response.headers["Content-Type"].startswith("application/json")  # otherwise a stream of events
    return Reply(question, response.status_code, time.perf_counter() - started, response.json() if is_json else {})


def connect(server: Server) -> httpx.AsyncClient:
    """Create a client without a limit on connections."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=server.address, timeout=GIVE_UP_SECONDS, limits=limits)


async def send_all(server: Server, questions: Iterable[Ask], clients: int = 8) -> list[Reply]:
    """Send requests by several clients, each one at a time; return the replies in the order of arrival."""
    waiting, replies = iter(questions), list[Reply]()

    async def ask_on(client: httpx.AsyncClient) -> None:
        for question in waiting:
            replies.append(await send(client, question))

    async with connect(server) as client:
        await asyncio.gather(*[ask_on(client) for _ in range(clients)])
    return replies


def outcomes(replies: Sequence[Reply]) -> str:
    """Return the number of replies by status and code as text."""
    counted = Counter(f"{reply.status} {reply.code}".strip() for reply in replies)
    return ", ".join(f"{count} x {what}" for what, count in counted.most_common())


def percentile(replies: Sequence[Reply], share: float) -> float:
    """Return a quantile of the response times in seconds."""
    times = sorted(reply.seconds for reply in replies)
    return times[min(len(times) - 1, int(share * len(times)))]
