"""Tests of the contract of the six endpoints: names and types of the JSON fields."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import httpx
import pytest

from omninet.model.outputs.text.answer import Caption
from omninet.model.predictor import Predictor
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.anyio
STAGES = {"decode_media", "prepare", "queue", "encode", "decode", "total"}


def checked(response: httpx.Response, *names: str) -> dict[str, Any]:
    """Check the fields common to all answers and return the body."""
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert list(answer) == [*names, "confidence", "model", "timings_ms", "notes"]
    assert answer["model"] == {"name": "toy", "version": "0.0.1"}
    times = answer["timings_ms"]
    assert set(times) == STAGES
    assert all(value >= 0 for value in times.values())
    assert sum(times.values()) == pytest.approx(2 * times["total"], abs=0.1)
    return answer


def check_caption(answer: dict[str, Any]) -> None:
    assert "".join(token["text"] for token in answer["tokens"]) == answer["caption"]
    assert all(0 <= token["probability"] <= 1 for token in answer["tokens"])
    assert answer["log_probability"] <= sum(math.log(token["probability"]) for token in answer["tokens"]) + 1e-6


def check_candidates(answer: dict[str, Any], name: str) -> None:
    probabilities = [item["probability"] for item in answer["candidates"]]
    assert all(set(item) == {name, "probability"} for item in answer["candidates"])
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(probabilities) <= 5
    assert answer[name] == answer["candidates"][0][name]


async def test_caption(client: httpx.AsyncClient) -> None:
    response = await client.post("/caption", files={"image": jpeg_bytes()})
    check_caption(checked(response, "caption", "log_probability", "tokens", "alternatives"))


async def test_captions_with_candidates(client: httpx.AsyncClient, toy_predictor: Predictor) -> None:
    options = {"beams": 4, "n_best": 3, "max_length": 6, "no_repeat_ngram": 2}

    body = (await client.post("/caption", files={"image": jpeg_bytes()}, data=options)).json()

    expected = toy_predictor.predict("caption", image=jpeg_bytes(), **options)
    assert isinstance(expected, Caption)
    assert [each["caption"] for each in body["alternatives"]] == [each.caption for each in expected.alternatives]
    assert len(body["alternatives"]) == 2
    for found in (body, *body["alternatives"]):
        assert found["caption"] == "".join(token["text"] for token in found["tokens"])
        assert 0 < len(found["tokens"]) <= 6


async def test_caption_by_sampling(client: httpx.AsyncClient) -> None:
    async def ask(seed: int) -> str:
        options = {"temperature": 2, "top_p": 0.9, "seed": seed}
        reply = await client.post("/video-caption", files={"video": video_bytes()}, data=options)
        return str(reply.json()["caption"])

    first, again, other = await asyncio.gather(ask(1), ask(1), ask(2))

    assert first == again != other


async def test_a_caption_with_beams(client: httpx.AsyncClient, toy_predictor: Predictor) -> None:
    async def ask(**data: str) -> dict[str, Any]:
        response = await client.post("/caption", files={"image": jpeg_bytes()}, data=data)
        return checked(response, "caption", "log_probability", "tokens", "alternatives")

    plain, greedy, searched = await ask(), await ask(beams="1"), await ask(beams="4")

    assert greedy["tokens"] == plain["tokens"]
    check_caption(searched)
    expected = toy_predictor.predict("caption", image=jpeg_bytes(), beams=4)
    assert isinstance(expected, Caption)
    assert searched["caption"] == expected.caption
    assert searched["log_probability"] == pytest.approx(expected.log_probability, abs=1e-4)


async def test_vqa(client: httpx.AsyncClient) -> None:
    response = await client.post("/vqa", files={"image": jpeg_bytes()}, data={"question": "What is on the table?"})
    check_candidates(checked(response, "answer", "candidates"), "answer")


@pytest.mark.parametrize("container", ["mp4", "webm", "gif"])
async def test_activity(client: httpx.AsyncClient, container: str) -> None:
    response = await client.post("/activity", files={"video": video_bytes(container)})
    answer = checked(response, "activity", "candidates")
    check_candidates(answer, "activity")
    assert answer["timings_ms"]["decode_media"] > 0


async def test_video_caption(client: httpx.AsyncClient) -> None:
    response = await client.post("/video-caption", files={"video": video_bytes()})
    check_caption(checked(response, "caption", "log_probability", "tokens", "alternatives"))


async def test_video_qa(client: httpx.AsyncClient) -> None:
    response = await client.post("/video-qa", files={"video": video_bytes()}, data={"question": "Who runs?"})
    check_candidates(checked(response, "answer", "candidates"), "answer")


async def test_pos_of_a_text_has_offsets_into_it(client: httpx.AsyncClient) -> None:
    text = "She didn't run.  He did!"
    answer = checked(await client.post("/pos", json={"text": text}), "sentences")
    sentences = [sentence["tokens"] for sentence in answer["sentences"]]
    assert [[token["text"] for token in tokens] for tokens in sentences] == [
        ["She", "did", "n't", "run", "."],
        ["He", "did", "!"],
    ]
    for token in (token for tokens in sentences for token in tokens):
        assert set(token) == {"text", "start", "end", "tag", "probability"}
        assert text[token["start"] : token["end"]] == token["text"]


@pytest.mark.parametrize(
    ("body", "sentences"),
    [
        ({"text": ["A dog runs.", "Two men play. They run."]}, 3),
        ({"tokens": ["A", "dog", "runs"]}, 1),
        ({"tokens": [["A", "dog"], ["runs"]]}, 2),
        ({"text": "A dog runs.", "tokens": None}, 1),
    ],
)
async def test_pos_takes_lists(client: httpx.AsyncClient, body: dict[str, Any], sentences: int) -> None:
    answer = checked(await client.post("/pos", json=body), "sentences")
    assert len(answer["sentences"]) == sentences
    offsets = [token["start"] for sentence in answer["sentences"] for token in sentence["tokens"]]
    assert all((start is None) == bool(body.get("tokens")) for start in offsets)


async def test_more_sentences_than_a_batch_holds(client: httpx.AsyncClient) -> None:
    answer = checked(await client.post("/pos", json={"text": "It runs. " * 100}), "sentences")
    assert len(answer["sentences"]) == 100


async def test_truncated_file_is_answered_with_a_note(client: httpx.AsyncClient) -> None:
    whole = jpeg_bytes(640, 480)
    response = await client.post("/caption", files={"image": whole[: len(whole) // 2]})
    assert any("cut short" in note for note in response.json()["notes"])


async def test_file_name_is_ignored(client: httpx.AsyncClient) -> None:
    files = {"video": ("http://127.0.0.1:1/list.m3u8", video_bytes(), "application/x-mpegurl")}
    assert (await client.post("/activity", files=files)).status_code == 200
