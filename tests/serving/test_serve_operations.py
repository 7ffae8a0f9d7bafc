"""A real server, looked after: killed workers, tokens, logs, metrics of several workers, what it takes."""

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from records.errors import BundleError, ConfigError
from serving.bundle import ModelBundle
from serving.serve import RunningServer, running
from serving.settings import ServeOptions, Settings
from tests.serving.observing.test_metrics import read

pytestmark = pytest.mark.e2e
TOKEN = "0123456789abcdef-token"


def settings_of(folder: Path, workers: int = 1, options: ServeOptions | None = None) -> Settings:
    return Settings(folder=folder, ref="tiny:1", workers=workers, options=options or ServeOptions())


def workers_of(server: RunningServer) -> dict[int, float]:
    """The workers' process ids and when they were started, as the metrics tell them."""
    found = read(httpx.get(server.url + "/metrics", timeout=10).content)
    begun = {name: value for name, value in found.items() if name.startswith("kerasmith_worker_start_time_seconds")}
    return {int(name.partition("=")[2].rstrip("}")): value for name, value in begun.items()}


def wait_for(what: Callable[[], bool], seconds: float = 20) -> float:
    """Seconds until it was so."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_killed_worker_is_replaced_while_the_others_answer(pristine: Path, picture: Any) -> None:
    with running(settings_of(pristine, workers=2)) as server:
        wait_for(lambda: len(workers_of(server)) == 2)
        image = {"content-type": "image/png"}
        for _ in range(20):
            assert httpx.post(server.url + "/predict", content=picture(), headers=image).status_code == 200
        before = set(workers_of(server))
        victim = next(iter(before))
        psutil.Process(victim).send_signal(signal.SIGKILL)

        def replaced() -> bool:
            now = workers_of(server)
            return len(now) == 2 and victim not in now

        assert wait_for(replaced) < 10
        found = read(httpx.get(server.url + "/metrics").content)
        # what the dead one counted is still there, what it was is not
        assert found["kerasmith_request_duration_seconds_count{endpoint=/predict,status=2xx}"] == 20
        assert wait_for(lambda: _ready(server) == 2) < 10


def _ready(server: RunningServer) -> float:
    return read(httpx.get(server.url + "/metrics").content)["kerasmith_workers_ready{}"]


def test_the_only_worker_is_replaced_too(pristine: Path) -> None:
    with running(settings_of(pristine)) as server:
        (victim,) = workers_of(server)
        psutil.Process(victim).kill()
        time.sleep(0.2)
        # connections wait in the socket until there is a worker again
        assert httpx.get(server.url + "/readyz", timeout=10).status_code == 200
        assert set(workers_of(server)) != {victim}


def test_tokens_and_a_log_are_asked_for(
    pristine: Path, picture: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# of the shop\n{TOKEN}\n")
    tokens.chmod(0o600)
    with running(settings_of(pristine, options=ServeOptions(tokens_file=tokens, log_requests=True))) as server:
        image = {"content-type": "image/png", "x-request-id": "mine"}
        assert httpx.get(server.url + "/livez").status_code == 200
        assert httpx.get(server.url + "/metrics").status_code == 401
        assert httpx.post(server.url + "/predict", content=picture(), headers=image).status_code == 401
        image["authorization"] = "Bearer " + TOKEN
        assert httpx.post(server.url + "/predict?top_k=1", content=picture(), headers=image).status_code == 200
    err = capfd.readouterr().err
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    told = [(line["route"], line["status"], line.get("reason")) for line in lines]
    assert told == [("/metrics", 401, "token"), ("/predict", 401, "token"), ("/predict", 200, None)]
    assert lines[2]["request_id"] == "mine" and TOKEN not in err and "top_k" not in err


def test_a_file_of_tokens_that_is_wrong_is_told_before_anything_is_started(pristine: Path, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("short\n")
    for name, message in (("tokens", "cannot be used"), ("nowhere", "cannot be read")):
        options = ServeOptions(tokens_file=tmp_path / name)
        with pytest.raises(ConfigError, match=message), running(settings_of(pristine, options=options)):
            raise AssertionError("it started")


def test_what_is_refused_before_it_is_a_request_is_counted(pristine: Path) -> None:
    with running(settings_of(pristine)) as server:
        assert httpx.get(server.url + "/", headers={"x-long": "x" * 40_000}).status_code == 431
        found = read(httpx.get(server.url + "/metrics").content)
    assert found["kerasmith_refusals_total{reason=headers}"] == 1


def test_limits_reach_the_workers(pristine: Path) -> None:
    with running(settings_of(pristine, options=ServeOptions(max_body_megabytes=0.01))) as server:
        reply = httpx.post(server.url + "/predict", content=b"x" * 20_000, headers={"content-type": "image/png"})
        assert reply.status_code == 413 and "at most 10000 bytes" in reply.json()["error"]


def test_a_default_that_the_model_cannot_keep_is_told_at_the_start(pristine: Path, bundle: ModelBundle) -> None:
    options = ServeOptions(coverage=0.9)
    with pytest.raises(BundleError, match="cannot promise a coverage"), running(settings_of(pristine, options=options)):
        raise AssertionError("it started")


def test_answers_below_the_default_are_withheld_unless_the_request_says_otherwise(pristine: Path, picture: Any) -> None:
    image = {"content-type": "image/png"}
    with running(settings_of(pristine, options=ServeOptions(abstain_below=1.0))) as server:
        withheld = httpx.post(server.url + "/predict", content=picture(), headers=image).json()
        given = httpx.post(server.url + "/predict?abstain_below=0.1", content=picture(), headers=image).json()
    assert withheld["predictions"][0]["label"] is None and given["predictions"][0]["label"] == "red"


def test_probes_answer_while_the_model_is_busy(pristine: Path, picture: Any) -> None:
    with running(settings_of(pristine)) as server, httpx.Client(base_url=server.url) as client:
        stop = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=server.url) as other:
                while not stop.is_set():
                    other.post("/predict", content=picture(), headers={"content-type": "image/png"})

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            assert all(client.get(path, timeout=5).status_code == 200 for path in ("/livez", "/readyz") * 10)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
