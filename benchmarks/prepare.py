"""Preparing images.

`prepare` reads a folder of images, decodes them to at most 160 pixels a side, looks for duplicates, splits, and writes
one array. It is compared with a loop that only decodes, `Image.open(path).convert("RGB").resize(...)`, into an array
on the disk, and with the same loop where a JPEG is made smaller while it is decoded (`draft`). Each figure is the best
of three, in a process of its own that may use one core or two. The images are made of smooth noise with grain, saved
as JPEG of quality 85 or as PNG. `again` is a second `prepare` of 70,000 images that the first one has left behind.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.cells import Cell, run
from pipelines.datasets.catalog import open_source
from pipelines.preparing.prepare import prepare
from records.config import RunConfig
from records.data import Example, InputKind, Source
from store.home import Home

FILES = (
    "pipelines/preparing/*.py",
    "pipelines/datasets/image_folder.py",
    "serving/codecs/*.py",
    "benchmarks/prepare.py",
)
REPEATS = 3
NUM_CLASSES = 5


def compare(height: int, width: int, count: int, ending: str) -> dict[str, Any]:
    """Images per second of the loops and of `prepare`."""
    folder = Path(tempfile.mkdtemp(prefix="kerasmith-benchmark-"))
    try:
        write_images(folder / "images", height, width, count, ending)
        size = (round(width * min(1.0, 160 / max(height, width))), round(height * min(1.0, 160 / max(height, width))))
        ways: dict[str, tuple[int, Callable[[Path], float]]] = {
            "plain": (1, partial(plain_loop, size=size, draft=False)),
            "draft": (1, partial(plain_loop, size=size, draft=True)),
            "one": (1, timed_prepare),
            "two": (2, timed_prepare),
        }
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(REPEATS):  # in turn, so that a busy minute of the machine does not meet one way only
            for name, (cores, way) in ways.items():
                best[name] = min(best[name], in_process(cores, way, folder))
        return {
            "images": count,
            "plain_loop_per_second": round(count / best["plain"], 1),
            "draft_loop_per_second": round(count / best["draft"], 1),
            "prepare_per_second": round(count / best["one"], 1),
            "prepare_on_2_cores_per_second": round(count / best["two"], 1),
            "prepare_over_plain_loop": round(best["plain"] / best["one"], 2),
            "2_cores_over_1": round(best["one"] / best["two"], 2),
        }
    finally:
        shutil.rmtree(folder)


def again() -> dict[str, Any]:
    """Seconds of a first and a second `prepare` of 70,000 images of 28 x 28 pixels."""
    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as folder:
        source = Source(name="noise", kind=InputKind.IMAGE, fingerprint="noise", examples=_noise, num_examples=70_000)
        config, home = RunConfig(data="noise"), Home(Path(folder))
        first = prepare(source, config, home)
        seconds = [prepare(source, config, home).seconds for _ in range(REPEATS)]
        return {"images": 70_000, "first_seconds": round(first.seconds, 2), "second_seconds": round(min(seconds), 4)}


def in_process(cores: int, way: Callable[[Path], float], folder: Path) -> float:
    """Runs `way(folder)` in a fresh process that may use so many cores."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=use_cores, initargs=(cores,)) as pool:
        return pool.submit(way, folder).result()


def use_cores(count: int) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def plain_loop(folder: Path, size: tuple[int, int], draft: bool) -> float:
    started = time.perf_counter()
    paths = sorted((folder / "images").rglob("*.*"))
    shape = (len(paths), size[1], size[0], 3)
    arrays = np.lib.format.open_memmap(folder / "arrays.npy", "w+", np.uint8, shape)
    for row, path in enumerate(paths):
        with Image.open(path) as image:
            if draft:
                image.draft("RGB", size)
            arrays[row] = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR))
    arrays.flush()
    return time.perf_counter() - started


def timed_prepare(folder: Path) -> float:
    config = RunConfig(data=str(folder / "images"))
    with tempfile.TemporaryDirectory(dir=folder) as home:
        started = time.perf_counter()
        prepare(open_source(config), config, Home(Path(home)))
        return time.perf_counter() - started


def write_images(folder: Path, height: int, width: int, count: int, ending: str) -> None:
    rng = np.random.default_rng(0)
    grain = rng.integers(-12, 13, (height, width, 3), dtype=np.int16)
    for number in range(count):
        coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
        path = folder / str(number % NUM_CLASSES) / f"{number:06d}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(smooth + np.roll(grain, number), 0, 255).astype(np.uint8)).save(path, quality=85)


def _noise() -> Iterator[Example]:
    rng = np.random.default_rng(0)
    for number in range(70_000):
        coarse = rng.integers(0, 256, (7, 7), dtype=np.uint8)
        yield Example(raw=coarse.repeat(4, axis=0).repeat(4, axis=1), label=str(number % 10), id=str(number))


MEASURES: dict[str, Callable[[], dict[str, Any]]] = {
    "jpeg-1280x960": partial(compare, 960, 1280, 2000, "jpg"),
    "jpeg-500x375": partial(compare, 375, 500, 6000, "jpg"),
    "jpeg-160x120": partial(compare, 120, 160, 20_000, "jpg"),
    "png-32x32": partial(compare, 32, 32, 40_000, "png"),
    "again": again,
}
CELLS = tuple(
    Cell(bench="prepare", name=name, measure=measure, files=FILES, packages=("pillow", "numpy", "scipy"))
    for name, measure in MEASURES.items()
)

if __name__ == "__main__":
    run(CELLS)
