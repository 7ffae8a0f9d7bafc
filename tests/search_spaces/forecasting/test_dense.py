"""The dense encoder and decoder."""

from pathlib import Path

import keras
import numpy as np
import pytest

from search_spaces import heads
from search_spaces.forecasting.dense import DENSE_FORECAST
from tests.search_spaces.forecasting.windows import build, check_exported_alike, make_spec, naive, shaken, windows


@pytest.mark.parametrize("num_layers", [1, 3])
def test_it_starts_at_its_base(num_layers: int) -> None:
    spec = make_spec()
    inputs = windows(spec)
    model = build(DENSE_FORECAST, spec, num_layers=num_layers)
    np.testing.assert_allclose(np.asarray(model(inputs))[:, :, 1], naive(inputs, spec), rtol=1e-5)


def test_each_column_counts_where_it_is_known() -> None:
    spec = make_spec()
    model = shaken(build(DENSE_FORECAST, spec))
    inputs = windows(spec)
    before = np.asarray(model(inputs))
    for step, column in ((4, 0), (4, 1), (4, 2), (13, 3)):  # the target, a past covariate, known ones of both sides
        other = inputs.copy()
        other[:, step, column] += 1.0
        assert (np.abs(np.asarray(model(other)) - before) > 1e-5).any(axis=(1, 2)).all(), (step, column)
    other = inputs.copy()
    other[:, 11:, :2] = 7.0  # nobody knows these when a forecast is made
    np.testing.assert_array_equal(np.asarray(model(other)), before)


@pytest.mark.parametrize(
    ("past", "known"),
    [
        (("wind", "sun"), ("holiday",)),
        pytest.param((), (), marks=pytest.mark.slow, id="none"),
        pytest.param((), ("holiday",), marks=pytest.mark.slow, id="known"),
    ],
)
def test_it_takes_series_with_and_without_covariates(
    past: tuple[str, ...], known: tuple[str, ...], tmp_path: Path
) -> None:
    spec = make_spec(past=past, known=known)
    check_exported_alike(shaken(build(DENSE_FORECAST, spec, hidden_units=32, num_layers=2)), spec, tmp_path)


def test_it_learns_what_no_line_can_say() -> None:
    """The future is the size of a known column, whatever its sign."""
    spec = make_spec(quantiles=(0.5,))
    inputs = windows(spec, 500)
    targets = np.abs(inputs[:, 11:, 2]).astype(np.float32)
    keras.utils.set_random_seed(0)
    model = build(DENSE_FORECAST, spec, base="level", hidden_units=32, dropout_rate=0.0)
    view, from_logits = heads.training_view(model)
    view.compile(keras.optimizers.Adam(1e-2), heads.HEADS["forecasting"].loss(spec, from_logits))
    view.fit(inputs[:400], targets[:400], epochs=12, verbose=0)
    error = np.abs(view.predict_on_batch(inputs[400:])[:, :, 0] - targets[400:]).mean()
    assert error < 0.5 * np.abs(targets[400:] - np.median(targets)).mean()
