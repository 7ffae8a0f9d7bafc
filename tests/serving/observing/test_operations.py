from typing import Any

import pytest

from serving.bundle import ModelBundle
from serving.endpoint import Endpoint
from serving.guarding.guard import Guard
from serving.served import Served

PROBES = ("/healthz", "/livez", "/readyz")


def test_a_worker_is_ready_when_its_model_is_there_and_until_it_is_told_to_stop(
    bundle: ModelBundle, in_process: Any
) -> None:
    served = Served()
    guard = Guard(served.limits)
    client = in_process(Endpoint(None, served, guard))  # type: ignore[arg-type]

    def statuses() -> list[int]:
        return [client.get(path).status_code for path in PROBES]

    assert statuses() == [200, 200, 503]
    assert client.get("/readyz").json()["error"] == "The model is not loaded yet. Ask again in a second."
    served.load(bundle, "tiny:1")
    assert statuses() == [200, 200, 200]
    assert client.get("/readyz").json() == {"status": "ready", "model": "tiny:1"}
    guard.draining = True
    assert statuses() == [200, 200, 503]


@pytest.mark.parametrize("path", PROBES)
def test_a_probe_may_ask_for_the_headers_alone(bundle: ModelBundle, in_process: Any, path: str) -> None:
    served = Served()
    served.load(bundle, "tiny:1")
    reply = in_process(Endpoint(None, served))("HEAD", path)  # type: ignore[arg-type]
    assert (reply.status_code, reply.content) == (200, b"")


def test_where_nothing_is_counted_the_metrics_say_so(bundle: ModelBundle, in_process: Any) -> None:
    assert in_process(Endpoint(None, Served())).get("/metrics").status_code == 404  # type: ignore[arg-type]
