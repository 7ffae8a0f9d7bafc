"""What a step of training costs, and what makes it cheaper.

The usual network of each space on made-up data of a common size. `alone` is one step a call, `together` is 32 steps a
call, which the training loop does where steps are short; `xla` is the same as `alone`, compiled by XLA. A step is given
in milliseconds of wall clock and of processor time, the best of five rounds; `compile` is the first call. `batch` is
what it takes to make a batch ready: reading rows, mirroring, shifting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.cells import Cell, run

FILES = (
    "pipelines/batches.py",
    "pipelines/graph.py",
    "pipelines/steps.py",
    "search_spaces/cnn.py",
    "search_spaces/convolution1d.py",
    "search_spaces/frozen_backbone.py",
    "search_spaces/recurrent.py",
    "search_spaces/sequences.py",
    "search_spaces/tabular.py",
    "search_spaces/transformer.py",
    "benchmarks/pace.py",
)
ROUNDS = 5
ROUND_SECONDS = 0.5
TOGETHER = 32
NUM_EXAMPLES = 2048
NETWORKS = {
    "head-on-features": ("features", "frozen_backbone"),
    "floor-on-small-images": ("small images", "floor"),
    "mlp-on-rows": ("rows", "mlp"),
    "cnn-on-small-images": ("small images", "cnn"),
    "cnn-on-images": ("images", "cnn"),
    "convolution1d-on-series": ("series", "convolution1d"),
    "recurrent-on-texts": ("texts", "recurrent"),
    "transformer-on-texts": ("texts", "transformer"),
}


def measure(kind: str, space: str) -> dict[str, Any]:
    """Milliseconds of a step in each way."""
    import keras

    from pipelines.batches import training_batches
    from pipelines.graph import Graph
    from pipelines.pace import Pace
    from records.task import get_task
    from search_spaces.catalog import SPACES
    from search_spaces.frozen_backbone import build_head
    from search_spaces.space import read

    data, task = make_data(kind), get_task("classification", "accuracy")
    values = read(SPACES[space], {}, data.spec)
    recipe, build = SPACES[space].recipe(values), build_head if kind == "features" else SPACES[space].build
    graphs = {}
    for way, xla in (("alone", False), ("xla", True)):
        keras.utils.set_random_seed(0)
        graphs[way] = Graph(build(values, data.spec, task), recipe, data, task, Pace(jit_compile=xla))
    full = [batch for batch in islice(training_batches(data, recipe), 40) if len(batch[1]) == recipe.batch_size]
    batches, fed = full[:TOGETHER], training_batches(data, recipe)
    compiled = {way: seconds(partial(steps, graph, batches[:1])) for way, graph in graphs.items()}
    ways: dict[str, tuple[Callable[[], Any], int]] = {
        "alone": (partial(steps, graphs["alone"], batches[:1]), 1),
        "together": (partial(steps, graphs["alone"], batches), len(batches)),
        "xla": (partial(steps, graphs["xla"], batches[:1]), 1),
        "batch": (partial(next, fed), 1),
    }
    return {
        "batch_size": recipe.batch_size,
        "parameters": graphs["alone"].model.count_params(),
        **figures(ways),
        "compile_s": round(compiled["alone"], 1),
        "xla_compile_s": round(compiled["xla"], 1),
    }


def steps(graph: Any, batches: list[Any]) -> float:
    return float(graph.train(batches, [1e-4] * len(batches)))


def figures(ways: dict[str, tuple[Callable[[], Any], int]]) -> dict[str, Any]:
    """The best of each way; they take turns, so that all meet the same moments of a machine."""
    wall, processor = ({way: float("inf") for way in ways} for _ in range(2))
    for _ in range(ROUNDS):
        for way, (call, count) in ways.items():
            call()
            began, used, calls = time.perf_counter(), time.process_time(), 0
            while time.perf_counter() - began < ROUND_SECONDS:
                call()
                calls += count
            wall[way] = min(wall[way], (time.perf_counter() - began) / calls * 1e3)
            processor[way] = min(processor[way], (time.process_time() - used) / calls * 1e3)
    told: dict[str, Any] = {f"{way}_ms": round(value, 2) for way, value in wall.items()}
    return told | {f"{way}_processor_ms": round(processor[way], 2) for way in ways if way != "batch"}


def seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def make_data(kind: str) -> Any:
    """Noise with the shape of real data; ten classes."""
    from pipelines.batches import TrainingData
    from pipelines.metrics import Truth
    from records.data import DataSpec, InputKind
    from records.spec import ColumnKind, SeriesLayout, Slot, TableLayout, TextLayout

    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[InputKind, tuple[int, ...], str, Any]] = {
        "features": (InputKind.IMAGE, (1280,), "float32", None),
        "small images": (InputKind.IMAGE, (28, 28, 1), "uint8", None),
        "images": (InputKind.IMAGE, (96, 96, 3), "uint8", None),
        "series": (InputKind.SERIES, (96, 4), "float32", SeriesLayout(channels=tuple("xyz"))),
        "texts": (InputKind.TEXT, (56,), "int32", TextLayout(vocabulary=8000, tokenizer="learnt")),
        "rows": (
            InputKind.TABLE,
            (16,),
            "float32",
            TableLayout(
                slots=tuple(Slot(name=f"c{i}", kind=ColumnKind.NUMBER, start=2 * i, stop=2 * i + 2) for i in range(8))
            ),
        ),
    }
    what, shape, dtype, layout = shapes[kind]
    whole = np.dtype(dtype).kind != "f"
    inputs = rng.integers(1, 250, (NUM_EXAMPLES, *shape)) if whole else rng.normal(size=(NUM_EXAMPLES, *shape))
    if kind == "series":
        inputs[:, :, -1] = 1.0
    labels = tuple("abcdefghij")
    return TrainingData(
        inputs=inputs.astype(dtype),
        truth=Truth(targets=rng.integers(0, len(labels), NUM_EXAMPLES)),
        spec=DataSpec(
            kind=what,
            input_shape=shape,
            dtype=dtype,
            labels=labels,
            label_counts=(NUM_EXAMPLES // len(labels),) * len(labels),
            layout=layout,
        ),
        train_rows=np.arange(NUM_EXAMPLES),
        validation_rows=np.arange(0),
    )


def cells() -> Iterator[Cell]:
    for name, (kind, space) in NETWORKS.items():
        yield Cell(
            bench="pace",
            name=name,
            measure=partial(measure, kind, space),
            files=FILES,
            packages=("keras", "tensorflow", "numpy"),
        )


CELLS = tuple(cells())

if __name__ == "__main__":
    run(CELLS)
