"""Tests of the limit on text length."""

from __future__ import annotations

from typing import Any

import pytest

from omninet.app.errors import ServiceError
from omninet.app.http.text_limits import check_length
from tests.app.conftest import Serve
from tests.app.http.test_error_responses import check
from tests.samples import jpeg_bytes


@pytest.mark.parametrize(
    "value", ["abcde", ["abc", "de"], [["a", "b"], ["cde"]], {"abc": "de"}, [{"a": 1.5, "b": None}, ["cde", True]]]
)
def test_all_that_is_sent_counts(value: Any) -> None:
    check_length([("question", None), ("text", value)], 5)
    with pytest.raises(ServiceError, match="the text has 5 characters; at most 4 are accepted") as refused:
        check_length([("text", value)], 4)
    assert refused.value.code == "text_too_long"


@pytest.mark.anyio
async def test_too_long_for_the_service(serve: Serve) -> None:
    async with serve(max_text_characters=20) as client:
        assert (await client.post("/pos", json={"text": "A dog runs."})).status_code == 200
        text = check(await client.post("/pos", json={"text": "A dog runs. " * 2}), 413, "text_too_long")
        data = {"question": "What is on the table?"}
        question = check(await client.post("/vqa", files={"image": jpeg_bytes()}, data=data), 413, "question_too_long")
    assert text["detail"] == {"characters": 24, "limit": 20}
    assert question["detail"] == {"characters": 21, "limit": 20}
