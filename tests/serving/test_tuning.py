import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

from serving.batching import EngineSettings
from serving.bundle import open_bundle
from serving.tuning import (
    Timing,
    company_changes_nothing,
    decide,
    measure,
    padding_changes_nothing,
    share_of_cores,
    threads_to_try,
    tuned,
)
from tests.serving.kinds import KITS, make_bundle

QUICK = {"express_lanes": 1, "express_batch": 8, "inline": True}


def timings(threads: int, *milliseconds: float) -> list[Timing]:
    """Of batches of 1, 8, 32."""
    return [Timing(threads, size, ms / 1e3) for size, ms in zip((1, 8, 32), milliseconds, strict=False)]


@pytest.mark.parametrize(
    ("measured", "cores", "parallel", "expected"),
    [
        # a small convolution (docs/decisions/0020): nothing gains, so no threads wait for each other; it is so quick
        # that the event loop asks it, alone on the spot and else in batches that save nothing but changes of threads
        (timings(1, 0.17, 1.36, 5.3), 1, True, EngineSettings(lanes=2, requests=2, **QUICK)),
        (timings(1, 0.17, 1.36, 5.3) + timings(2, 0.16), 2, True, EngineSettings(lanes=3, requests=3, **QUICK)),
        # the same where examples disturb each other: the event loop's thread takes them one by one
        (timings(1, 0.17, 1.6), 1, True, EngineSettings(lanes=2, requests=2, **QUICK | {"express_batch": 1})),
        # a network that needs two threads to keep up with the event loop, and is too slow to run on it
        (
            timings(1, 1.1, 8.8),
            4,
            True,
            EngineSettings(lanes=5, requests=5, express_lanes=3, express_batch=8),
        ),
        # a text encoder: 32 together take a fifth less time each
        (
            timings(1, 22.5, 170, 585),
            1,
            True,
            EngineSettings(lanes=1, largest_batch=32, max_padding=1.115, requests=33),
        ),
        # batches of 8 gain, larger ones no more: the smaller one keeps requests waiting for less
        (
            timings(1, 1, 4, 15.9),
            2,
            True,
            EngineSettings(
                lanes=2, largest_batch=8, max_padding=1.5, requests=18, express_lanes=2, express_batch=8, inline=True
            ),
        ),
        # two threads make one example a third faster; then one batch at a time
        (timings(1, 10, 80, 320) + timings(2, 6.5, 50, 200), 2, True, EngineSettings(threads=2, lanes=2, requests=2)),
        # four threads are nearly as good as sixteen, and leave room for four lanes
        (
            timings(1, 100) + timings(4, 40) + timings(16, 38),
            16,
            True,
            EngineSettings(threads=4, lanes=5, requests=5),
        ),
        # a batch gains two thirds, but less than handing a request over costs
        (timings(1, 0.03, 0.08, 0.3), 1, True, EngineSettings(lanes=2, requests=2, **QUICK)),
        # threads that save 25 % of nearly nothing: noise
        (
            timings(1, 0.02) + timings(2, 0.015),
            2,
            True,
            EngineSettings(lanes=3, requests=3, express_lanes=1, inline=True),
        ),
        # an engine that runs one batch at a time, whatever the cores
        (timings(1, 0.2, 1.6), 8, False, EngineSettings(lanes=1, requests=2, **QUICK)),
        (
            timings(1, 80, 90),
            8,
            False,
            EngineSettings(lanes=1, largest_batch=8, max_padding=4.056, requests=9),
        ),
    ],
)
def test_decide_takes_what_pays(measured: list[Timing], cores: int, parallel: bool, expected: EngineSettings) -> None:
    assert decide(measured, cores, parallel) == expected


class Sleeping:
    """Takes so long for a batch, plus so long for each example."""

    def __init__(self, once: float, each: float) -> None:
        self.once, self.each = once, each

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        time.sleep(self.once + self.each * len(batch))
        return batch[:, :1], batch[:, :1]

    def close(self) -> None: ...


def test_measure_finds_what_a_batch_saves() -> None:
    found = measure(Sleeping(0.005, 0.0), np.zeros((1, 3), np.float32), 1, time.perf_counter() + 5)
    assert [one.batch for one in found] == [1, 8, 32]
    assert decide(found, 1).largest_batch == 32


def test_measure_leaves_out_what_would_take_too_long() -> None:
    began = time.perf_counter()
    found = measure(Sleeping(0.0, 0.05), np.zeros((1, 3), np.float32), 1, began + 0.4)
    assert [one.batch for one in found] == [1]
    assert time.perf_counter() - began < 0.4


class Masked:
    """Means over the steps that are not 0 (`heeds` padding), or over all (does not)."""

    def __init__(self, heeds: bool, alone: bool = True) -> None:
        self.heeds, self.alone = heeds, alone

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = (batch != 0).sum(axis=1, keepdims=True) if self.heeds else np.full((len(batch), 1), batch.shape[1])
        mean = batch.sum(axis=1, keepdims=True) / np.maximum(count, 1)
        return (mean if self.alone else mean - mean.mean(axis=0)).astype(np.float32), mean

    def close(self) -> None: ...


def test_a_network_that_sees_padding_is_found_out() -> None:
    full = np.array([[3, 4, 5, 6, 0, 0, 0, 0]], np.float32)
    assert padding_changes_nothing(Masked(True), full, full[:, :4])
    assert not padding_changes_nothing(Masked(False), full, full[:, :4])
    assert padding_changes_nothing(Masked(False), full, full), "there is none"


def test_a_network_that_sees_its_neighbours_is_found_out() -> None:
    one = np.array([[3, 4]], np.float32)
    assert company_changes_nothing(Masked(True), one)
    assert not company_changes_nothing(Masked(True, alone=False), one)


@pytest.mark.parametrize("name", ["text", "table"])
def test_a_tuned_bundle_answers_as_before_and_says_how_it_runs(name: str, tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(name, tmp_path / name))
    kit = KITS[name]()
    began = time.perf_counter()
    served = tuned(bundle, cores=2)
    assert time.perf_counter() - began < 3, "it is bounded; 0.05 seconds on an idle machine"
    assert served.batching is not None
    told = served.batching.settings.told()
    assert set(told) == {field.name for field in dataclasses.fields(EngineSettings)}
    assert served.predict(kit.raws) == open_bundle(bundle.folder).predict(kit.raws)


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASMITH_WORKERS", "1")
    whole = share_of_cores()
    monkeypatch.setenv("KERASMITH_WORKERS", "1000")
    assert whole >= 1 and share_of_cores() == 1
    assert threads_to_try(1) == () and threads_to_try(2) == (2,) and threads_to_try(16) == (4, 16)
