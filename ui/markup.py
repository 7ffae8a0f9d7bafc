"""Headlines and tables as HTML of our own: small, readable aloud, in the theme's colours, and without pandas."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ui.colors import palette
from ui.words import cell


def style() -> None:
    """What the classes below look like. To be called once on each page."""
    c = palette()
    st.html(
        f"""<style>
.ks-head {{ margin: 0 0 .2rem; }}
.ks-top {{ margin-top: 1.1rem; }}
.st-key-small img {{ image-rendering: pixelated; }}
.ks-head b {{ display: block; font-size: 2rem; line-height: 1.2; font-weight: 650; overflow-wrap: anywhere; }}
.ks-head > span:last-child {{ color: {c.muted}; }}
[data-testid="stRadio"] [data-testid="stCaptionContainer"] {{ opacity: 1; color: {c.muted}; }}
.ks-scroll {{ overflow-x: auto; }}
.ks-table {{ border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }}
.ks-table th, .ks-table td {{ text-align: left; padding: .4rem .9rem .4rem .5rem; border: 0;
  border-bottom: 1px solid {c.line}; vertical-align: baseline; }}
.ks-table thead th {{ color: {c.muted}; font-size: .82rem; font-weight: 600; white-space: nowrap; }}
.ks-table td {{ white-space: nowrap; }}
.ks-table .n {{ text-align: right; }}
.ks-table .long {{ white-space: normal; overflow-wrap: anywhere; min-width: 14rem; color: {c.muted};
  font-size: .84rem; }}
.ks-table tr.best > * {{ background: {c.accent}1c; }}
.ks-table tr.best > :first-child {{ box-shadow: inset 3px 0 {c.accent}; }}
.ks-facts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, max-content)); gap: .6rem 2.4rem;
  margin: 0 !important; padding: 0 !important; }}
.ks-facts dt {{ color: {c.muted}; font-size: .82rem; font-weight: 400; }}
.ks-facts dd {{ margin: 0 !important; padding: 0 !important; font-weight: 600; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }}
.ks-facts small {{ font-weight: 400; color: {c.muted}; font-size: .82rem; }}
.ks-list {{ list-style: none; padding: 0 !important; margin: 0 !important; }}
.ks-list li {{ padding: .45rem 0 !important; margin: 0 !important; border-bottom: 1px solid {c.line}; }}
.ks-list small {{ color: {c.muted}; display: block; overflow-wrap: anywhere; }}
.ks-tag {{ display: inline-block; padding: 0 .55rem; border-radius: 1rem; font-size: .82rem; font-weight: 600;
  border: 1px solid currentColor; margin-right: .4rem; }}
.ks-good {{ color: {c.good}; }} .ks-warn {{ color: {c.warn}; }} .ks-bad {{ color: {c.bad}; }}
.ks-note {{ color: {c.accent}; }}
</style>"""
    )


def headline(big: str, small: str) -> None:
    """The answer itself, and what it is."""
    st.html(f'<p class="ks-head"><b>{cell(big)}</b><span>{cell(small)}</span></p>')


def facts(pairs: Sequence[tuple[str, str, str]]) -> None:
    """Names with their values; the third part is a remark."""
    items = (
        f"<div><dt>{cell(name)}</dt><dd>{cell(value)} {f'<small>{cell(note)}</small>' if note else ''}</dd></div>"
        for name, value, note in pairs
    )
    st.html(f'<dl class="ks-facts">{"".join(items)}</dl>')


def tag(text: str, tone: str) -> str:
    """HTML of a word in a pill; the tone is good, warn, bad or note."""
    return f'<span class="ks-tag ks-{tone}">{cell(text)}</span>'


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0, best: int | None = None, long: bool = False
) -> None:
    """A table of plain texts.

    Args:
        head: The columns' titles.
        rows: Their texts.
        numbers: So many columns after the first hold numbers and stand at the right.
        best: The row that stands out.
        long: The last column holds long texts.
    """

    def kind(i: int) -> str:
        return " class='n'" if 0 < i <= numbers else " class='long'" if long and i == len(head) - 1 else ""

    titles = "".join(f"<th scope='col'{kind(i)}>{cell(title)}</th>" for i, title in enumerate(head))
    body = "".join(
        f"<tr{' class=best' if j == best else ''}>"
        + "".join(f"<td{kind(i)}>{cell(text)}</td>" for i, text in enumerate(row))
        + "</tr>"
        for j, row in enumerate(rows)
    )
    st.html(
        f'<div class="ks-scroll" tabindex="0"><table class="ks-table"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def bullets(items: Sequence[tuple[str, str]]) -> None:
    """A list whose items are HTML (made by `cell` and `tag`) with a remark below each."""
    told = "".join(f"<li>{what}{f'<small>{note}</small>' if note else ''}</li>" for what, note in items)
    st.html(f'<ul class="ks-list">{told}</ul>')
