"""Tests of the spans of requests and their stages."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from omninet import __version__
from omninet.app.telemetry.tracing import Traces
from omninet.command import main
from omninet.model.predictor import Predictor
from tests.app.conftest import Serve, Watched
from tests.app.engine.test_engine import Gate
from tests.samples import jpeg_bytes

pytestmark = pytest.mark.anyio
URL = "http://127.0.0.1:4318/v1/traces"
TRACE, PARENT = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7


class Spans:
    """Collects exported spans; complete after the service has ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self.exporter = exporter

    def all(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def request(self) -> ReadableSpan:
        (found,) = (span for span in self.all() if span.name.startswith(("GET", "POST")))
        return found

    def stages(self) -> list[ReadableSpan]:
        """Return the spans in the order of time."""
        request = self.request().context
        stages = [span for span in self.all() if span.parent and span.parent.span_id == request.span_id]
        return sorted(stages, key=lambda span: span.start_time or 0)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(Traces, "to", lambda _: Traces(exporter))
    return Spans(exporter)


async def test_items_of_a_batch_are_requests_of_its_trace(serve: Serve, spans: Spans) -> None:
    items = [{"task": "pos", "inputs": {"text": "A dog."}}, {"task": "pos", "inputs": {"text": ""}}]
    async with serve(traces=URL) as client:
        assert (await client.post("/batch", json={"items": items})).status_code == 200

    named = {span.name: [each for each in spans.all() if each.name == span.name] for span in spans.all()}
    (batch,) = named["POST /batch"]
    assert batch.parent is None
    assert [span.parent and span.parent.span_id for span in named["POST /pos"]] == [batch.context.span_id] * 2
    assert {(span.attributes or {})["http.response.status_code"] for span in named["POST /pos"]} == {200, 422}
    assert named["decode"][0].parent.span_id in [span.context.span_id for span in named["POST /pos"]]  # type: ignore[union-attr]


async def test_a_request_and_its_stages(serve: Serve, spans: Spans) -> None:
    async with serve(traces=URL) as client:
        response = await client.post(
            "/vqa", files={"image": ("secret.jpg", jpeg_bytes())}, data={"question": "secret thing ?"}
        )
        assert response.status_code == 200

    request, stages = spans.request(), spans.stages()
    assert request.name == "POST /vqa"
    assert request.parent is None
    attributes = dict(request.attributes or {})
    assert (attributes["omninet.task"], attributes["http.response.status_code"]) == ("vqa", 200)
    assert (attributes["omninet.tokens"], attributes["omninet.batch_rows"]) == (1, 1)
    assert [span.name for span in stages if span.name != "queue"] == ["decode_media", "prepare", "encode", "decode"]
    assert len(spans.all()) == 1 + len(stages)
    for span in stages:
        assert request.start_time <= span.start_time < span.end_time <= request.end_time  # type: ignore[operator]
    took = {span.name: (span.end_time - span.start_time) / 1e6 for span in stages}  # type: ignore[operator]
    for name, milliseconds in response.json()["timings_ms"].items():
        if name not in {"queue", "total"}:
            assert took[name] == pytest.approx(milliseconds, abs=0.01)
    assert request.resource.attributes["service.name"] == "omninet"
    assert request.resource.attributes["service.version"] == __version__


async def test_traces_contain_no_request_contents(serve: Serve, spans: Spans) -> None:
    async with serve(traces=URL) as client:
        files = {"image": ("secret.jpg", b"secret")}
        headers = {"User-Agent": "secret", "Authorization": "Bearer secret", "X-Request-Id": "secret"}
        await client.post("/vqa?question=secret", files=files, data={"question": "secret ?"}, headers=headers)
        await client.post("/pos", json={"text": "secret", "extra": "secret"})

    found = "".join(span.to_json() for span in spans.all())
    assert "secret" not in found
    assert "REDACTED" in found


async def test_trace_of_the_client_is_continued(serve: Serve, spans: Spans) -> None:
    async with serve(traces=URL) as client:
        unsampled = {"traceparent": f"00-{TRACE:032x}-{PARENT:016x}-00"}
        await client.post("/pos", json={"tokens": ["Go"]}, headers=unsampled)
        sampled = {"traceparent": f"00-{TRACE:032x}-{PARENT:016x}-01"}
        await client.post("/pos", json={"text": "A dog runs."}, headers=sampled)

    parent = spans.request().parent
    assert parent is not None
    assert (parent.trace_id, parent.span_id) == (TRACE, PARENT)
    assert {span.context.trace_id for span in spans.all()} == {TRACE}
    assert [span.name for span in spans.stages() if span.name != "queue"] == ["prepare", "encode", "decode"]


async def test_queue_span_and_batch_size_attribute(serve: Serve, spans: Spans, toy_predictor: Predictor) -> None:
    gate = Gate()
    async with serve(Watched(toy_predictor, gate), traces=URL) as client:
        first = asyncio.create_task(client.post("/pos", json={"tokens": ["Go"]}))
        await asyncio.to_thread(gate.reached.wait, 10)
        late = [asyncio.create_task(client.post("/pos", json={"tokens": ["Go", "on"]})) for _ in range(2)]
        engine = client._transport.app.state.service.backend.engine()  # type: ignore[attr-defined]
        async with asyncio.timeout(60):
            while engine._queue.depths()["text"] < 2:
                await asyncio.sleep(0.01)
        opened = time.time_ns()
        gate.open.set()
        await asyncio.gather(first, *late)

    requests = [span for span in spans.all() if span.name == "POST /pos"]
    assert sorted(int(str((span.attributes or {})["omninet.batch_rows"])) for span in requests) == [1, 2, 2]
    waits = [(span.start_time or 0, span.end_time or 0) for span in spans.all() if span.name == "queue"]
    assert sum(start < opened < end for start, end in waits) == 2


async def test_failed_request_has_the_stages_that_it_reached(serve: Serve, spans: Spans) -> None:
    async with serve(traces=URL) as client:
        await client.post("/caption", files={"image": b"no picture"})

    assert dict(spans.request().attributes or {})["http.response.status_code"] == 422
    assert [span.name for span in spans.stages() if span.name != "queue"] == ["decode_media"]


async def test_health_checks_and_metrics_are_not_traced(serve: Serve, spans: Spans) -> None:
    async with serve(traces=URL) as client:
        for path in ("/healthz", "/readyz", "/metrics"):
            await client.get(path)
        await client.get("/tasks")

    assert [span.name for span in spans.all()] == ["GET /tasks"]


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """Run a collector; return its address and the requests that it receives."""
    received: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            received.append(ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
        server.shutdown()
        thread.join()


async def test_collector_receives_spans(serve: Serve, collector: tuple[str, list[ExportTraceServiceRequest]]) -> None:
    url, received = collector
    async with serve(traces=url) as client:
        await client.post("/pos", json={"tokens": ["Go"]})

    scopes = [scope for batch in received for resource in batch.resource_spans for scope in resource.scope_spans]
    names = {span.name for scope in scopes for span in scope.spans}
    assert names - {"queue"} == {"POST /pos", "prepare", "encode", "decode"}


async def test_unresponsive_collector_does_not_delay_shutdown(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omninet.app.telemetry.tracing.SHUTDOWN_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with serve(traces=f"http://127.0.0.1:{port}/v1/traces") as client:
            assert (await client.post("/pos", json={"tokens": ["Go"]})).status_code == 200
            await asyncio.to_thread(client._transport.app.state.service.traces.close)  # type: ignore[attr-defined]
            assert [thread for thread in threading.enumerate() if "(shutdown)" in thread.name], "it was waited for"


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OMNINET_TRACES", URL)
    monkeypatch.delitem(sys.modules, "omninet.app.telemetry.tracing")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    assert main(["serve", "--port", "0"]) == 2
    assert "pip install '.[otel]'" in capsys.readouterr().err


def test_invalid_collector_url_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OMNINET_TRACES", "localhost:4318")

    assert main(["serve", "--port", "0"]) == 2
    assert "setting traces" in capsys.readouterr().err
