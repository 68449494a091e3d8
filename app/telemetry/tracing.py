"""OpenTelemetry traces of requests: tasks and durations of stages, never the contents of a request.

Needs the extra ``otel``; imported only if OMNINET_TRACES is set.
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
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

UNTRACED = ("/healthz", "/readyz", "/metrics")
SHUTDOWN_TIMEOUT_S = 3.0


class Traces:
    """Exports spans in batches: one for each request, created by FastAPI, and one for each of its stages.

    Args:
        exporter: sends the spans.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME", "omninet")  # the SDK's default is unknown_service
        resource = Resource.create({SERVICE_NAME: name, SERVICE_VERSION: version("omninet")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(_QueryRedactor(exporter))
        self._tracer = self._provider.get_tracer("omninet")

    @classmethod
    def to(cls, url: str) -> Traces:
        """Create traces that are sent to ``url`` by OTLP over HTTP."""
        return cls(OTLPSpanExporter(url))

    def telemetry(self) -> TelemetryConfig:
        """Return FastAPI's telemetry settings: spans of requests only, except for health checks and metrics."""
        return {
            "tracer_provider": self._provider,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope["path"].endswith(UNTRACED),
        }

    def request(self, task: str) -> Trace:
        """Return the trace of the current request, and set the name of its task as an attribute."""
        span = get_current_span()
        span.set_attribute("omninet.task", task)
        return Trace(self._tracer, set_span_in_context(span))

    def headers(self) -> dict[str, str]:
        """Return the headers that make a request part of the trace of the current one."""
        found: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(found)
        return found

    def close(self) -> None:
        """Send the remaining spans and shut down, within ``SHUTDOWN_TIMEOUT_S``: the SDK itself would wait longer."""
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(SHUTDOWN_TIMEOUT_S)


class Trace:
    """Trace of one request.

    Args:
        tracer: creates the spans.
        context: OpenTelemetry context whose current span is the request's.
    """

    def __init__(self, tracer: Tracer, context: Context) -> None:
        self._tracer, self._context = tracer, context
        self._epoch = time.time() - time.perf_counter()

    def stage(self, name: str, started: float, ended: float) -> None:
        """Add the span of a stage; ``started`` and ``ended`` are seconds of ``perf_counter``."""
        begin, end = (round(1e9 * (self._epoch + moment)) for moment in (started, ended))
        self._tracer.start_span(name, self._context, start_time=begin).end(end)

    def note(self, **attributes: int) -> None:
        """Set attributes of the request's span, prefixed by ``omninet.``."""
        span = get_current_span(self._context)
        span.set_attributes({f"omninet.{name}": value for name, value in attributes.items()})


class _QueryRedactor(BatchSpanProcessor):
    """Redacts URL queries: no endpoint has query parameters, so a query can only be a client's private content."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Redact the query of a new span."""
        if "url.query" in (span.attributes or {}):
            span.set_attribute("url.query", "REDACTED")
        super().on_start(span, parent_context)
