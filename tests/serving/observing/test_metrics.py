import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.parser import text_string_to_metric_families

from serving.bundle import ModelBundle
from serving.endpoint import Endpoint
from serving.observing.metrics import Metrics
from serving.observing.observer import Observer
from serving.observing.tally import NOBODY, bury, collected, living
from serving.served import Served


def read(text: bytes) -> dict[str, float]:
    """Each sample by its name and labels, as another reader of the format understands it."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


@pytest.fixture
def served(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    served = Served(metrics=Metrics())
    served.load(bundle, "tiny:1")
    return served


def test_requests_are_counted_by_route_and_refusals_by_reason(served: Served, picture: Any, in_process: Any) -> None:
    async def beyond(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("everything is answered by us")

    client = in_process(Endpoint(beyond, served, observer=Observer(served.metrics)))
    image = {"content-type": "image/png"}
    for path in ("/predict", "/models/tiny/predict", "/models/tiny:1/predict"):
        assert client.post(path, content=picture(), headers=image).status_code == 200
    client.post("/predict", content=b"no picture", headers=image)
    client.post("/models/other/predict", content=picture(), headers=image)
    client.get("/invented-1")
    client.get("/invented-2?secret=1")
    client("PUT", "/predict")
    reply = client.get("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = read(reply.content)

    def count(endpoint: str, status: str) -> float:
        return found[f"kerasmith_request_duration_seconds_count{{endpoint={endpoint},status={status}}}"]

    assert count("/predict", "2xx") == 1 and count("/models/{ref}/predict", "2xx") == 2
    assert count("/predict", "4xx") == 2 and count("/models/{ref}/predict", "4xx") == 1 and count("other", "4xx") == 2
    assert found["kerasmith_refusals_total{reason=input}"] == 1
    assert found["kerasmith_refusals_total{reason=address}"] == 3
    assert found["kerasmith_refusals_total{reason=method}"] == 1
    assert found["kerasmith_requests_in_flight{}"] == 1  # this one
    assert found["kerasmith_model_info{engine=onnxruntime,name=tiny,version=1}"] == 1
    assert "invented" not in reply.text and "secret" not in reply.text


def test_errors_are_counted_by_kind(served: Served, picture: Any, in_process: Any) -> None:
    class Broken:
        def run(self, batch: Any) -> Any:
            raise RuntimeError("secret")

        def close(self) -> None: ...

    bundle = served.bundle
    assert bundle is not None
    served.load(ModelBundle(bundle.folder, bundle.manifest, bundle.codec, Broken()), "tiny:1")
    client = in_process(Endpoint(None, served, observer=Observer(served.metrics)))  # type: ignore[arg-type]
    assert client.post("/predict", content=picture(), headers={"content-type": "image/png"}).status_code == 500
    text = client.get("/metrics").content
    assert read(text)["kerasmith_errors_total{kind=RuntimeError}"] == 1
    assert b"secret" not in text


def test_batches_memory_and_readiness_are_told(served: Served) -> None:
    assert served.metrics is not None
    served.metrics.batch(3, 0.002)
    served.metrics.batch(100, 0.0)
    served.metrics.ready(True)
    served.metrics.abandoned()
    found = read(served.metrics.text(served))
    assert found["kerasmith_batch_size_sum{}"] == 103 and found["kerasmith_batch_size_bucket{le=4.0}"] == 1
    assert found["kerasmith_batch_wait_seconds_bucket{le=0.001}"] == 1
    assert found["kerasmith_workers_ready{}"] == 1 and found["kerasmith_disconnects_total{}"] == 1
    process = psutil.Process()
    memory = found[f"kerasmith_worker_memory_bytes{{process={process.pid}}}"]
    assert memory == pytest.approx(process.memory_info().rss, rel=0.3)
    assert found[f"kerasmith_worker_start_time_seconds{{process={process.pid}}}"] == process.create_time()


WORKER = """
import os, sys
from serving.observing.metrics import Metrics
metrics = Metrics()
metrics.ready(True)
for _ in range(int(sys.argv[1])):
    metrics.begins()
    metrics.finished("/predict", 200, 0.003)
    metrics.finished("/predict", 413, 0.03, "too_large")
print("counted", flush=True)
sys.stdin.readline()
if sys.argv[2] == "show":
    class Served:
        bundle = None
    sys.stdout.buffer.write(metrics.text(Served()))
os._exit(0)
"""


def worker(folder: Path, requests: int, then: str = "") -> subprocess.Popen[bytes]:
    """A process that counts so many requests and waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(requests), then],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": "", "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None and process.stdout.readline() == b"counted\n"
    return process


def test_any_worker_tells_what_all_counted_also_those_that_died(tmp_path: Path) -> None:
    first, second = worker(tmp_path, 5), worker(tmp_path, 7, then="show")
    assert living(tmp_path) == sorted([first.pid, second.pid])
    first.kill()
    first.wait()
    out, _ = second.communicate(b"\n")
    found = read(out)
    assert found["kerasmith_request_duration_seconds_count{endpoint=/predict,status=2xx}"] == 12
    assert found["kerasmith_request_duration_seconds_bucket{endpoint=/predict,le=0.005,status=2xx}"] == 12
    assert found["kerasmith_request_duration_seconds_bucket{endpoint=/predict,le=0.025,status=4xx}"] == 0
    assert found["kerasmith_refusals_total{reason=too_large}"] == 12
    # what a dead worker was doing is not summed up with what the others do
    assert found["kerasmith_requests_in_flight{}"] == 7 and found["kerasmith_workers_ready{}"] == 1
    lines = [line for line in out.decode().splitlines() if line.startswith("kerasmith_request_duration_seconds")]
    assert [line.partition("{")[0].rpartition("_")[2] for line in lines[-3:]] == ["bucket", "count", "sum"]


def test_files_of_the_dead_do_not_pile_up(tmp_path: Path) -> None:
    for _ in range(3):
        one = worker(tmp_path, 2)
        one.kill()
        one.wait()
        bury(tmp_path)
        assert sorted(path.name for path in tmp_path.glob("*.db")) == [f"counter_{NOBODY}.db", f"histogram_{NOBODY}.db"]
    durations = next(one for one in collected(tmp_path) if one.name == "kerasmith_request_duration_seconds")
    assert sum(sample.value for sample in durations.samples if sample.name.endswith("_count")) == 12


def test_a_file_that_was_cut_off_by_a_kill_does_not_break_the_others(tmp_path: Path) -> None:
    one = worker(tmp_path, 2)
    one.kill()
    one.wait()
    whole = next(tmp_path.glob("counter_*.db"))
    whole.with_name("counter_4194301.db").write_bytes(whole.read_bytes()[:30])
    (tmp_path / "counter_4194302.db").write_bytes(b"")
    bury(tmp_path)
    names = [key for key, *_ in MmapedDict.read_all_values_from_file(str(tmp_path / f"counter_{NOBODY}.db"))]
    assert any("too_large" in name for name in names)
