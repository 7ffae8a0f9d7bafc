"""Histories and futures that cannot be used."""

from typing import Any

import pytest

from records.errors import InputError
from tests.serving.codecs.forecasts import CODEC, raw, row


def changed(at: int, **cells: Any) -> dict[str, Any]:
    given = raw(9)
    given["history"][at] |= cells
    return given


def in_future(at: int, **cells: Any) -> dict[str, Any]:
    given = raw(9)
    given["future"][at] |= cells
    return given


WRONG: list[tuple[Any, str]] = [
    (object(), "Not the past of a series. Expected .* Received: object"),
    ({"rows": []}, "Not the past of a series. .* Received: rows"),
    ({"history": {}}, "The history is not a list of rows"),
    ({"history": [[1, 2]] * 4}, "Row 1 of the history is no mapping by column"),
    (raw(2), "The history is too short. Expected at least 3 rows, oldest first, better 7. Received: 2"),
    (
        changed(5, laod=3),
        "The history has columns that the model does not know: laod. Expected only: date, load, price",
    ),
    (changed(5, load="many"), "Row 6 of the history: load must be a number. Received: 'many'"),
    (changed(5, load=float("inf")), "Row 6 of the history: load must be a finite number"),
    (changed(5, load=float("nan")), "Row 6 of the history: load must be a finite number, or null"),
    (changed(5, load="1e31"), "Row 6 of the history: load is too large"),
    (changed(5, wind=[1]), "Row 6 of the history: wind must be a number"),
    (changed(5, date="soon"), "Row 6 of the history: date must be a time in ISO 8601.* Received: 'soon'"),
    (changed(5, date=None), "Row 6 of the history: date must be a time"),
    (changed(5, date=row(4)["date"]), "Rows 5 and 6 of the history have the same time.*step of 1 hour"),
    (changed(5, date=row(3)["date"]), "The history is out of order: row 6 is earlier"),
    (changed(5, date="2024-03-31T01:30"), "Row 6 of the history does not lie on the grid.* steps of 1 hour from row 3"),
    (raw(9, history=raw(9)["history"][::-1]), "The history is out of order"),
    (raw(9, history=[row(i, load=None) for i in range(9)]), "The history has no value of load"),
    (raw(9, future=None), "The future is missing. Expected 3 rows with price"),
    (raw(9, horizon=2), "The future must have 3 rows, one for each step. Received: 2"),
    (raw(9, future=[{}] * 3), "The future has no values of price"),
    (in_future(1, price="dear"), "Row 2 of the future: price must be a number"),
    (in_future(1, cost=1), "The future has columns that the model does not know: cost"),
    (in_future(1, date=row(30)["date"]), "The future's times do not follow the history"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_what_is_wrong_is_told_in_a_sentence(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        CODEC.encode(given)
    assert caught.value.status == 422


def test_too_many_rows_are_too_large() -> None:
    with pytest.raises(InputError, match="The history is too long. Expected at most 50 rows. Received: 51") as caught:
        CODEC.encode(raw(51))
    assert caught.value.status == 413
