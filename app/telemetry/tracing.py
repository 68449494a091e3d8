"""Traces of requests, for OpenTelemetry: what is asked for and how long its stages take, never what it holds.

Needs the extra ``otel``; imported only where traces are wanted.
"""

from __future__ import annotations

import os
import time
from importlib.metadata import version
from threading import Thread

from fastapi.telemetry import TelemetryConfig
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Tracer, get_current_span, set_span_in_context

UNTRACED = ("/healthz", "/readyz", "/metrics")
PATIENCE_S = 3.0


class Traces:
    """Where spans go, a batch every few seconds: one for each request, which FastAPI makes, and those of its stages."""

    def __init__(self, exporter: SpanExporter) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME", "omninet")  # or the SDK would make one up
        resource = Resource.create({SERVICE_NAME: name, SERVICE_VERSION: version("omninet")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(_WithoutQueries(exporter))
        self._tracer = self._provider.get_tracer("omninet")

    @classmethod
    def to(cls, url: str) -> Traces:
        """Traces that are posted to ``url`` by OTLP."""
        return cls(OTLPSpanExporter(url))

    def telemetry(self) -> TelemetryConfig:
        """For FastAPI: spans of requests and nothing else, but not of those that ask how the service is."""
        return {
            "tracer_provider": self._provider,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope["path"].endswith(UNTRACED),
        }

    def request(self, task: str) -> Trace:
        """That of the request which is being served, for a task."""
        span = get_current_span()
        span.set_attribute("omninet.task", task)
        return Trace(self._tracer, set_span_in_context(span))

    def close(self) -> None:
        """Send what is left, and end; a collector that does not answer is not waited for as long as the SDK would."""
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(PATIENCE_S)


class Trace:
    """That of one request.

    Args:
        context: in which the request's span is the current one.
    """

    def __init__(self, tracer: Tracer, context: Context) -> None:
        self._tracer, self._context = tracer, context
        self._epoch = time.time() - time.perf_counter()

    def stage(self, name: str, started: float, ended: float) -> None:
        """Add a stage; seconds of ``perf_counter``."""
        begin, end = (round(1e9 * (self._epoch + moment)) for moment in (started, ended))
        self._tracer.start_span(name, self._context, start_time=begin).end(end)

    def note(self, **attributes: int) -> None:
        """Say something about the request."""
        span = get_current_span(self._context)
        span.set_attributes({f"omninet.{name}": value for name, value in attributes.items()})


class _WithoutQueries(BatchSpanProcessor):
    """No endpoint takes a query; what a client puts there all the same is its content."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Before anything is sent."""
        if "url.query" in (span.attributes or {}):
            span.set_attribute("url.query", "REDACTED")
        super().on_start(span, parent_context)
