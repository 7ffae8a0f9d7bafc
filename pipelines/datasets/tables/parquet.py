"""Parquet as columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.datasets.tables.raw import MOST_COLUMNS, Raw
from records.errors import DataError


def read_parquet(path: Path, most_rows: int | None = None) -> Raw:
    """The columns of the file with their own types.

    Args:
        path: A parquet file.
        most_rows: Stop after so many; `None`: all.

    Raises:
        DataError: It is damaged, holds no rows, or has too many columns.
    """
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            if len(file.schema_arrow) > MOST_COLUMNS:
                raise DataError(
                    f"{path} has {len(file.schema_arrow):,} columns. Expected at most {MOST_COLUMNS:,}; leave some out."
                )
            if most_rows is None:
                table = file.read()
            else:
                batches = file.iter_batches(batch_size=most_rows)
                table = pa.Table.from_batches(
                    [batch for _, batch in zip(range(1), batches, strict=False)], file.schema_arrow
                )
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is damaged: it cannot be read as parquet ({str(error).splitlines()[0]}).") from error
    if not table.num_rows or not table.num_columns:
        raise DataError(f"{path} holds no rows. Expected rows to learn from.")
    return Raw(
        names=table.column_names,
        columns=table.columns,
        lines=np.arange(1, table.num_rows + 1, dtype=np.int64),
    )
