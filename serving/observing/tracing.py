"""One OpenTelemetry span for each request, where an exporter is configured. Nothing of it is imported elsewhere.

OpenTelemetry's own environment variables configure it: the endpoint, headers and timeouts of the exporter, the
sampler, the service's name. Spans are sent by a thread, in batches.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from serving.messages import Reply, Request
from serving.served import Served

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROPAGATED = ("traceparent", "tracestate")
PROBES = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})

logger = logging.getLogger("kerasmith.serving")


class Tracing:
    """Records requests as spans, below the span that their `traceparent` names."""

    def __init__(self, provider: TracerProvider, served: Served) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._served = served
        self._provider = provider
        self._tracer = provider.get_tracer("kerasmith")
        self._propagator = TraceContextTextMapPropagator()
        self._kind = SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)

    def record(self, endpoint: str, request: Request, reply: Reply, seconds: float, reason: str = "") -> None:
        """A request was answered just now.

        Args:
            endpoint: The path of its route.
            request: That was answered.
            reply: That was sent.
            seconds: From its headers to its reply.
            reason: Why it was refused or what failed.
        """
        if endpoint in PROBES:
            return
        carrier = {
            name: value.decode("latin-1") for name in PROPAGATED if (value := request.headers.get(name.encode()))
        }
        ended = time.time_ns()
        attributes: dict[str, str | int] = {
            "http.request.method": request.method[:10],
            "http.route": endpoint,
            "http.response.status_code": reply.status,
            "kerasmith.model": self._served.ref,
            "kerasmith.request_id": request.id,
            "kerasmith.inputs": reply.num_inputs,
        }
        if reason:
            attributes["error.type"] = reason
        span = self._tracer.start_span(
            f"{request.method[:10]} {endpoint}",
            context=self._propagator.extract(carrier) if carrier else None,
            kind=self._kind,
            attributes=attributes,
            start_time=ended - int(seconds * 1e9),
        )
        if reply.status >= 500:
            span.set_status(self._failed)
        span.end(ended)

    def close(self) -> None:
        """Sends what was not sent yet. A process that ends in order does it by itself."""
        self._provider.shutdown()


def configured_tracing(served: Served) -> Tracing | None:
    """Spans to where the environment says, or `None` where it says nothing or the packages are not installed.

    Args:
        served: Whose model the spans name.
    """
    named = [name for name in ENDPOINTS if os.environ.get(name)]
    if not named or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("%s is set, but nothing is traced: install kerasmith[otel].", named[0])
        return None
    name = os.environ.get("OTEL_SERVICE_NAME") or "kerasmith"
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider, served)
