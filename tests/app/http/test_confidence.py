"""The confidence of answers over HTTP: null without calibration, calibrated, streamed, its threshold in /tasks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import numpy as np
import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.confidence.confidence import Confidence, WordPresence, log_odds
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.samples import jpeg_bytes

pytestmark = pytest.mark.anyio
CERTAIN = WordPresence(("dog",), np.zeros((1, 32)), np.zeros(1))
CONFIDENCES = {
    "vqa": Confidence(0.5, 0.25, 0.6),
    "pos": Confidence(1.0, 3.0, 0.5),
    "caption": Confidence(1.0, -2.0, 0.7, CERTAIN),
}


@pytest.fixture
async def calibrated(toy: Checkpoint) -> AsyncIterator[httpx.AsyncClient]:
    predictor = Predictor(replace(toy, confidences=CONFIDENCES), device="cpu")
    async with talking_to(create_app(Settings(), Engine([predictor]))) as client:
        yield client


async def test_it_is_a_logistic_function_of_the_log_odds(calibrated: httpx.AsyncClient) -> None:
    asked = {"question": "What is it?"}
    body = (await calibrated.post("/vqa", files={"image": jpeg_bytes()}, data=asked)).json()

    evidence = log_odds(float(np.log(body["candidates"][0]["probability"])))
    assert body["confidence"] == pytest.approx(1 / (1 + np.exp(-(0.5 * evidence + 0.25))), abs=1e-3)


async def test_sentences_are_right_together(calibrated: httpx.AsyncClient) -> None:
    async def ask(*sentences: list[str]) -> float:
        found: float = (await calibrated.post("/pos", json={"tokens": sentences})).json()["confidence"]
        return found

    one, other = await ask(["A", "dog", "runs", "."]), await ask(["She", "saw", "it", "."])

    both = await ask(["A", "dog", "runs", "."], ["She", "saw", "it", "."])
    assert both == pytest.approx(one * other, abs=2e-4)


async def test_captions_use_the_words_that_the_picture_has(calibrated: httpx.AsyncClient, toy: Checkpoint) -> None:
    body = (await calibrated.post("/caption", files={"image": jpeg_bytes()})).json()

    assert "dog" not in body["caption"].lower().split()
    assert body["confidence"] == 0  # a caption without a known noun


async def test_streamed_answers_have_it(calibrated: httpx.AsyncClient) -> None:
    options = {"stream": "true"}
    stream = await calibrated.post("/caption", files={"image": jpeg_bytes()}, data=options)

    answer = next(part for part in stream.text.split("\n\n") if part.startswith("event: answer"))
    assert json.loads(answer.partition("data: ")[2])["confidence"] == 0


async def test_tasks_list_the_threshold(calibrated: httpx.AsyncClient) -> None:
    listed = {task["name"]: task["confidence"] for task in (await calibrated.get("/tasks")).json()["tasks"]}

    assert listed["vqa"] == {"threshold": 0.6}
    assert listed["caption"] == {"threshold": 0.7}
    assert listed["activity"] is None


async def test_without_calibration_it_is_null(client: httpx.AsyncClient) -> None:
    body = (await client.post("/caption", files={"image": jpeg_bytes()})).json()

    assert body["confidence"] is None
    assert all(task["confidence"] is None for task in (await client.get("/tasks")).json()["tasks"])
