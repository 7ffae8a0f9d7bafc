"""The server under attack, under kill -9 and while it stops. `benchmarks/serving_faults.py` takes longer."""

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.serving_faults_parts import Asking, asking, hostile, traffic, wait_until, workers_of
from serving.serve import RunningServer, running
from serving.settings import Settings
from tests.serving.kinds import make_bundle

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SECONDS = float(os.environ.get("KERASMITH_FAULT_SECONDS", "15"))
CONNECTIONS = int(os.environ.get("KERASMITH_FAULT_CONNECTIONS", "500"))
KILLS = int(os.environ.get("KERASMITH_FAULT_KILLS", "2"))
STOPS = int(os.environ.get("KERASMITH_FAULT_STOPS", "2"))
CLIENTS = 4


@pytest.fixture(scope="module")
def text_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle("text", tmp_path_factory.mktemp("faults") / "text")


@pytest.fixture
def server(text_bundle: Path) -> Iterator[RunningServer]:
    with running(Settings(folder=text_bundle, ref="text:1", workers=2)) as server:
        yield server


def has_workers(server: RunningServer, number: int, dead: psutil.Process) -> bool:
    return len([one for one in workers_of(server.process.pid) if one != dead]) == number


def ask(server: RunningServer) -> Asking:
    return asking(server.url, b"good film", "text/plain")


def test_slow_and_half_open_requests_do_not_keep_others_out(server: RunningServer) -> None:
    with hostile(server.url, connections=CONNECTIONS) as opened, traffic(ask(server), CLIENTS, 0.02) as count:
        time.sleep(SECONDS)
    assert sum(opened.values()) >= CONNECTIONS
    assert count.total > 20 * SECONDS
    assert count.served >= 0.99, (count.outcomes, count.dropped[:5])


def test_a_killed_worker_costs_the_requests_in_flight_and_comes_back(server: RunningServer) -> None:
    for _ in range(KILLS):
        with traffic(ask(server), CLIENTS) as count:
            time.sleep(1)
            victim = workers_of(server.process.pid)[0]
            victim.kill()
            wait_until(partial(has_workers, server, 2, victim), 10)
            time.sleep(1)
        assert count.outcomes["dropped"] <= CLIENTS, count.dropped
        assert set(count.outcomes) <= {"200", "dropped"}
        assert httpx.get(server.url + "/readyz").status_code == 200


def test_a_single_worker_that_was_killed_is_ready_again_within_ten_seconds(text_bundle: Path) -> None:
    with running(Settings(folder=text_bundle, ref="text:1")) as server:
        workers_of(server.process.pid)[0].kill()
        began = time.monotonic()
        assert httpx.get(server.url + "/readyz", timeout=20).status_code == 200  # waits in the socket's queue
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_is_stopped_under_load_drops_nothing(text_bundle: Path, workers: int) -> None:
    for _ in range(STOPS):
        with running(Settings(folder=text_bundle, ref="text:1", workers=workers)) as server:
            family = psutil.Process(server.process.pid).children(recursive=True)
            with traffic(ask(server), CLIENTS) as kept, traffic(ask(server), CLIENTS, fresh=True) as fresh:
                time.sleep(1)
                server.stop()
                time.sleep(0.2)
        for count in (kept, fresh):
            assert set(count.outcomes) == {"200", "refused"}, (count.outcomes, count.dropped)
        assert not [one for one in family if one.is_running()]


def test_a_worker_that_is_stopped_alone_leaves_the_others_listening(server: RunningServer) -> None:
    with traffic(ask(server), CLIENTS) as count:
        time.sleep(0.5)
        workers_of(server.process.pid)[0].terminate()
        time.sleep(5)
    assert set(count.outcomes) == {"200"}, (count.outcomes, count.dropped)


def test_readiness_turns_first(text_bundle: Path) -> None:
    with running(Settings(folder=text_bundle, ref="text:1")) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/readyz").status_code == 200
        server.process.terminate()
        seen = []
        for _ in range(200):
            seen.append(client.get("/readyz"))
            if seen[-1].status_code != 200:
                break
            time.sleep(0.01)
        assert seen[-1].status_code == 503 and seen[-1].headers["connection"] == "close"
        asked = client.post("/predict", content=b"good film", headers={"content-type": "text/plain"})
        assert asked.status_code == 200 and asked.headers["connection"] == "close"
        assert client.get("/livez").status_code == 200
