"""Tables for tests, and what to ask about them."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.datasets.tables.frame import Frame
from records.config import RunConfig

PEOPLE = "name,age,city\nAnn,31,Paris\nBob,,Rome\nEve,25,Oslo\n"


def write(tmp_path: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def cells(frame: Frame) -> dict[str, list[object]]:
    return frame.table.to_pydict()


def told(frame: Frame) -> str:
    return " ".join(one.what for one in frame.understood)


def found(frame: Frame) -> dict[str, str]:
    return {one.code: f"{one.what} {one.done}" for one in frame.findings}


def frame_of(**columns: object) -> Frame:
    table = pa.table(columns)
    return Frame(table=table, lines=np.arange(2, table.num_rows + 2))


def asked(**fields: object) -> RunConfig:
    return RunConfig(data="table.csv", **fields)  # type: ignore[arg-type]
