"""How figures and names are said to a person: the same in the report, the card and the terminal."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from records.evaluation import Figure
from records.task import METRICS, Direction
from records.trial import Trial

_WRONG_WAY = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
"""They turn the direction of the text that follows."""


def clean(text: object) -> str:
    """Text from data on one line, without characters that steer a terminal or turn the direction of writing."""
    kept = ("\ufffd" if _is_control(c) else c for c in " ".join(str(text).split()))
    return "".join(c for c in kept if c not in _WRONG_WAY)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


def number(value: float, like: float | None = None) -> str:
    """As many digits as say something: 0.914, 12.71, 54,321, 0.00042; or as many decimals as `like` has."""
    return f"{value:,.{_decimals(value if like is None else like)}f}"


def signed(value: float, like: float | None = None) -> str:
    """With its sign, a real minus: +0.031, −0.004."""
    return ("\N{MINUS SIGN}" if value < 0 else "+") + number(abs(value), like)


def interval(figure: Figure) -> str:
    """0.893 to 0.933."""
    widest = max(abs(figure.low), abs(figure.high))
    return f"{number(figure.low, widest)} to {number(figure.high, widest)}"


def _decimals(value: float) -> int:
    """Three for what is about 1, fewer for what is larger, two digits of what is tiny."""
    size = abs(value)
    for limit, decimals in ((999.5, 0), (99.95, 1), (9.995, 2), (0.0005, 3)):
        if size >= limit:
            return decimals
    return min(12, 1 - math.floor(math.log10(size))) if size > 0.0 else 3


def count(value: float) -> str:
    """12,345."""
    return f"{value:,.0f}"


def plural(value: int, one: str, many: str = "") -> str:
    """1 image, 2 images, 12,345 classes."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """0.4 s, 12 s, 3 min 20 s, 1 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def percent(share: float) -> str:
    """62 %, 4 %, < 1 %, > 99 %."""
    if 0.0 < share < 0.005 or 0.995 < share < 1.0:
        return "< 1 %" if share < 0.5 else "> 99 %"
    return f"{100 * share:.0f} %"


def milliseconds(value: float) -> str:
    """0.17 ms, 2.1 ms, 38 ms."""
    return f"{value:.2f} ms" if value < 1 else f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def size(num_bytes: float) -> str:
    """3.4 MB, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 999.5:
            return f"{num_bytes:.0f} {unit}" if unit == "B" or num_bytes >= 99.5 else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} TB"


def metric_title(name: str) -> str:
    """What a person calls the metric."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


def less_is_better(name: str) -> bool:
    """True of errors, losses and costs."""
    return name in METRICS and METRICS[name].direction is Direction.MIN


def setting_name(name: str) -> str:
    """`cnn/learning_rate` is the learning rate."""
    return clean(name.rpartition("/")[2].replace("_", " "))


def setting_value(value: Any) -> str:
    """Yes and no for booleans, at most three significant digits for fractions."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else clean(value)


def settings(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Hyperparameters as a person reads them."""
    return [(setting_name(name), setting_value(value)) for name, value in values.items()]


def ranked(trials: Sequence[Trial], objective: str) -> list[Trial]:
    """Completed trials, the best first; among equals the earlier."""
    done = [trial for trial in trials if trial.scored]
    sign = -1.0 if METRICS[objective].direction is Direction.MAX else 1.0
    return sorted(done, key=lambda trial: (sign * (trial.score or 0.0), trial.number))
