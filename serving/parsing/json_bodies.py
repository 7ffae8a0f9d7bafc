"""Texts, series, rows and histories in a request. The schemas stand in `records.api`; these checks are the same ones,
written for a thousand rows in a millisecond and for sentences that say which value is wrong."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import orjson

from records.errors import InputError
from records.spec import InputKind
from serving.kinds import WAYS
from serving.parsing.parameters import Options, check_count, json_options, names_for, short

CELLS = frozenset({str, int, float, bool, type(None)})
NUMBERS = frozenset({int, float, type(None)})
ENCODINGS = frozenset({b"utf-8", b"utf8", b"ascii", b"us-ascii"})
WORDS: dict[type, str] = {
    str: "a string", int: "a number", float: "a number", bool: "true or false", list: "a list", dict: "an object",
    type(None): "null",
}  # fmt: skip


def read_texts(body: bytes, max_inputs: int) -> tuple[list[str], Options]:
    """`{"inputs": [{"text": …}]}`: the texts, and how the answers are to look.

    Raises:
        InputError: Not JSON (400), too many inputs (413), or not a request (422).
    """
    inputs, options = _inputs(body, max_inputs, InputKind.TEXT)
    return [_field(one, index, "text", str, InputKind.TEXT) for index, one in enumerate(inputs)], options


def read_series(body: bytes, max_inputs: int) -> tuple[list[np.ndarray], Options]:
    """`{"inputs": [{"series": …}]}`: each as `<float64>[steps]` or `[steps, channels]` with NaN for null, and the
    options.

    Raises:
        InputError: Not JSON (400), too many inputs (413), or not a request (422).
    """
    inputs, options = _inputs(body, max_inputs, InputKind.SERIES)
    lists = [_field(one, index, "series", list, InputKind.SERIES) for index, one in enumerate(inputs)]
    return [_to_array(values, f"inputs.{index}.series") for index, values in enumerate(lists)], options


def read_rows(body: bytes, max_inputs: int) -> tuple[list[dict[str, Any]], Options]:
    """`{"inputs": [{"row": …}]}`: the rows, and how the answers are to look.

    Raises:
        InputError: Not JSON (400), too many inputs (413), or not a request (422).
    """
    inputs, options = _inputs(body, max_inputs, InputKind.TABLE)
    rows = [_field(one, index, "row", dict, InputKind.TABLE) for index, one in enumerate(inputs)]
    for index, row in enumerate(rows):
        if not CELLS.issuperset(map(type, row.values())):
            _refuse_cell(row, f"inputs.{index}.row", InputKind.TABLE)
    return rows, options


def read_forecasts(body: bytes, max_inputs: int) -> tuple[list[dict[str, Any]], Options]:
    """`{"inputs": [{"history": …, "future": …}]}`: each with both names, where `future` may be None; and the options.

    Raises:
        InputError: Not JSON (400), too many inputs (413), or not a request (422).
    """
    inputs, options = _inputs(body, max_inputs, InputKind.FORECAST)
    raws = []
    for index, one in enumerate(inputs):
        history = _field(one, index, "history", list, InputKind.FORECAST, ("history", "future"))
        future = one.get("future")
        if future is not None and type(future) is not list:
            _refuse(f"inputs.{index}.future", "a list of rows or null", future, InputKind.FORECAST)
        for name, rows in (("history", history), ("future", future or ())):
            _check_rows(rows, f"inputs.{index}.{name}")
        raws.append({"history": history, "future": future})
    return raws, options


def read_plain(body: bytes, charset: bytes) -> str:
    """A body that is one text.

    Raises:
        InputError: Another encoding than UTF-8 (415), or bytes that are none (400).
    """
    if charset.lower().replace(b"_", b"-") not in ENCODINGS:  # `codecs.lookup` would look for a module of this name
        name = short(charset.decode("latin-1"))
        raise InputError(f"The text's encoding is not taken. Expected charset=utf-8. Received: {name!r}.", 415)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"The body is not UTF-8 text: byte {error.start} cannot be read. Expected UTF-8.", 400
        ) from None


def _inputs(body: bytes, max_inputs: int, kind: str) -> tuple[list[Any], Options]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(f"The body is not JSON: {error}. Expected {WAYS[kind].shape}.", 400) from None
    if type(request) is not dict:
        _refuse("the body", "an object", request, kind)
    _check_names(request, ("inputs", *names_for(kind)), "the body", kind)
    inputs = request.get("inputs")
    if type(inputs) is not list:
        _refuse("inputs", "a list", inputs, kind)
    if not inputs:
        raise InputError(f"The JSON is not a request: inputs is empty. Expected {WAYS[kind].shape}.")
    check_count(len(inputs), max_inputs)
    return inputs, json_options(request)


def _field(one: Any, index: int, name: str, wanted: type, kind: str, known: tuple[str, ...] | None = None) -> Any:
    """The value of `name` in one input."""
    if type(one) is not dict:
        _refuse(f"inputs.{index}", "an object", one, kind)
    value = one.get(name)
    if type(value) is not wanted:
        if name not in one:
            raise InputError(f"The JSON is not a request: inputs.{index} has no `{name}`. Expected {WAYS[kind].shape}.")
        _refuse(f"inputs.{index}.{name}", WORDS[wanted], value, kind)
    if len(one) > 1:
        _check_names(one, known or (name,), f"inputs.{index}", kind)
    return value


def _check_rows(rows: Any, where: str) -> None:
    for index, row in enumerate(rows):
        if type(row) is not dict:
            _refuse(f"{where}.{index}", "an object", row, InputKind.FORECAST)
        if not CELLS.issuperset(map(type, row.values())):
            _refuse_cell(row, f"{where}.{index}", InputKind.FORECAST)


def _to_array(values: list[Any], where: str) -> np.ndarray:
    if not values or type(values[0]) is not list:
        _check_numbers(values, where)
        return np.array(values, np.float64)
    for step, one in enumerate(values):
        if type(one) is not list:
            _refuse(f"{where}.{step}", "a list, as the first step is", one, InputKind.SERIES)
        _check_numbers(one, f"{where}.{step}")
        if len(one) != len(values[0]):
            raise InputError(
                f"{where} has another number of values at step {step} than at its first. "
                f"Expected {len(values[0])}, one for each channel. Received: {len(one)}."
            )
    return np.array(values, np.float64)


def _check_numbers(values: list[Any], where: str) -> None:
    if not NUMBERS.issuperset(map(type, values)):
        position = next(index for index, value in enumerate(values) if type(value) not in NUMBERS)
        _refuse(f"{where}.{position}", "a number or null", values[position], InputKind.SERIES)


def _check_names(given: dict[str, Any], known: tuple[str, ...], where: str, kind: str) -> None:
    if unknown := sorted(given.keys() - set(known)):
        raise InputError(
            f"The JSON is not a request: {where} has unknown fields: {short(', '.join(unknown))}. "
            f"Expected {WAYS[kind].shape}."
        )


def _refuse_cell(row: dict[str, Any], where: str, kind: str) -> NoReturn:
    name = next(name for name, value in row.items() if type(value) not in CELLS)
    _refuse(f"{where}.{short(name)}", "a number, a string, true, false or null", row[name], kind)


def _refuse(where: str, expected: str, received: Any, kind: str) -> NoReturn:
    told = WORDS[type(received)] + (f" ({short(repr(received), 30)})" if type(received) in (str, int, float) else "")
    raise InputError(
        f"The JSON is not a request: {where} is wrong. Expected {expected}. Received: {told}. "
        f"A whole request: {WAYS[kind].shape}."
    )
