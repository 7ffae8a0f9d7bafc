"""The page's few colours, the report's own: each for light and for dark."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True, kw_only=True)
class Palette:
    """What charts and tables are painted with."""

    ink: str
    paper: str
    """Text on a bar."""
    muted: str
    line: str
    accent: str
    good: str
    warn: str
    bad: str
    series: tuple[str, ...]
    """Lines and families, in their order."""


LIGHT = Palette(
    ink="#1c2127",
    paper="#ffffff",
    muted="#5a636e",
    line="#dcdfe3",
    accent="#1f5a9e",
    good="#17703f",
    warn="#855300",
    bad="#a8281e",
    series=("#2f6fb3", "#c8542f", "#4b8b57", "#8a5fae", "#a67c1a", "#4d7f8c"),
)
DARK = Palette(
    ink="#e4e7ea",
    paper="#121518",
    muted="#9ba5b0",
    line="#333a42",
    accent="#82b6ef",
    good="#74cf97",
    warn="#e8bb68",
    bad="#f2988d",
    series=("#6fabe8", "#ee8a63", "#7dc48b", "#bd97e0", "#d9b25a", "#82bac8"),
)


def palette() -> Palette:
    """The one for the theme that the browser shows."""
    return DARK if st.context.theme.type == "dark" else LIGHT
