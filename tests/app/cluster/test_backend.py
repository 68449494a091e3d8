"""Tests of the ingress's backend with deployments that are lost, overloaded or serve another checkpoint."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, NodeDiedError, ObjectLostError, OutOfMemoryError, RayTaskError
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, ReplicaUnavailableError

from omninet.app.backend import Description, Prediction, Query, Upload
from omninet.app.cluster import backend
from omninet.app.cluster.backend import ClusterBackend
from omninet.app.cluster.messages import Found, OtherPeripheralError, Question, packed, unpacked
from omninet.app.errors import ServiceError
from omninet.app.processes.messages import pack
from omninet.app.telemetry.stopwatch import Stopwatch
from omninet.model.errors import InputError
from omninet.model.network_config import OmniNetConfig
from omninet.model.outputs.text.answer import Caption, Text

pytestmark = pytest.mark.anyio
VISION: Any = "as one checkpoint sees"
CAPTION = Prediction(Caption("A dog", -1.0, ()), "toy", "1", dict.fromkeys(("prepare", "encode", "decode"), 2.0), 2, 1)
LOST = ActorDiedError()
failed: Any = RayTaskError
FAILED = failed("answer", "Traceback", ValueError("secret"))

errors: Any = (OutOfMemoryError, NodeDiedError)
ALL_LOST = [LOST, ObjectLostError("00" * 28, None, "call"), *(kind("gone") for kind in errors)]
ALL_LOST.append(ReplicaUnavailableError("model#1"))


class Response:
    """Response of a deployment: a value or an error."""

    def __init__(self, found: Any) -> None:
        self._found = found
        self.is_cancelled = False

    def __await__(self) -> Any:
        return self._get().__await__()

    async def _get(self) -> Any:
        if callable(self._found):
            return await self._found()
        if isinstance(self._found, Exception):
            raise self._found
        return self._found

    async def __aiter__(self) -> AsyncIterator[Any]:
        for part in self._found:
            if isinstance(part, Exception):
                raise part
            yield part

    def cancel(self) -> None:
        """Cancel the call; like Ray's method, raise the error of a failed call."""
        self.is_cancelled = True
        for found in self._found if isinstance(self._found, list) else [self._found]:
            if isinstance(found, Exception):
                raise found


class Method:
    """A method of a deployment with a scripted sequence of responses."""

    def __init__(self, *found: Any) -> None:
        self._found = list(found)
        self.calls: list[tuple[Any, ...]] = []
        self.responses: list[Response] = []

    def remote(self, *arguments: Any) -> Response:
        self.calls.append(arguments)
        self.responses.append(Response(self._found.pop(0)))
        return self.responses[-1]


class Deployment:
    """A deployment handle with scripted methods."""

    def __init__(self, **methods: Method) -> None:
        self.__dict__ |= methods

    def options(self, *, stream: bool) -> Deployment:
        assert stream
        return self


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "PAUSE_S", 0.0)


def query(file: bytes | None = None) -> Query:
    uploads = () if file is None else (Upload("image", "vision", "image", io.BytesIO(file)),)
    return Query("caption", {"beams": 1}, uploads, time.monotonic() + 10)


def cluster(decode: Method | None = None, **methods: Method) -> ClusterBackend:
    decoder: Any = Deployment(decode=decode or Method())
    model: Any = Deployment(**{"check": Method(pack(None)), **methods})
    return ClusterBackend(decoder, model)


def seen(frames: Any = "frames") -> bytes:
    return pack(Found(frames, VISION, decode_ms=3.0))


async def test_an_upload_is_decoded_and_its_frames_go_to_a_model() -> None:
    decode, answer = Method(seen()), Method(pack(CAPTION))
    asked = query(b"file")
    found = await cluster(decode, predict=answer).predict(asked, Stopwatch())
    assert found.answer == CAPTION.answer
    assert decode.calls == [("vision", "image", b"file")]
    question = unpacked(answer.calls[0][0])
    assert isinstance(question, Question)
    assert question.inputs == {"beams": 1, "image": "frames"}
    assert question.configs == {"vision": VISION}
    assert asked.until - time.monotonic() < question.seconds < 10
    assert {"decode_media": 3.0, "prepare": 2.0, "encode": 2.0, "decode": 2.0}.items() <= found.timings.items()


async def test_request_is_checked_before_its_upload_is_decoded() -> None:
    check, decode = Method(pack(InputError("bad_option", "beams must be at most 8"))), Method()
    with pytest.raises(InputError, match="at most 8"):
        await cluster(decode, check=check).predict(query(b"file"), Stopwatch())
    assert check.calls == [("caption", {"beams": 1, "image": "image"})]
    assert decode.calls == []


async def test_each_of_several_uploads_is_decoded() -> None:
    decode, answer = Method(seen("one"), seen("two")), Method(pack(CAPTION))
    uploads = tuple(
        Upload(side, eye, "image", io.BytesIO(side.encode())) for side, eye in (("left", "a"), ("right", "b"))
    )
    await cluster(decode, predict=answer).predict(Query("same", {}, uploads, time.monotonic() + 10), Stopwatch())
    assert decode.calls == [("a", "image", b"left"), ("b", "image", b"right")]
    question = unpacked(answer.calls[0][0])
    assert question.inputs == {"left": "one", "right": "two"}
    assert question.configs == {"a": VISION, "b": VISION}


@pytest.mark.parametrize("lost", ALL_LOST)
async def test_lost_calls_are_repeated(lost: Exception) -> None:
    decode, answer = Method(lost, seen()), Method(lost, lost, pack(CAPTION))
    found = await cluster(decode, predict=answer).predict(query(b"file"), Stopwatch())
    assert found.answer == CAPTION.answer
    assert decode.calls == [("vision", "image", b"file")] * 2
    assert len(answer.calls) == 3


async def test_upload_for_another_checkpoint_is_decoded_again() -> None:
    other = await packed(_raise(OtherPeripheralError()))
    decode, answer = Method(seen("old"), seen("new")), Method(other, pack(CAPTION))
    await cluster(decode, predict=answer).predict(query(b"file"), Stopwatch())
    assert [unpacked(call[0]).inputs["image"] for call in answer.calls] == ["old", "new"]


async def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("found", "status", "code"),
    [
        (BackPressureError(2, 2), 503, "overloaded"),
        (DeploymentUnavailableError(DeploymentID("model")), 503, "not_ready"),
        (FAILED, 500, "internal_error"),
    ],
)
async def test_ray_errors_become_service_errors(found: Exception, status: int, code: str) -> None:
    with pytest.raises(ServiceError) as error:
        await cluster(predict=Method(found)).predict(query(), Stopwatch())
    assert (error.value.status_code, error.value.code) == (status, code)
    assert ("Retry-After" in (error.value.headers or {})) == (status == 503)


async def test_deployment_errors_are_passed_on() -> None:
    refused = await packed(_raise(InputError("not_an_image", "it is none", limit=1)))
    with pytest.raises(InputError) as error:
        await cluster(Method(refused)).predict(query(b""), Stopwatch())
    assert (error.value.code, error.value.detail) == ("not_an_image", {"limit": 1, "input": "image"})


async def test_cancellation_cancels_the_call() -> None:
    async def last() -> None:
        await asyncio.sleep(60)

    answer = Method(last)
    asking = asyncio.create_task(cluster(predict=answer).predict(query(), Stopwatch()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert answer.responses[0].is_cancelled


A, A_DOG = (pack(Text(caption, -1.0, ())) for caption in ("A", "A dog"))


async def test_stream_passes_on_updates() -> None:
    told: list[Text] = []
    found = await cluster(stream=Method([A, A_DOG, pack(CAPTION)])).predict(query(), Stopwatch(), told.append)
    assert [text.caption for text in told] == ["A", "A dog"]
    assert found.answer == CAPTION.answer


async def test_stream_lost_before_its_first_part_is_repeated() -> None:
    told: list[Text] = []
    await cluster(stream=Method([LOST], [A, pack(CAPTION)])).predict(query(), Stopwatch(), told.append)
    assert [text.caption for text in told] == ["A"]


async def test_stream_lost_later_is_an_error() -> None:
    with pytest.raises(ServiceError) as error:
        await cluster(stream=Method([A, LOST])).predict(query(), Stopwatch(), lambda _: None)
    assert (error.value.status_code, error.value.code) == (503, "replica_lost")


async def test_a_full_queue_refuses_a_stream() -> None:
    with pytest.raises(ServiceError) as error:
        await cluster(stream=Method([BackPressureError(2, 2)])).predict(query(), Stopwatch(), lambda _: None)
    assert error.value.code == "overloaded"


async def test_a_stream_that_has_ended_is_not_cancelled() -> None:
    stream = Method([A, pack(CAPTION)])
    await cluster(stream=stream).predict(query(), Stopwatch(), lambda _: None)
    assert not stream.responses[0].is_cancelled


async def test_a_stream_that_nobody_reads_is_cancelled() -> None:
    def leave(_: Text) -> None:
        raise asyncio.CancelledError

    stream = Method([A, A_DOG])
    with pytest.raises(asyncio.CancelledError):
        await cluster(stream=stream).predict(query(), Stopwatch(), leave)
    assert stream.responses[0].is_cancelled


async def test_description_is_cached_while_models_are_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "DESCRIPTION_TTL_S", 0.0)
    description = Description("toy", "1", OmniNetConfig(), ("cpu",), "float32", None)
    found = cluster(describe=Method(description, BackPressureError(2, 2)))
    assert await found.describe() == await found.describe() == description
    with pytest.raises(ServiceError, match="too many"):
        await cluster(describe=Method(BackPressureError(2, 2))).describe()


async def test_describe_before_a_model_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    async def last() -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(backend, "DESCRIBE_TIMEOUT_S", 0.01)
    with pytest.raises(ServiceError) as error:
        await cluster(describe=Method(last)).describe()
    assert error.value.code == "not_ready"


async def test_a_model_describes_itself() -> None:
    description = Description("toy", "1", OmniNetConfig(), ("cpu",), "float32", None)
    assert await cluster(describe=Method(description)).describe() == description


@pytest.mark.parametrize(
    ("method", "status", "code"), [("metrics_text", 404, "metrics_elsewhere"), ("reload", 409, "reload_elsewhere")]
)
async def test_metrics_and_reload_are_rejected(method: str, status: int, code: str) -> None:
    call: Callable[[], Awaitable[Any]] = getattr(cluster(), method)
    with pytest.raises(ServiceError) as error:
        await call()
    assert (error.value.status_code, error.value.code) == (status, code)
