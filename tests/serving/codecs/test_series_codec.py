"""Series: scaling, missing values, lengths, and everything that is no series."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.errors import BundleError, InputError
from serving.codecs.series import LARGEST, SeriesCodec, fill

CODEC = SeriesCodec(channels=("x", "y"), means=(1.0, -2.0), stds=(2.0, 0.5), max_steps=7)
ONE = SeriesCodec(channels=("value",), means=(0.0,), stds=(1.0,), max_steps=5)


def test_values_are_scaled_and_the_last_column_says_where_the_series_ends() -> None:
    raw = np.array([[3.0, -2.0], [1.0, -1.0], [-1.0, -3.0]])
    encoded = CODEC.encode(raw)
    assert encoded.shape == CODEC.input_shape == (7, 3) and encoded.dtype == np.float32
    np.testing.assert_allclose(encoded[:3], [[1, 0, 1], [0, 2, 1], [-1, -2, 1]])
    assert not encoded[3:].any()


@pytest.mark.parametrize(
    ("values", "filled"),
    [
        ([np.nan, 2.0, np.nan, np.nan, 5.0], [2, 2, 3, 4, 5]),
        ([1.0, np.nan, 3.0, np.nan, np.nan], [1, 2, 3, 3, 3]),
        ([np.nan] * 5, [0] * 5),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [1, 2, 3, 4, 5]),
    ],
)
def test_missing_values_lie_on_the_line_between_their_neighbours(values: list[float], filled: list[float]) -> None:
    np.testing.assert_allclose(fill(np.array(values)[:, None])[:, 0], filled)
    np.testing.assert_allclose(ONE.encode(values)[:, 0], filled)


@settings(deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=2, max_size=2), min_size=1, max_size=12))
def test_lists_and_arrays_are_encoded_alike(raw: list[list[float | None]]) -> None:
    array = np.array(raw, dtype=np.float64)
    encoded = CODEC.encode(raw)
    np.testing.assert_array_equal(encoded, CODEC.encode(array))
    assert np.isfinite(encoded).all()
    assert encoded[:, -1].sum() == min(len(raw), CODEC.max_steps)
    np.testing.assert_array_equal(encoded, SeriesCodec.from_json(json.loads(json.dumps(CODEC.to_json()))).encode(raw))


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_a_batch_is_as_long_as_its_longest_series(lengths: list[int]) -> None:
    arrays = [ONE.encode(np.arange(length, dtype=float)) for length in lengths]
    batch = ONE.collate(arrays)
    longest = min(max(lengths), ONE.max_steps)
    assert batch.shape == (len(lengths), longest, 2) and batch.dtype == np.float32
    for array, row in zip(arrays, batch, strict=True):
        np.testing.assert_array_equal(array[:longest], row)


def test_the_first_steps_of_a_long_series_are_used_and_far_values_held() -> None:
    encoded = ONE.encode(np.arange(9.0))
    np.testing.assert_array_equal(encoded[:, 0], np.arange(5.0))
    assert ONE.encode([1e300, -1e300])[:2, 0].tolist() == [LARGEST, -LARGEST]


@pytest.mark.parametrize(
    ("raw", "status", "message"),
    [
        ([], 422, "The series is empty"),
        (np.empty((0, 1)), 422, "The series is empty"),
        ([0.0] * 20_001, 413, "too long. Expected at most 20000 steps. Received: 20001"),
        ([[1.0, 2.0]], 422, "wrong channels. Expected 1 value for each step: value. Received: 2 in step 1"),
        (np.zeros((3, 2)), 422, r"wrong channels. .* Received: an array of shape \(3, 2\)"),
        (np.zeros((3, 1, 1)), 422, "wrong channels"),
        ([1.0, float("inf")], 422, "not finite"),
        ([1.0, "2"], 422, "Step 2 of the series is not made of numbers. Received: str"),
        ([1.0, True], 422, "Step 2 of the series is not made of numbers. Received: bool"),
        ([1.0, [2.0, "a"]], 422, r"Step 2 of the series is not made of numbers. Received: \[2.0, 'a'\]"),
        ([10**400], 422, "too large"),
        ("1,2,3", 422, "Not a series. Expected a list of numbers. Received: str"),
        (np.array(["a"]), 422, "does not hold numbers"),
        ({"a": 1}, 422, "Not a series"),
    ],
)
def test_what_is_no_series_is_refused(raw: Any, status: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        ONE.encode(raw)
    assert error.value.status == status


def test_many_channels_are_named_shortly() -> None:
    codec = SeriesCodec(channels=tuple(f"c{i}" for i in range(12)), means=(0.0,) * 12, stds=(1.0,) * 12, max_steps=3)
    with pytest.raises(InputError, match=r"Expected 12 values for each step: c0, .*c7, \.\.\.\. Received"):
        codec.encode([1.0])


@pytest.mark.parametrize(
    "change",
    [
        {"means": [1.0]},
        {"means": [1.0, float("nan")]},
        {"means": ["a", "b"]},
        {"stds": [1.0, 0.0]},
        {"channels": [1, 2]},
        {"channels": []},
        {"max_steps": 0},
        {"max_steps": 3.0},
        {"max_steps_read": 1},
        {"more": 1},
        {"kind": "text"},
    ],
)
def test_a_damaged_codec_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BundleError):
        SeriesCodec.from_json(CODEC.to_json() | change)


def test_it_describes_its_channels_and_limits() -> None:
    assert CODEC.describe() == {"channels": ["x", "y"], "limits": {"max_steps": 20_000, "steps_used": 7}}
