"""How things are said on the page: figures, times, and text from data that must stay text."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from records.evaluation import Figure
from records.task import METRICS, Direction

_WRONG_WAY = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
"""They turn the direction of the text that follows."""
_MARKS = re.compile(r"([!-/:-@\[-`{-~])")


def clean(text: object) -> str:
    """Text from data on one line, without control characters and without what turns the direction of writing."""
    kept = (c for c in " ".join(str(text).split()) if c not in _WRONG_WAY)
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in kept)


def plain(text: object) -> str:
    """Text from data for a place that reads Markdown: a label `![](http://…)` must not make the browser fetch it."""
    return _MARKS.sub(r"\\\1", clean(text))


def cell(text: object) -> str:
    """Text from data for HTML."""
    return html.escape(clean(text))


def short(text: object, most: int = 60) -> str:
    """At most so many characters."""
    told = clean(text)
    return told if len(told) <= most else f"{told[: most - 1]}…"


def number(value: float) -> str:
    """Three decimals below 10, else four digits: 0.947, 8.120, 23.41, 1,204, 3.1e+07."""
    size = abs(value)
    if size != 0 and (size < 0.0005 or size >= 1e7):
        return f"{value:.3g}".replace("-", "\N{MINUS SIGN}", value < 0)
    decimals = 3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0
    return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    """With its sign, a real minus: +0.031, −12.50."""
    return number(value) if value < 0 else f"+{number(value)}"


def precise(value: float) -> str:
    """Six digits: 1,234.5, 0.123457, 2,345,678."""
    told = f"{value:,.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:,.6g}"
    return told.replace("-", "\N{MINUS SIGN}", value < 0)


def interval(figure: Figure) -> str:
    """0.893 to 0.933."""
    return f"{number(figure.low)} to {number(figure.high)}"


def percent(probability: float) -> str:
    """94.7 %, and never 100 % or 0 % for what is not."""
    if 0 < probability < 0.001:
        return "< 0.1 %"
    if 0.999 < probability < 1:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def plural(count: int, one: str, many: str = "") -> str:
    """1 class, 12,345 classes."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(names: list[str], most: int = 8) -> str:
    """a, b, c and 4 more."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def duration(seconds: float) -> str:
    """0.4 s, 12 s, 3 min 20 s, 1 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(text: str) -> str:
    """ISO 8601 as this machine's day and time: 21 Nov 10:01, or with the year where it is another one."""
    try:
        local = datetime.fromisoformat(text).astimezone()
    except ValueError:
        return clean(text)
    return local.strftime("%d %b %H:%M" if local.year == datetime.now().year else "%d %b %Y")


def seconds_between(started: str, ended: str | None) -> float | None:
    """From one moment in ISO 8601 to another, or to now; `None` where one is no moment."""
    try:
        end = datetime.now(UTC) if ended is None else datetime.fromisoformat(ended)
        return max(0.0, (end - datetime.fromisoformat(started)).total_seconds())
    except (ValueError, TypeError):
        return None


def metric_title(name: str) -> str:
    """What a person calls the metric."""
    return METRICS[name].title if name in METRICS else clean(name).replace("_", " ")


def less_is_better(name: str) -> str:
    """The words themselves for a metric of which less is better; empty for the others."""
    return "less is better" if name in METRICS and METRICS[name].direction is Direction.MIN else ""


def settings(values: Mapping[str, Any]) -> str:
    """Hyperparameters as a person reads them: filters 32, learning rate 0.001."""
    return ", ".join(f"{clean(name.rpartition('/')[2].replace('_', ' '))} {_setting(v)}" for name, v in values.items())


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else clean(value)
