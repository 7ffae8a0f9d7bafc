"""Durations as people write them."""

from __future__ import annotations

import re

from records.errors import ConfigError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PATTERN = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def parse_duration(text: str) -> float:
    """Seconds in "90s", "10m", "1h30m" or "90" (seconds).

    >>> parse_duration("1h30m")
    5400.0

    Raises:
        ConfigError: It is none of these.
    """
    plain = text.strip().lower().replace(" ", "")
    if re.fullmatch(r"\d+(?:\.\d+)?", plain):
        return float(plain)
    if not re.fullmatch(rf"(?:{PATTERN.pattern})+", plain):
        raise ConfigError(f"{text!r} is not a duration. Expected for instance 90s, 10m or 1h30m.")
    return sum(float(number) * SECONDS[unit] for number, unit in PATTERN.findall(plain))
