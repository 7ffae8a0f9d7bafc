"""Small specs of every kind of data, and inputs that fit them, for what every search space must satisfy."""

import dataclasses

import numpy as np

from records.data import DataSpec, InputKind
from records.spec import ColumnKind, ForecastLayout, SeriesLayout, Slot, TableLayout, TextLayout
from records.task import Task, get_task
from search_spaces.catalog import SPACES
from search_spaces.space import Space

LABELS = ("a", "b", "c", "d", "e")
LABEL_COUNTS = (7, 5, 3, 2, 1)
MINILM_VOCABULARY = 30_522
STEPS, CHANNELS = 11, 3


def make_spec(height: int = 11, width: int = 9, channels: int = 3) -> DataSpec:
    """Images."""
    return DataSpec(
        kind=InputKind.IMAGE,
        input_shape=(height, width, channels),
        dtype="uint8",
        labels=LABELS,
        label_counts=LABEL_COUNTS,
    )


def _classes(kind: InputKind, shape: tuple[int, ...], dtype: str, layout: object) -> DataSpec:
    return DataSpec(
        kind=kind,
        input_shape=shape,
        dtype=dtype,
        labels=LABELS,
        label_counts=LABEL_COUNTS,
        layout=layout,  # type: ignore[arg-type]
    )


SLOTS = (
    Slot(name="size", kind=ColumnKind.NUMBER, start=0, stop=2),
    Slot(name="colour", kind=ColumnKind.CATEGORY, start=2, stop=3, size=5),
    Slot(name="day", kind=ColumnKind.DATE, start=3, stop=7),
)
WORDS = Slot(name="words", kind=ColumnKind.TEXT, start=7, stop=13, size=MINILM_VOCABULARY)
SPECS: dict[str, DataSpec] = {
    "image": make_spec(),
    "text": _classes(InputKind.TEXT, (STEPS,), "int32", TextLayout(vocabulary=57, tokenizer="learnt")),
    "pretrained text": _classes(
        InputKind.TEXT, (STEPS,), "int32", TextLayout(vocabulary=MINILM_VOCABULARY, tokenizer="minilm")
    ),
    "series": _classes(InputKind.SERIES, (STEPS, CHANNELS + 1), "float32", SeriesLayout(channels=tuple("xyz"))),
    "table": _classes(InputKind.TABLE, (7,), "float32", TableLayout(slots=SLOTS)),
    "table with text": _classes(
        InputKind.TABLE, (13,), "float32", TableLayout(slots=(*SLOTS, WORDS), tokenizer="minilm")
    ),
    "regression": DataSpec(
        kind=InputKind.TABLE,
        input_shape=(7,),
        dtype="float32",
        task="regression",
        num_train=18,
        target_mean=250.0,
        target_std=40.0,
        layout=TableLayout(slots=SLOTS),
    ),
    "forecast": DataSpec(
        kind=InputKind.FORECAST,
        input_shape=(12 + 5, 1 + 2 + 3 + 3),
        dtype="float32",
        task="forecasting",
        num_train=18,
        layout=ForecastLayout(
            history=12,
            horizon=5,
            season=4,
            quantiles=(0.1, 0.5, 0.9),
            past=("wind", "sun"),
            known=("holiday", "hour sine", "hour cosine"),
        ),
    ),
}
PAIRS = [
    (name, called)
    for called, spec in SPECS.items()
    for name, space in SPACES.items()
    if spec.kind in space.input_kinds and space.fits(spec)
]
"""Every space with every kind of data that it takes."""


def task_of(spec: DataSpec) -> Task:
    return get_task(spec.task)


def trained_spec(space: Space, spec: DataSpec, values: dict) -> DataSpec:  # type: ignore[type-arg]
    """What `build` is given: a space with an encoder builds a head on its features."""
    if space.encoder is None:
        return spec
    features = np.asarray(space.encoder(values, spec)(inputs_for(spec)))
    return dataclasses.replace(spec, input_shape=features.shape[1:], dtype="float32")


def inputs_for(spec: DataSpec, count: int = 2) -> np.ndarray:
    """Arrays as preparing writes them; where `spec` is that of features, any numbers."""
    rng = np.random.default_rng(0)
    if spec.dtype == "uint8":
        return rng.integers(0, 256, (count, *spec.input_shape)).astype(np.uint8)
    inputs = rng.normal(size=(count, *spec.input_shape)).astype(np.float32)
    if spec.dtype == "int32":
        inputs = rng.integers(5, spec.text.vocabulary, (count, *spec.input_shape))
        inputs[::2, -3:] = 0
    elif spec.kind is InputKind.TEXT and len(spec.input_shape) == 2:
        inputs[..., -1] = 1.0  # the states of real tokens
    elif spec.kind is InputKind.SERIES:
        inputs[..., -1] = 1.0
        inputs[::2, -3:] = 0.0
    elif spec.kind is InputKind.TABLE and len(spec.input_shape) == 1 and spec.input_shape[0] < 100:
        for slot in spec.table.of_kind(ColumnKind.CATEGORY, ColumnKind.TEXT):
            inputs[:, slot.start : slot.stop] = rng.integers(1, slot.size, (count, slot.stop - slot.start))
    elif spec.kind is InputKind.FORECAST:
        inputs[:, spec.forecast.history :, : 1 + len(spec.forecast.past)] = 0.0
        inputs[..., -3], inputs[..., -2], inputs[..., -1] = 1.0, 3.0, 2.0
        inputs[:, spec.forecast.history :, -3] = 0.0
    return inputs.astype(spec.dtype)


def loss_targets_for(spec: DataSpec, count: int) -> np.ndarray:
    """What the loss compares with."""
    rng = np.random.default_rng(1)
    if spec.labels:
        return np.eye(spec.num_classes, dtype=np.float32)[np.arange(count) % spec.num_classes]
    shape = (count, spec.forecast.horizon) if spec.kind is InputKind.FORECAST else (count, 1)
    return rng.normal(size=shape).astype(np.float32)


def output_shape(spec: DataSpec) -> tuple[int, ...]:
    """Of one prediction."""
    if spec.labels:
        return (spec.num_classes,)
    return (spec.forecast.horizon, len(spec.forecast.quantiles)) if spec.kind is InputKind.FORECAST else (1,)
