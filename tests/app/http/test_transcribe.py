"""POST /transcribe: recordings of any format."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes
from tests.sounds import encoded, tone, wav
from tests.toys import with_speech

pytestmark = pytest.mark.anyio
SPEECH = wav(tone(0.5, 16_000), 16_000)
SECONDS = 2.0


@pytest.fixture
async def client(toy: Checkpoint) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(device="cpu", max_audio_seconds=SECONDS)
    predictor = Predictor(with_speech(toy), device="cpu")
    async with talking_to(create_app(settings, Engine([predictor]))) as client:
        yield client


async def transcribed(client: httpx.AsyncClient, audio: bytes = SPEECH, **fields: Any) -> dict[str, Any]:
    response = await client.post("/transcribe", files={"audio": ("speech", audio)}, data=fields)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_a_recording_of_any_format(client: httpx.AsyncClient) -> None:
    for audio in (SPEECH, encoded(tone(0.5, 48_000), 48_000, "webm", "libopus")):
        body = await transcribed(client, audio, n_best=2, beams=2)

        assert body["text"] == "".join(token["text"] for token in body["tokens"])
        assert body["log_probability"] < 0
        assert len(body["alternatives"]) == 1


async def test_a_stream_has_the_characters(client: httpx.AsyncClient) -> None:
    whole = await transcribed(client)
    response = await client.post("/transcribe", files={"audio": ("speech", SPEECH)}, data={"stream": "true"})

    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in response.text.strip().split("\n\n")]
    tokens = [json.loads(block["data"])["text"] for block in blocks if block["event"] == "token"]
    assert "".join(tokens) == whole["text"]
    assert json.loads(blocks[-1]["data"])["text"] == whole["text"]


async def test_silence_has_an_empty_text(client: httpx.AsyncClient) -> None:
    body = await transcribed(client, wav(np.zeros(8000, np.int16), 8000))

    assert (body["text"], body["tokens"]) == ("", [])
    assert body["notes"] == ["nothing can be heard in the recording"]


@pytest.mark.parametrize(
    ("audio", "code", "named"),
    [
        (b"", "empty_file", "the audio file is empty"),
        (b"no recording", "not_audio", "wav, flac, ogg, mp3, m4a, webm"),
        (jpeg_bytes(), "not_audio", "not a readable recording"),
        (wav(tone(3, 8000), 8000), "audio_too_long", "OMNINET_MAX_AUDIO_SECONDS"),
    ],
)
async def test_a_file_that_cannot_be_transcribed(
    client: httpx.AsyncClient, audio: bytes, code: str, named: str
) -> None:
    response = await client.post("/transcribe", files={"audio": ("speech", audio)})

    check(response, 413 if code == "audio_too_long" else 422, code)
    assert named in response.text


async def test_the_field_is_needed(client: httpx.AsyncClient) -> None:
    check(await client.post("/transcribe", files={"image": SPEECH}), 422, "missing_part")


async def test_the_task_is_listed_and_in_batches(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/tasks")).json()
    task = next(task for task in listed["tasks"] if task["name"] == "transcribe")
    items = [
        {"task": "transcribe", "inputs": {"audio": base64.b64encode(SPEECH).decode()}},
        {"task": "pos", "inputs": {"text": "A dog runs."}},
        {"task": "transcribe", "inputs": {"audio": base64.b64encode(b"none").decode()}},
    ]

    response = await client.post("/batch", json={"items": items})

    assert task["limits"]["audio_seconds"] == SECONDS
    assert (task["output"], task["uses"][0]["path"]) == ("transcript", "/transcribe")
    first, second, third = response.json()["results"]
    assert first["answer"]["text"] == (await transcribed(client))["text"]
    assert second["answer"]["sentences"]
    assert third["error"]["code"] == "not_audio"
