"""What breaks the server, and what it costs.

`kerasmith serve` with the small network of the serving benchmarks; the requests come from a process of its own.

- `slow-clients`: hundreds of connections that never send, send a byte a second, or do not read their replies, beside
  normal requests at a steady rate. Kept: at least 99 % of the normal ones get a 200.
- `kills-…`: kill -9 of a worker, again and again, while eight connections ask without a pause. Kept: no kill costs more
  requests than were in flight (eight), and every time the server has all its workers again within 10 seconds.
- `stops`: SIGTERM while eight kept connections and four that are opened for each request ask without a pause, with one
  worker and two in turn. Kept: every request that was sent is answered. Connections that are refused afterwards carried
  none.
- `soak-…`: half of the capacity for half an hour. Kept: the memory of the last five minutes is at most 5 % above that
  of the second to seventh minute, and afterwards no more descriptors are open than before.

    python -m benchmarks.serving_faults                       # what is missing or stale
    python -m benchmarks.serving_faults --try stops           # shorter, and written nowhere
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import httpx
import psutil

from benchmarks.cells import Cell, run, say
from benchmarks.serving import CLOSED, PACKAGES
from benchmarks.serving_closed import load
from benchmarks.serving_faults_parts import hostile, wait_until, workers_of
from benchmarks.serving_methods import OURS, Server, server
from benchmarks.serving_payloads import question
from benchmarks.serving_traffic import Traffic, asked, failed, served

NETWORK, FORM = "cnn", "json"
RATE = 100.0
"""Normal requests a second beside slow clients: far from the server's limit."""
CLIENTS, FRESH_CLIENTS = 8, 4
MOST_SECONDS = 10.0
SAMPLE_SECONDS = 10.0


def traffic(one: Server, concurrency: int | None = None, rate: float | None = None, fresh: bool = False) -> Traffic:
    """Normal requests, not started yet."""
    payload = question(NETWORK, FORM).payload("plain")
    url = one.url + payload.path
    return Traffic(url, payload.body, payload.headers, concurrency=concurrency, rate=rate, fresh=fresh)


def slow_clients(connections: int, seconds: float) -> dict[str, Any]:
    """Normal requests alone, then beside slow clients."""
    with server(OURS, NETWORK) as one:
        alone = traffic(one, rate=RATE).start()
        time.sleep(min(seconds, 10.0))
        before = alone.stop()
        with hostile(one.url, connections=connections) as opened:
            beside = traffic(one, rate=RATE).start()
            time.sleep(seconds)
            seen = beside.stop()
        share = served(seen) / asked(seen)
        return {
            "slow_connections": connections,
            "opened_in_all": sum(opened.values()),
            "normal_requests": asked(seen),
            "served_share": round(share, 5),
            "p99_alone_ms": round(before["statuses"]["200"]["p99_ms"], 2),
            "p99_beside_ms": round(seen["statuses"]["200"]["p99_ms"], 2),
            "kept": "yes" if share >= 0.99 else "no",
        }


def kills(workers: int, times: int) -> dict[str, Any]:
    """kill -9 of a worker under load."""
    costs, seconds, others = [], [], 0
    with server(OURS, NETWORK, workers=workers) as one:
        for number in range(times):
            asking = traffic(one, concurrency=CLIENTS).start()
            time.sleep(1.0)
            victims = workers_of(one.process.pid)
            victim = victims[number % len(victims)]
            victim.kill()
            wait_until(partial(_whole, one, workers, victim), 60.0)
            seconds.append(_answering(one))
            time.sleep(0.5)
            seen = asking.stop()
            costs.append(failed(seen) + seen["failures"]["refused"])
            others += sum(status["count"] for name, status in seen["statuses"].items() if name != "200")
    kept = max(costs) <= CLIENTS and max(seconds) <= MOST_SECONDS and others == 0
    return {
        "workers": workers,
        "kills": times,
        "in_flight": CLIENTS,
        "failed": sum(costs),
        "most_failed_by_one_kill": max(costs),
        "other_replies": others,
        "median_seconds_to_ready": round(statistics.median(seconds), 2),
        "longest_seconds_to_ready": round(max(seconds), 2),
        "kept": "yes" if kept else "no",
    }


def _whole(one: Server, workers: int, dead: psutil.Process) -> bool:
    """Whether there are as many workers again. `dead` may be listed until it was waited for."""
    return len([worker for worker in workers_of(one.process.pid) if worker != dead]) >= workers


def _answering(one: Server) -> float:
    """Seconds since the youngest worker was started, when the server says that it is ready.

    With several workers another one may say so; the youngest then still loads its model.
    """
    began = max(worker.create_time() for worker in workers_of(one.process.pid))
    with httpx.Client(base_url=one.url, timeout=60.0, trust_env=False) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.05)
    return time.time() - began


def stops(times: int) -> dict[str, Any]:
    """SIGTERM under load."""
    kept_dropped = fresh_dropped = answered = others = 0
    seconds = []
    for number in range(times):
        with server(OURS, NETWORK, workers=1 + number % 2) as one:
            both = [traffic(one, concurrency=CLIENTS).start(), traffic(one, FRESH_CLIENTS, fresh=True).start()]
            time.sleep(1.5)
            began = time.monotonic()
            one.process.terminate()
            one.process.wait(60)
            seconds.append(time.monotonic() - began)
            time.sleep(0.3)
            kept, fresh = (each.stop() for each in both)
        kept_dropped += failed(kept) + kept["unanswered"]
        fresh_dropped += failed(fresh) + fresh["unanswered"]
        answered += served(kept) + served(fresh)
        others += sum(s["count"] for seen in (kept, fresh) for name, s in seen["statuses"].items() if name != "200")
    return {
        "stops": times,
        "answered": answered,
        "dropped_on_kept_connections": kept_dropped,
        "dropped_on_new_connections": fresh_dropped,
        "other_replies": others,
        "longest_seconds_to_stop": round(max(seconds), 2),
        "kept": "yes" if kept_dropped + fresh_dropped + others == 0 else "no",
    }


def soak(seconds: float) -> dict[str, Any]:
    """Half load for long: memory and descriptors of everything that the server consists of."""
    with server(OURS, NETWORK) as one:
        capacity = load(one, question(NETWORK, FORM), 32, min(5.0, seconds), 1.0)["per_second"]
        time.sleep(1.0)
        files_before = _descriptors(one)
        asking, samples = traffic(one, rate=capacity / 2).start(), []
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(min(SAMPLE_SECONDS, seconds / 20))
            megabytes = sum(each.memory_full_info().pss for each in one.family()) / 1e6
            samples.append((time.monotonic() - began, megabytes))
        seen = asking.stop()
        time.sleep(1.0)
        files_after = _descriptors(one)
    early_mb = statistics.median(size for at, size in samples if seconds / 30 <= at <= seconds * 7 / 30)
    late_mb = statistics.median(size for at, size in samples if at >= seconds * 25 / 30)
    flat = late_mb <= 1.05 * early_mb and files_after <= files_before
    return {
        "minutes": round(seconds / 60, 1),
        "requests": asked(seen),
        "served_share": round(served(seen) / asked(seen), 5),
        "p99_ms": round(seen["statuses"]["200"]["p99_ms"], 2),
        "early_mb": round(early_mb, 1),
        "late_mb": round(late_mb, 1),
        "growth": round(late_mb / early_mb - 1, 4),
        "descriptors_before": files_before,
        "descriptors_after": files_after,
        "kept": "yes" if flat else "no",
    }


def _descriptors(one: Server) -> int:
    """That are open in all of its processes."""
    return sum(each.num_fds() for each in one.family())


FILES = (*CLOSED, "benchmarks/serving_faults.py", "benchmarks/serving_faults_parts.py")
CELLS = tuple(
    Cell(bench="serving_faults", name=name, measure=measure, files=FILES, packages=PACKAGES)
    for name, measure in (
        ("slow-clients", partial(slow_clients, 500, 60.0)),
        ("kills-1-worker", partial(kills, 1, 25)),
        ("kills-2-workers", partial(kills, 2, 25)),
        ("stops", partial(stops, 20)),
        ("soak-30-minutes", partial(soak, 1800.0)),
    )
)
TRIES = {
    "slow-clients": partial(slow_clients, 100, 5.0),
    "kills-1-worker": partial(kills, 1, 2),
    "kills-2-workers": partial(kills, 2, 2),
    "stops": partial(stops, 2),
    "soak-30-minutes": partial(soak, 20.0),
}


def main(arguments: Sequence[str]) -> None:
    """`--try [NAME ...]` is short and writes nothing; anything else is as in the other benchmarks."""
    if "--try" not in arguments:
        run(CELLS, arguments)
        return
    for name in [one for one in arguments if one != "--try"] or list(TRIES):
        say(f"{name} (a try): {json.dumps(TRIES[name]())}")


if __name__ == "__main__":
    main(sys.argv[1:])
