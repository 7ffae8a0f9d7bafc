"""What a person fills in, one function for each kind: it gives the raw input, or `None` while there is none."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import streamlit as st
from PIL import Image

from records.api import Description
from records.errors import InputError
from records.spec import InputKind
from ui.curves import draw, series_lines
from ui.form import row_form
from ui.history import history_fields
from ui.pasted import Series, decoded, read_series, series_text
from ui.served import sample
from ui.words import listed, plain, plural

Widget = Callable[[Description, str], Any]
"""Takes what is served and a prefix for the keys of its fields."""

SMALL = 64
"""Pixels of a side up to which each pixel is shown as a square."""
PICTURES = ["jpg", "jpeg", "png", "webp", "bmp", "gif"]
LINES = {"a line for each step": False, "a line for each channel": True}


def image_field(description: Description, key: str) -> bytes | None:
    """A picture: the server's own example until another is uploaded."""
    upload = st.file_uploader("A picture: JPEG, PNG, WebP, BMP or GIF", type=PICTURES, key=f"{key} picture")
    if upload is not None:
        data, caption = upload.getvalue(), plain(upload.name)
    else:
        data, caption = sample(description), "The server's own example. Upload a picture to ask about that one."
    if not data:
        return None
    try:
        small = max(Image.open(io.BytesIO(data)).size) <= SMALL
        with st.container(key="small" if small else "picture"):
            st.image(data, caption, 280, output_format="PNG" if small else "auto", alt="The picture to ask about")
    except Exception:  # what Pillow cannot open raises a dozen types; the server says what is wrong with it
        st.info("The page cannot show this file. The model may still take it.")
    return bytes(data)


def text_field(description: Description, key: str) -> str | None:
    """A text."""
    most = description.limits.get("max_tokens")
    told = f"The model reads its first {most} tokens." if most else None
    text = st.text_area("A text", value=sample(description) or "", height=220, key=f"{key} text", help=told)
    return text if text and text.strip() else None


def series_field(description: Description, key: str) -> list[Any] | None:
    """A series, pasted or uploaded, with its plot."""
    channels = description.channels or ["value"]
    given = sample(description)
    upload = st.file_uploader("A file with the numbers (csv or txt)", type=["csv", "txt"], key=f"{key} numbers file")
    turned = _line_choice(channels, key) if len(channels) > 1 else False
    if upload is not None:
        text = decoded(upload.getvalue())
        st.caption(f"From {plain(upload.name)}.")
    else:
        text = st.text_area(
            "Or the numbers themselves", series_text(given or []), height=150, key=f"{key} numbers", help=_how(channels)
        )
    try:
        series = read_series(text, channels, turned)
    except InputError as error:
        st.info(plain(error))
        return None
    _show_series(series, channels)
    return [step[0] for step in series] if len(channels) == 1 else series


def _line_choice(channels: list[str], key: str) -> bool:
    st.caption(f"{plural(len(channels), 'channel')}: {plain(listed(channels))}")
    choice = st.radio("What a line holds", list(LINES), horizontal=True, key=f"{key} lines")
    return LINES[choice or next(iter(LINES))]


def _how(channels: list[str]) -> str:
    if len(channels) == 1:
        return "Separated by commas, spaces or new lines. nan or an empty place is a missing value."
    return "Numbers of a line are separated by commas. nan or an empty place is a missing value."


def _show_series(series: Series, channels: list[str]) -> None:
    told = f"A series of {plural(len(series), 'step')}" + (f" in {len(channels)} channels" if len(channels) > 1 else "")
    draw(series_lines(series, channels), f"{told}.", height=230)
    st.caption(f"{told}.")


WIDGETS: dict[str, Widget] = {
    InputKind.IMAGE: image_field,
    InputKind.TEXT: text_field,
    InputKind.SERIES: series_field,
    InputKind.TABLE: row_form,
    InputKind.FORECAST: history_fields,
}
