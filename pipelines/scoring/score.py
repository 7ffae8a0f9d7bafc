"""Asks a model about files: what is in them, what it answers, and both together as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipelines.scoring.answers import ask, titles
from pipelines.scoring.inputs import Inputs, read_rows, read_texts
from pipelines.scoring.output import joined
from pipelines.scoring.series_inputs import read_histories, read_series_file
from records.errors import InputError
from records.spec import InputKind
from serving.bundle import ModelBundle

PICTURES_AT_ONCE = 32


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a model said of files."""

    table: pa.Table
    """The files' own columns, then the answers, then `error` where something went wrong."""
    names: list[str]
    """Of each row, for people."""
    titles: list[str]
    """Of the columns with answers, `error` aside."""
    failures: list[tuple[str, InputError]]
    notes: list[str]


def score_files(
    bundle: ModelBundle, files: Sequence[Path], text: str | None = None, series_id: str | None = None
) -> Scored:
    """Asks about everything in the files. What cannot be answered does not keep the rest from its answers.

    Args:
        bundle: The model, which says what the files hold.
        files: At least one. Where there are several, the table begins with a column `file`.
        text: Texts: the column that holds them.
        series_id: Series and forecasts: the column that names a row's series.

    Raises:
        ConfigError: A file or a column is not there.
        DataError: A file cannot be read.
    """
    tables: list[pa.Table] = []
    names: list[str] = []
    failures: list[tuple[str, InputError]] = []
    notes: list[str] = []
    for path, inputs in _open(bundle, files, text, series_id):
        columns = ask(bundle, inputs.batches())
        answers = columns.table()
        table = answers if inputs.table is None else joined(inputs.table.take(pa.array(columns.inputs)), answers)
        of = f"{path}: " if path is not None and len(files) > 1 else ""
        if of:
            table = joined(pa.table({"file": [str(path)] * table.num_rows}), table)
        tables.append(table)
        names += [of + inputs.names[position] for position in columns.inputs]
        failures += [(of + inputs.names[position], error) for position, error in columns.failures]
        notes += inputs.notes
    whole = tables[0] if len(tables) == 1 else pa.concat_tables(_alike(tables), promote_options="default")
    return Scored(table=whole, names=names, titles=titles(bundle), failures=failures, notes=notes)


def _open(
    bundle: ModelBundle, files: Sequence[Path], text: str | None, series_id: str | None
) -> list[tuple[Path | None, Inputs]]:
    """Every file is opened before the model is asked: a mistake in a name costs no time."""
    kind = bundle.codec.kind
    if kind == InputKind.IMAGE:
        return [(None, _pictures(files))]
    if kind == InputKind.TEXT:
        return [(path, read_texts(bundle, path, text)) for path in files]
    if kind == InputKind.TABLE:
        return [(path, read_rows(bundle, path)) for path in files]
    read = read_histories if kind == InputKind.FORECAST else read_series_file
    return [(path, read(bundle, path, series_id)) for path in files]


def _pictures(files: Sequence[Path]) -> Inputs:
    names = [str(file) for file in files]
    starts = range(0, len(files), PICTURES_AT_ONCE)
    return Inputs(
        names=names,
        batches=lambda: (files[start : start + PICTURES_AT_ONCE] for start in starts),
        table=pa.table({"file": names}),
    )


def _alike(tables: list[pa.Table]) -> list[pa.Table]:
    """Columns of the same name that have different types in two files become strings."""
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            types.setdefault(field.name, set()).add(field.type)
    mixed = {name for name, found in types.items() if len(found - {pa.null()}) > 1}
    return [
        pa.table({n: t.column(n).cast(pa.string()) if n in mixed else t.column(n) for n in t.column_names})
        for t in tables
    ]
