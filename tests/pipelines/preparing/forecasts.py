"""Tables of series, and their windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.tables.frame import Frame
from pipelines.preparing.draft import Draft
from pipelines.preparing.forecast import prepare_forecast
from records.config import RunConfig
from records.data import Source
from records.spec import InputKind

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Made:
    draft: Draft
    inputs: np.ndarray

    def rows(self, code: int) -> np.ndarray:
        return np.flatnonzero(self.draft.codes == code)

    @property
    def told(self) -> dict[str, str]:
        return {finding.code: finding.what for finding in self.draft.findings}

    @property
    def understood(self) -> str:
        return " ".join(one.what for one in self.draft.understood)


Prepare = Callable[..., Made]


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    def run(columns: Columns | pa.Table, **asked: Any) -> Made:
        if isinstance(columns, pa.Table):
            table = columns
        else:
            texts = {k: [None if v is None or v == "" else str(v) for v in column] for k, column in columns.items()}
            table = pa.table({name: pa.array(column, pa.string()) for name, column in texts.items()})
        frame = Frame(table=table, lines=np.arange(2, table.num_rows + 2))
        source = Source(name="load", kind=InputKind.FORECAST, fingerprint=None, frame=lambda: frame)
        done: list[tuple[int, int | None]] = []
        draft = prepare_forecast(
            source, RunConfig(data="x", **asked), tmp_path / "inputs.bin", lambda *one: done.append(one)
        )
        shape = (len(draft.codes), *draft.spec.input_shape)
        assert done[-1] == (shape[0], shape[0])
        return Made(draft, np.memmap(tmp_path / "inputs.bin", np.float32, "r", shape=shape))

    return run


def hours(count: int, start: str = "2024-01-01T00") -> list[str]:
    return [str(np.datetime64(start, "h") + i).replace("T", " ") + ":00:00" for i in range(count)]


def wave(count: int, seed: int = 0) -> list[float]:
    rng = np.random.default_rng(seed)
    return [round(50 + 20 * math.sin(i * math.pi / 12) + float(rng.normal()), 3) for i in range(count)]


def load(count: int = 400, seed: int = 0) -> dict[str, list[Any]]:
    return {"date": hours(count), "load": wave(count, seed)}
