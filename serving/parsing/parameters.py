"""What a request says beside its inputs: how its answers are to look; and how many inputs it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qsl

from records.api import HIGHEST_COVERAGE, LOWEST_COVERAGE
from records.errors import InputError
from records.spec import InputKind

NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{0,17})?|\.[0-9]{1,17}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How answers are to look. `None`: not asked for."""

    top_k: int | None = None
    """Classes: how many to list, from 1; `None`: all."""
    coverage: float | None = None
    """0.5 to 0.999: how often the answer's set of classes, or its interval, is to hold what is true."""
    abstain_below: float | None = None
    """Classes, 0 to 1: an answer whose probability lies below is left out."""

    def over(self, defaults: Options) -> Options:
        """These, and the defaults where these say nothing."""
        if self == PLAIN:
            return defaults
        values = {name: getattr(self, name) for name in NAMES}
        return Options(**{name: getattr(defaults, name) if v is None else v for name, v in values.items()})

    def together(self, others: Options) -> Options:
        """These and others, from two places of one request.

        Raises:
            InputError: Both name one option, with different values.
        """
        for name in NAMES:
            one, other = getattr(self, name), getattr(others, name)
            if None not in (one, other) and one != other:
                raise InputError(f"`{name}` was given twice. Expected one value. Received: {one} and {other}.")
        return self.over(others)


PLAIN = Options()
"""Nothing asked for."""
NAMES = tuple(one.name for one in fields(Options))


def names_for(kind: str) -> tuple[str, ...]:
    """The options that a model of this kind of input may know. A forecast lists no classes."""
    return ("coverage",) if kind == InputKind.FORECAST else NAMES


def query_options(query: bytes, kind: str) -> Options:
    """Options in the address.

    Args:
        query: Of the address.
        kind: Of the input.

    Raises:
        InputError: Another parameter (422), one of them several times, or far too many (400).
    """
    if not query:
        return PLAIN
    known = names_for(kind)
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=16, errors="replace")
    except ValueError:
        raise InputError(f"The address has too many parameters. Expected at most {_listed(known)}.", 400) from None
    if unknown := sorted({name for name, _ in pairs if name not in known}):
        raise InputError(
            f"The address has unknown parameters. Expected {_listed(known)}. Received: {short(', '.join(unknown))}."
        )
    return text_options(pairs)


def text_options(pairs: list[tuple[str, str]]) -> Options:
    """Options as they stand in a form or an address, by name.

    Raises:
        InputError: One stands there twice, or is not what it should be.
    """
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name in values:
            raise InputError(f"`{name}` was given twice. Expected one value.")
        values[name] = top_k(text) if name == "top_k" else _check(name, _number(text), short(repr(text)))
    return Options(**values)


def json_options(request: Mapping[str, Any]) -> Options:
    """Options as they stand in a JSON body, among other fields.

    Raises:
        InputError: One is not what it should be.
    """
    top_k, coverage, abstain_below = map(request.get, NAMES)
    if top_k is coverage is abstain_below is None:
        return PLAIN
    if top_k is not None and (type(top_k) is not int or top_k < 1):
        raise InputError(
            f"The JSON is not a request: top_k is wrong. Expected an integer from 1. Received: {short(repr(top_k))}."
        )
    for name, value in (("coverage", coverage), ("abstain_below", abstain_below)):
        if value is not None:
            _check(name, float(value) if type(value) in (int, float) else None, short(repr(value)))
    return Options(
        top_k=top_k,
        coverage=None if coverage is None else float(coverage),
        abstain_below=None if abstain_below is None else float(abstain_below),
    )


def top_k(text: str) -> int:
    """The number of classes to list, as it stands in a form or an address."""
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text, re.ASCII):
        raise InputError(f"`top_k` is not a number of classes. Expected an integer from 1. Received: {short(text)!r}.")
    return int(text)


def check_count(count: int, most: int) -> None:
    """At most `most` inputs in one request, or 413."""
    if count > most:
        raise InputError(f"Too many inputs in one request. Expected at most {most}. Send several requests.", 413)


def short(text: str, most: int = 60) -> str:
    """What was received, for the end of a sentence."""
    return text if len(text) <= most else text[:most] + "…"


def _number(text: str) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else None


def _check(name: str, value: float | None, received: str) -> float:
    low, high = (LOWEST_COVERAGE, HIGHEST_COVERAGE) if name == "coverage" else (0.0, 1.0)
    if value is None or not low <= value <= high:
        raise InputError(f"`{name}` is wrong. Expected a number from {low:g} to {high:g}. Received: {received}.")
    return value


def _listed(names: tuple[str, ...]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
