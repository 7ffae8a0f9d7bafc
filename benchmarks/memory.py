"""Memory while training from a prepared array.

A network is trained for one pass over a memory-mapped array of images, in a process of its own. `anonymous` is the
largest growth of the process's anonymous memory (what cannot be dropped and read again from the file) after the
network was built, by a sampling thread, against the bytes of the array.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.cells import ROOT, Cell, run

FILES = (
    "pipelines/train.py",
    "pipelines/graph.py",
    "pipelines/steps.py",
    "pipelines/batches.py",
    "search_spaces/cnn.py",
    "benchmarks/memory.py",
)
SIDE = 96


def measured(num_images: int) -> dict[str, Any]:
    """Runs one training in a child process."""
    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as folder:
        path = Path(folder) / "images.npy"
        write_array(path, num_images)
        command = [sys.executable, "-m", "benchmarks.memory", "--child", str(path)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])


def write_array(path: Path, num_images: int) -> None:
    rng = np.random.default_rng(0)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(num_images, SIDE, SIDE, 3))
    for start in range(0, num_images, 1000):
        part = array[start : start + 1000]
        part[:] = rng.integers(0, 256, part.shape, dtype=np.uint8)
    array.flush()


def train_once(path: Path) -> dict[str, Any]:
    """The child: one pass, with the memory watched."""
    from pipelines.batches import TrainingData
    from pipelines.metrics import Truth
    from pipelines.train import Schedule, train
    from records.data import DataSpec, InputKind
    from records.task import get_task
    from records.trial import Recipe, Verdict
    from search_spaces.cnn import CNN
    from search_spaces.space import read

    inputs = np.load(path, mmap_mode="r")
    count = len(inputs)
    spec = DataSpec(
        kind=InputKind.IMAGE,
        input_shape=inputs.shape[1:],
        dtype="uint8",
        labels=("a", "b"),
        label_counts=(count // 2, count - count // 2),
    )
    task = get_task("classification")
    small = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/convolutions": 1, "cnn/resolution": 32}
    data = TrainingData(
        inputs=inputs,
        truth=Truth(targets=np.arange(count) % 2),
        spec=spec,
        train_rows=np.arange(count - 1000),
        validation_rows=np.arange(count - 1000, count),
    )
    recipe = Recipe(batch_size=64)
    warm = Schedule(planned_steps=20, stop_after=20)
    model = CNN.build(read(CNN, small, spec), spec, task)
    train(model, recipe, data, task, lambda _: Verdict.CONTINUE, 3600.0, warm)  # what the runtime takes once
    watch = Watch()
    steps = -(-(count - 1000) // 64)
    began = time.perf_counter()
    whole = Schedule(planned_steps=steps, stop_after=steps)
    train(model, recipe, data, task, lambda _: Verdict.CONTINUE, 3600.0, whole)
    seconds = time.perf_counter() - began
    grown = watch.stop()
    return {
        "array_mb": round(inputs.nbytes / 1e6),
        "anonymous_mb": round(grown / 1e6),
        "anonymous_over_array": round(grown / inputs.nbytes, 3),
        "seconds": round(seconds, 1),
    }


class Watch:
    """Samples the process's anonymous memory."""

    def __init__(self) -> None:
        self.begin = self.highest = anonymous_bytes()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._done.wait(0.02):
            self.highest = max(self.highest, anonymous_bytes())

    def stop(self) -> int:
        """Bytes by which it grew at most."""
        self._done.set()
        self._thread.join()
        return self.highest - self.begin


def anonymous_bytes() -> int:
    """Resident memory that no file backs."""
    memory = psutil.Process().memory_info()
    return memory.rss - memory.shared


CELLS = tuple(
    Cell(
        bench="memory",
        name=f"{num_images}-images",
        measure=partial(measured, num_images),
        files=FILES,
        packages=("keras", "tensorflow", "numpy"),
    )
    for num_images in (36_000, 72_000)
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(train_once(Path(sys.argv[2]))))  # noqa: T201
    else:
        run(CELLS)
