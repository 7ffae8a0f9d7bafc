import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from serving.bundle import ModelBundle
from serving.endpoint import Endpoint
from serving.messages import Reply, Request
from serving.observing.observer import Observer
from serving.observing.tracing import ENDPOINTS, Tracing, configured_tracing
from serving.served import Served

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def served(bundle: ModelBundle) -> Served:
    served = Served()
    served.load(bundle, "tiny:1")
    return served


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(served: Served, spans: InMemorySpanExporter) -> Tracing:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return Tracing(provider, served)


def test_a_request_is_a_span_below_that_of_its_client(
    served: Served, tracing: Tracing, spans: InMemorySpanExporter, picture: Any, in_process: Any
) -> None:
    client = in_process(Endpoint(None, served, observer=Observer(tracing=tracing)))  # type: ignore[arg-type]
    headers = {
        "content-type": "image/png",
        "x-request-id": "mine",
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "tracestate": "a=b",
    }
    client.post("/models/tiny/predict?top_k=1", content=picture(), headers=headers)
    client.get("/invented")
    client.get("/livez")
    first, second = spans.get_finished_spans()
    assert first.name == "POST /models/{ref}/predict" and first.kind == SpanKind.SERVER
    assert first.attributes == {
        "http.request.method": "POST",
        "http.route": "/models/{ref}/predict",
        "http.response.status_code": 200,
        "kerasmith.model": "tiny:1",
        "kerasmith.request_id": "mine",
        "kerasmith.inputs": 1,
    }
    assert first.parent is not None and first.context is not None
    assert (format(first.parent.span_id, "016x"), format(first.context.trace_id, "032x")) == (PARENT, TRACE)
    assert first.context.trace_state.get("a") == "b"
    assert first.end_time is not None and first.start_time is not None and first.end_time > first.start_time
    assert second.parent is None and second.attributes is not None
    assert second.name == "GET other" and second.attributes["error.type"] == "address"
    assert second.status.status_code == StatusCode.UNSET  # the client's mistake, not the server's


@pytest.mark.parametrize("header", [b"\xff\xfe", b"00-0-0-01", b"x" * 5000])
def test_a_broken_traceparent_begins_a_trace(tracing: Tracing, spans: InMemorySpanExporter, header: bytes) -> None:
    request = Request(id="a", method="POST", path="/predict", headers={b"traceparent": header})
    tracing.record("/predict", request, Reply(500, b""), 0.5, "ValueError")
    (span,) = spans.get_finished_spans()
    assert span.parent is None and span.status.status_code == StatusCode.ERROR
    assert span.end_time is not None and span.start_time is not None
    assert span.end_time - span.start_time == 500_000_000


def test_nothing_of_it_is_imported_where_nothing_is_configured(tmp_path: Any) -> None:
    program = """
import sys
from serving.observing.tracing import configured_tracing
assert configured_tracing(None) is None
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={"PATH": ""}, check=True)
    assert done.stdout == "[]\n"


def test_a_missing_exporter_is_told_and_nothing_is_traced(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINTS[1], "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert configured_tracing(served) is None
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is set, but nothing is traced: install kerasmith[otel]." in caplog.text


@pytest.fixture
def collector() -> Iterator[Any]:
    """Takes spans over HTTP; `got` holds (path, body)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))  # type: ignore[attr-defined]
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.got = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_spans_go_where_the_environment_says(served: Served, collector: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    monkeypatch.setenv(ENDPOINTS[1], f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "pictures")
    tracing = configured_tracing(served)
    assert tracing is not None
    tracing.record("/predict", Request(id="a", method="POST", path="/predict"), Reply(200, b""), 0.01)
    tracing.close()
    ((path, body),) = collector.got
    assert path == "/v1/traces" and b"POST /predict" in body and b"pictures" in body
