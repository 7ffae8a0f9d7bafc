"""The past of a series, pasted or uploaded as csv, with its plot; and the future's rows, where some are known."""

from __future__ import annotations

from typing import Any

import streamlit as st

from records.api import Cell, ColumnDescription, Description
from records.errors import InputError
from ui.curves import draw
from ui.forecast import history_curve
from ui.pasted import decoded, read_rows, rows_text
from ui.served import sample
from ui.words import listed, plain, plural


def history_fields(description: Description, key: str) -> dict[str, Any] | None:
    """`{"history": rows, "future": rows or None}`."""
    given = sample(description) or {}
    st.caption(plain(_expected(description.columns)))
    upload = st.file_uploader("A file with the history (csv)", type=["csv", "tsv", "txt"], key=f"{key} history file")
    if upload is not None:
        text = decoded(upload.getvalue())
        st.caption(f"From {plain(upload.name)}.")
    else:
        first = rows_text(given.get("history") or [])
        text = st.text_area("Or the history itself, oldest first", first, height=180, key=f"{key} history")
    future = _future_field(description, given.get("future"), key)
    try:
        history = read_rows(text, description.columns)
        known = read_rows(future, description.columns) if future.strip() else None
    except InputError as error:
        st.info(plain(error))
        return None
    target = target_name(description)
    draw(history_curve(history, description.columns), f"{len(history)} steps of {target}.", height=230)
    return {"history": history, "future": known}


def _expected(columns: list[ColumnDescription]) -> str:
    return f"Columns: {listed([f'{column.name} ({column.kind})' for column in columns], 12)}."


def _future_field(description: Description, given: list[dict[str, Cell]] | None, key: str) -> str:
    """Only needed where columns are known of the future; folded away otherwise."""
    horizon = plural(description.horizon or 0, "step")
    with st.expander(f"What is known of the next {horizon}", expanded=bool(given)):
        return st.text_area(
            "Rows for the steps to forecast, as csv with the columns whose future is known",
            rows_text(given) if given else "",
            height=120,
            key=f"{key} future",
        )


def target_name(description: Description) -> str:
    """The column that is forecast."""
    named = next((column.name for column in description.columns if column.kind == "target"), "")
    return named or description.target or "value"
