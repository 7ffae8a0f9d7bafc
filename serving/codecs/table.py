"""Rows of a table: from a mapping of columns to cells to the one array that a network takes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from records.errors import BundleError, InputError
from records.spec import ColumnKind, Slot, TableLayout
from serving.codecs.cells import MAX_CHARACTERS, check_length, shown
from serving.codecs.fields import make
from serving.codecs.stack import stack
from serving.codecs.table_columns import CategoryColumn, NumberColumn
from serving.codecs.table_dates import DateColumn
from serving.codecs.table_text import TextColumn, open_tokenizer

Column = NumberColumn | CategoryColumn | DateColumn | TextColumn
COLUMNS: dict[str, Any] = {c.kind.value: c for c in (NumberColumn, CategoryColumn, DateColumn, TextColumn)}
FIELDS = ("columns", "ignored", "tokenizer", "tokenizer_json")
NAMES_SHOWN = 10
"""Column names in a message."""


@dataclass(frozen=True, kw_only=True)
class TableCodec:
    """Turns one raw row into `<float32>[width]`: the same when training and when serving."""

    columns: tuple[Column, ...]
    ignored: tuple[str, ...] = ()
    """Columns that a row may have and that say nothing: the target, and what preparing left out."""
    tokenizer: str = ""
    """Of the texts: the name of the text backbone. Empty where there are none."""
    tokenizer_json: str = ""

    kind = "table"
    dtype = "float32"

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if not names or len(set(names)) != len(names) or not all(type(name) is str for name in names):
            raise BundleError("codec.json is damaged: a table needs columns, each with a name of its own.")
        if not all(type(name) is str for name in (*self.ignored, self.tokenizer, self.tokenizer_json)):
            raise BundleError("codec.json is damaged: the ignored columns and the tokenizer must be texts.")
        if any(column.kind is ColumnKind.TEXT for column in self.columns) and not self.tokenizer_json:
            raise BundleError("codec.json is damaged: columns of texts need a tokenizer.")

    @cached_property
    def layout(self) -> TableLayout:
        """Where each column lies."""
        slots, start = [], 0
        for column in self.columns:
            stop = start + column.width
            slots.append(Slot(name=column.name, kind=column.kind, start=start, stop=stop, size=column.size))
            start = stop
        return TableLayout(slots=tuple(slots), tokenizer=self.tokenizer)

    @cached_property
    def input_shape(self) -> tuple[int]:
        """(width,)."""
        return (sum(column.width for column in self.columns),)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns) | frozenset(self.ignored)

    @cached_property
    def _placed(self) -> tuple[tuple[Column, slice], ...]:
        places = [slice(slot.start, slot.stop) for slot in self.layout.slots]
        return tuple(zip(self.columns, places, strict=True))

    def to_json(self) -> dict[str, Any]:
        """What `codec.json` holds."""
        columns = [{"kind": column.kind.value, **asdict(column)} for column in self.columns]
        return {
            "kind": self.kind,
            "columns": columns,
            "ignored": list(self.ignored),
            "tokenizer": self.tokenizer,
            "tokenizer_json": self.tokenizer_json,
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> TableCodec:
        """The codec that `to_json` described.

        Raises:
            BundleError: A field is missing, unknown or wrong.
        """
        if saved.keys() != {"kind", *FIELDS} or saved["kind"] != cls.kind:
            raise BundleError(
                f"codec.json does not describe a table codec. Expected kind 'table' and the fields "
                f"{', '.join(FIELDS)}. Received: {', '.join(sorted(saved))}."
            )
        if not isinstance(saved["columns"], list) or not isinstance(saved["ignored"], list):
            raise BundleError("codec.json is damaged: a table's columns and ignored names must be lists.")
        return cls(
            columns=tuple(_column(column) for column in saved["columns"]),
            ignored=tuple(saved["ignored"]),
            tokenizer=saved["tokenizer"],
            tokenizer_json=saved["tokenizer_json"],
        )

    def encode(self, raw: Mapping[str, Any]) -> np.ndarray:
        """One row. Columns that it lacks are missing; ignored ones may be there.

        Args:
            raw: Cells by column: numbers (also as text), texts, truth values, `None` or an empty text.

        Returns:
            `<float32>[width]`.

        Raises:
            InputError: A column that the model does not know, or a cell that is not what its column holds.
        """
        if not isinstance(raw, Mapping) or not raw:
            raise InputError(
                f"A row must map columns to values. Expected some of {self._some()}. Received: {shown(raw)}."
            )
        if not raw.keys() <= self._known:
            self._refuse([name for name in raw if name not in self._known])
        array = np.zeros(self.input_shape, np.float32)
        for column, place in self._placed:
            cell = raw.get(column.name)
            check_length(column.name, cell)
            if isinstance(column, TextColumn):
                self._encode_texts(column, [cell], array[None, place])
            else:
                column.encode_cell(cell, array[place])
        return array

    def encode_columns(self, columns: Mapping[str, np.ndarray], count: int) -> np.ndarray:
        """Many rows at once; row by row what `encode` gives.

        Args:
            columns: By name: numbers `<float64>[count]` (NaN: missing), dates `<datetime64>[count]` (NaT: missing),
                categories and texts `<object>[count]`. Columns that are not here are missing.
            count: Number of rows.

        Returns:
            `<float32>[count, width]`.

        Raises:
            InputError: A column that the model does not know.
        """
        if not columns.keys() <= self._known:
            self._refuse([name for name in columns if name not in self._known])
        array = np.zeros((count, *self.input_shape), np.float32)
        for column, place in self._placed:
            cells = columns.get(column.name)
            if isinstance(column, TextColumn):
                self._encode_texts(column, [None] * count if cells is None else cells.tolist(), array[:, place])
            elif cells is not None:
                column.encode_array(cells, array[:, place])
            elif count:
                column.encode_cell(None, array[0, place])
                array[:, place] = array[0, place]
        return array

    def collate(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """`<float32>[batch, width]`."""
        return stack(arrays)

    def describe(self) -> dict[str, Any]:
        """What one row may hold."""
        columns = [{"name": c.name, "kind": c.kind.value, **c.describe()} for c in self.columns]
        return {"columns": columns, "limits": {"max_columns": len(self._known), "max_characters": MAX_CHARACTERS}}

    def _encode_texts(self, column: TextColumn, cells: Sequence[Any], out: np.ndarray) -> None:
        column.encode_texts(cells, open_tokenizer(self.tokenizer_json, column.max_tokens), out)

    def _refuse(self, unknown: list[Any]) -> None:
        names = [column.name for column in self.columns]
        near = difflib.get_close_matches(str(unknown[0]), names, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Expected some of {self._some()}."
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise InputError(f"The model knows no column {shown(unknown[0])}{more}. {hint}")

    def _some(self) -> str:
        names = [column.name for column in self.columns[:NAMES_SHOWN]]
        left = len(self.columns) - len(names)
        return ", ".join(names) + (f" and {left} more" if left else "")


def _column(saved: Any) -> Column:
    kind = saved.get("kind") if isinstance(saved, dict) else None
    if not isinstance(kind, str) or kind not in COLUMNS:
        raise BundleError(
            f"codec.json is damaged: a column's kind must be one of {', '.join(COLUMNS)}. Received: {kind!r}."
        )
    values = {name: value for name, value in saved.items() if name != "kind"}
    column: Column = make(COLUMNS[kind], values, f"a column of kind {kind}")
    return column
