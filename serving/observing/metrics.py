"""Counts and durations of a worker, and of all workers together, as Prometheus reads them.

With several workers each writes files of its own, in the folder that BentoML names in the environment before it starts
them; whoever is asked for `/metrics` adds them up. See `serving.observing.tally`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily

from serving.observing.tally import bury, collected, living

if TYPE_CHECKING:
    from serving.served import Served  # which holds a `Metrics`

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
WAITS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
OTHER = "other"
"""The endpoint of an address that no route has: an invented address must not become a label."""
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
"""The content type of the text format."""


class Metrics:
    """What one worker counts. A process has one: two would overwrite each other's files."""

    def __init__(self) -> None:
        named = os.environ.get(FOLDER)
        self._folder = Path(named) if named else None
        if self._folder:
            bury(self._folder)
        self._registry = own = CollectorRegistry()
        names = ("endpoint", "status")
        self._durations = _histogram(own, "request_duration_seconds", "From headers to reply.", SECONDS, names)
        self._refusals = _counter(own, "refusals", "Replies of 400 to 499, and 503.", ("reason",))
        self._errors = _counter(own, "errors", "Replies of 500 and above, except 503.", ("kind",))
        self._disconnects = _counter(own, "disconnects", "Clients that left before their request was complete.")
        self._flying = _gauge(own, "requests_in_flight", "Requests that are being read or answered.")
        self._ready = _gauge(own, "workers_ready", "Workers that have their model and are not told to end.")
        self._sizes = _histogram(own, "batch_size", "Inputs that the network took together.", SIZES)
        self._waits = _histogram(own, "batch_wait_seconds", "Of the oldest input of a batch.", WAITS)
        # looked up once for each endpoint: `labels` takes a lock and makes strings
        self._durations_of: dict[tuple[str, int], Any] = {}

    def begins(self) -> None:
        """One more request is being read or answered."""
        self._flying.inc()

    def ends(self) -> None:
        """One fewer."""
        self._flying.dec()

    def abandoned(self) -> None:
        """A client went away before its request was complete."""
        self._disconnects.inc()

    def refused(self, reason: str) -> None:
        """Something was refused before it was a request."""
        self._refusals.labels(reason).inc()

    def finished(self, endpoint: str, status: int, seconds: float, reason: str = "") -> None:
        """A request was answered.

        Args:
            endpoint: The path of its route, or `OTHER`.
            status: Of the reply.
            seconds: From its headers to its reply.
            reason: Why it was refused or what failed; not read below a status of 400.
        """
        hundreds = status // 100
        durations = self._durations_of.get((endpoint, hundreds))
        if durations is None:
            durations = self._durations_of[endpoint, hundreds] = self._durations.labels(endpoint, f"{hundreds}xx")
        durations.observe(seconds)
        if status >= 400:
            (self._errors if status >= 500 and status != 503 else self._refusals).labels(reason).inc()

    def batch(self, size: int, waited_seconds: float) -> None:
        """The network takes `size` inputs together, of which the oldest waited so long for it."""
        self._sizes.observe(size)
        self._waits.observe(waited_seconds)

    def ready(self, is_ready: bool) -> None:
        """Whether this worker answers."""
        self._ready.set(1 if is_ready else 0)

    def text(self, served: Served) -> bytes:
        """All workers' counts in Prometheus' text format.

        Args:
            served: Whose model is told.
        """
        processes = living(self._folder) if self._folder else [os.getpid()]
        looked_up = CollectorRegistry()
        looked_up.register(_Given([_model(served), *_processes(processes)]))
        if self._folder is None:
            return generate_latest(self._registry) + generate_latest(looked_up)
        looked_up.register(_Given(collected(self._folder)))
        return generate_latest(looked_up)


class _Given:
    """Metrics that are there already."""

    def __init__(self, metrics: list[Any]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Any]:
        yield from self._metrics


def _model(served: Served) -> GaugeMetricFamily:
    names = ("name", "version", "engine")
    told = GaugeMetricFamily("kerasmith_model_info", "1 for the model that is served.", labels=names)
    if served.bundle is not None:
        told.add_metric((served.name, served.version, served.bundle.manifest.engine), 1)
    return told


def _processes(process_ids: list[int]) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    memory = GaugeMetricFamily("kerasmith_worker_memory_bytes", "Resident memory.", labels=("process",))
    began = GaugeMetricFamily("kerasmith_worker_start_time_seconds", "Since 1970.", labels=("process",))
    for process_id in process_ids:
        with suppress(psutil.Error):  # it ended just now
            process = psutil.Process(process_id)
            memory.add_metric((str(process_id),), process.memory_info().rss)
            began.add_metric((str(process_id),), process.create_time())
    return memory, began


def _histogram(
    registry: CollectorRegistry, name: str, words: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
) -> Histogram:
    return Histogram(f"kerasmith_{name}", words, labels, buckets=buckets, registry=registry)


def _counter(registry: CollectorRegistry, name: str, words: str, labels: tuple[str, ...] = ()) -> Counter:
    return Counter(f"kerasmith_{name}", words, labels, registry=registry)


def _gauge(registry: CollectorRegistry, name: str, words: str) -> Gauge:
    # `livesum`: added up over the workers that live
    return Gauge(f"kerasmith_{name}", words, registry=registry, multiprocess_mode="livesum")
