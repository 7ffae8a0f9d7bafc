"""What a server takes before it answers anything: seconds until it is ready, and memory. And what the generator can."""

from __future__ import annotations

import contextlib
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psutil

from benchmarks.cells import ROOT
from benchmarks.serving_closed import CONCURRENCIES, PACE, Pace, best_variant, load
from benchmarks.serving_faults_parts import workers_of
from benchmarks.serving_methods import METHODS, OURS, Server, free_port, server
from benchmarks.serving_payloads import question
from benchmarks.serving_traffic import Traffic

NETWORK = "cnn"
STARTS, PEER_STARTS = 5, 3
RATES = (1000, 4000, 8000)


def ready(pace: Pace = PACE) -> dict[str, Any]:
    """Seconds from the start of its first process until it says that it is ready; files are in the cache by then."""
    methods = {}
    for name in METHODS:
        seconds = []
        for _ in range(1 if pace.trying else (STARTS if name == OURS else PEER_STARTS) + 1):
            with server(name, NETWORK, best_variant(name, NETWORK, pace)) as one:
                seconds.append(one.ready_seconds)
        warm = seconds[1:] or seconds
        methods[name] = {
            "starts": len(warm),
            "median_seconds": round(statistics.median(warm), 2),
            "longest_seconds": round(max(warm), 2),
        }
    return {"methods": methods}


def memory(pace: Pace = PACE) -> dict[str, Any]:
    """Of each server after JSON and images at concurrency 8 and 32, in MB of 10^6 bytes."""
    methods = {}
    for name in METHODS:
        with server(name, NETWORK, best_variant(name, NETWORK, pace)) as one:
            for form in ("json", "image"):
                for concurrency in (8, 32):
                    load(one, question(NETWORK, form), concurrency, pace.seconds, pace.warm_up)
            methods[name] = _megabytes(one)
    return {"methods": methods}


def _megabytes(one: Server) -> dict[str, float]:
    """RSS counts a shared page in every process that has it, PSS its share."""
    largest = workers_of(one.process.pid) if one.method.name == OURS else one.family()
    workers = [worker.memory_full_info() for worker in largest]
    everything = [process.memory_full_info() for process in one.family()]
    return {
        "worker_rss_mb": round(max(info.rss for info in workers) / 1e6, 1),
        "worker_pss_mb": round(max(info.pss for info in workers) / 1e6, 1),
        "all_pss_mb": round(sum(info.pss for info in everything) / 1e6, 1),
        "processes": len(everything),
    }


def generator(pace: Pace = PACE) -> dict[str, Any]:
    """The load generator against a server that answers without looking, and beside `wrk` where that is installed."""
    told: dict[str, Any] = {}
    headers = {"Content-Type": "application/json"}
    with _trivial() as url:
        for concurrency in CONCURRENCIES:
            traffic = Traffic(
                url, b"x" * 2000, headers, concurrency=concurrency, seconds=pace.seconds, warm_up=pace.warm_up
            )
            seen = traffic.start().wait()["statuses"]["200"]
            told[f"c{concurrency}_per_second"] = round(seen["per_second"])
            told[f"c{concurrency}_p50_ms"] = round(seen["p50_ms"], 3)
        for rate in RATES:
            traffic = Traffic(url, b"x" * 2000, headers, rate=rate, seconds=pace.seconds, warm_up=pace.warm_up)
            all_seen = traffic.start().wait()
            told[f"open_{rate}_late_p99_ms"] = round(all_seen["late_p99_ms"], 3)
            told[f"open_{rate}_cores"] = round(all_seen["generator_cores"], 2)
        told["wrk_c8_per_second"] = _wrk(url, pace) if shutil.which("wrk") else None
    return told


def _wrk(url: str, pace: Pace) -> float | None:
    """Requests a second by another generator, with the same connections and one thread."""
    seconds = max(1, round(pace.seconds))
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", url]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith("Requests/sec")), None)


@contextlib.contextmanager
def _trivial() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.peers.serving_trivial", str(port)], cwd=ROOT)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        psutil.Process(process.pid).kill()
        process.wait()
