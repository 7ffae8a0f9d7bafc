"""The floor of forecasting, and linear forecasts."""

from pathlib import Path
from statistics import NormalDist

import keras
import numpy as np
import pytest

from records.task import get_task
from search_spaces import heads
from search_spaces.linear_forecast import BASES, LINEAR_FORECAST
from search_spaces.seasonal_naive import build_seasonal_naive
from search_spaces.space import read
from tests.search_spaces.forecasting.windows import TASK, make_spec, naive, windows


@pytest.mark.parametrize(
    ("history", "horizon", "season"),
    [(11, 5, 3), (11, 5, 7), (11, 5, 11), (11, 5, 12), (2, 1, 1), (4, 9, 4), (3, 7, 1)],
)
def test_the_floor_is_the_seasonal_naive_forecast(history: int, horizon: int, season: int) -> None:
    spec = make_spec(history, horizon, season)
    inputs = windows(spec)
    prediction = np.asarray(build_seasonal_naive(spec, TASK)(inputs))
    assert prediction.shape == (3, horizon, 4)
    np.testing.assert_allclose(prediction[:, :, 1], naive(inputs, spec), rtol=1e-5)
    for i, quantile in enumerate(spec.forecast.quantiles):
        expected = naive(inputs, spec) + NormalDist().inv_cdf(quantile) * inputs[:, :1, -1]
        np.testing.assert_allclose(prediction[:, :, i], expected, rtol=1e-5)


@pytest.mark.parametrize("quantiles", [(0.5,), (0.5, 0.9), (0.1, 0.5), (0.1, 0.5, 0.9)])
def test_the_floor_takes_any_quantiles(quantiles: tuple[float, ...]) -> None:
    spec = make_spec(quantiles=quantiles)
    model = build_seasonal_naive(spec, TASK)
    assert model.count_params() == 5 * (len(quantiles) - 1)
    assert model(windows(spec)).shape == (3, 5, len(quantiles))


def test_training_the_floor_moves_no_median() -> None:
    spec = make_spec()
    model = build_seasonal_naive(spec, TASK)
    inputs = windows(spec, 20)
    before = np.asarray(model(inputs))
    view, from_logits = heads.training_view(model)
    view.compile(keras.optimizers.Adam(0.1), heads.HEADS["forecasting"].loss(spec, from_logits))
    view.train_on_batch(inputs, np.full((20, 5), 9.0, np.float32))
    after = np.asarray(model(inputs))
    np.testing.assert_array_equal(after[:, :, 1], before[:, :, 1])
    assert (np.abs(np.delete(after - before, 1, axis=2)) > 1e-3).all()


def test_the_floor_is_for_forecasting() -> None:
    with pytest.raises(ValueError, match="is for forecasting. Received: classification"):
        build_seasonal_naive(make_spec(), get_task("classification"))


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("use_known", [True, False])
def test_a_linear_forecast_starts_at_its_base(base: str, use_known: bool) -> None:
    spec = make_spec()
    values = read(LINEAR_FORECAST, {"linear_forecast/base": base, "linear_forecast/use_known": use_known}, spec)
    model = LINEAR_FORECAST.build(values, spec, TASK)
    inputs = windows(spec)
    level, spread = inputs[:, :1, -2], inputs[:, :1, -1]
    expected = {
        "last": np.repeat(inputs[:, 10:11, 0] * spread + level, 5, axis=1),
        "season": naive(inputs, spec),
        "level": np.repeat(level, 5, axis=1),
    }[base]
    np.testing.assert_allclose(np.asarray(model(inputs))[:, :, 1], expected, rtol=1e-5)
    width = 11 + (10 if use_known else 0)
    assert model.get_layer(heads.EMBEDDING).output.shape == (None, width)
    assert model.count_params() == (width + 1) * 5 * 4


@pytest.mark.parametrize("base", [None, *BASES])
@pytest.mark.parametrize("horizon", [1, 4, 5])
def test_an_answer_does_not_depend_on_how_many_are_asked_at_once(base: str | None, horizon: int) -> None:
    """Keras' `add` takes a second argument of few elements for a bias where its size is that of another axis."""
    spec = make_spec(horizon=horizon)
    if base is None:
        model = build_seasonal_naive(spec, TASK)
    else:
        model = LINEAR_FORECAST.build(read(LINEAR_FORECAST, {"linear_forecast/base": base}, spec), spec, TASK)
    inputs = windows(spec, 12)
    expected = model.predict(inputs, batch_size=12, verbose=0)
    for count in range(1, 9):
        np.testing.assert_allclose(np.asarray(model(inputs[:count])), expected[:count], rtol=1e-5)


def test_an_unknown_base_is_refused() -> None:
    spec = make_spec()
    values = read(LINEAR_FORECAST, {"linear_forecast/base": "moon"}, spec)
    with pytest.raises(ValueError, match="must be one of last, season, level. Received: 'moon'"):
        LINEAR_FORECAST.build(values, spec, TASK)


@pytest.mark.parametrize("base", [None, *BASES])
def test_forecasts_are_saved_and_exported_alike(base: str | None, tmp_path: Path) -> None:
    import onnxruntime

    spec = make_spec()
    if base is None:
        model = build_seasonal_naive(spec, TASK)
    else:
        model = LINEAR_FORECAST.build(read(LINEAR_FORECAST, {"linear_forecast/base": base}, spec), spec, TASK)
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(np.asarray(weight) + 0.1 * rng.normal(size=weight.shape))
    inputs = windows(spec, 4)
    expected = np.asarray(model(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(again.predict_on_batch(inputs), expected, rtol=1e-5)
    view = heads.export_view(again)
    view(inputs)
    view.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    prediction, embedding = session.run(None, {session.get_inputs()[0].name: inputs})
    np.testing.assert_allclose(prediction, expected, rtol=1e-4)
    assert embedding.ndim == 2 and len(embedding) == 4
    one = session.run(None, {session.get_inputs()[0].name: inputs[:1]})[0]
    np.testing.assert_allclose(one, expected[:1], rtol=1e-4)


def test_a_linear_forecast_learns_what_repeats_and_what_is_known() -> None:
    """A wave on a slope, lifted by a known column: both lie outside what the base says."""
    spec = make_spec(quantiles=(0.5,))
    rng = np.random.default_rng(0)
    inputs = windows(spec, 400)
    times = rng.uniform(0, 6, (400, 1)) + 0.7 * np.arange(16)
    lift = rng.normal(size=(400, 16))
    series = np.sin(times) + 0.5 * lift
    inputs[:, :11, 0], inputs[:, :, 2] = series[:, :11], lift
    targets = series[:, 11:].astype(np.float32)
    keras.utils.set_random_seed(0)
    model = LINEAR_FORECAST.build(read(LINEAR_FORECAST, {}, spec), spec, TASK)
    view, from_logits = heads.training_view(model)
    view.compile(keras.optimizers.Adam(1e-2), heads.HEADS["forecasting"].loss(spec, from_logits))
    view.fit(inputs[:300], targets[:300], epochs=60, verbose=0)
    error = np.abs(view.predict_on_batch(inputs[300:])[:, :, 0] - targets[300:]).mean()
    steps = [8 + step % 3 for step in range(5)]
    assert error < 0.3 * np.abs(inputs[300:, steps, 0] - targets[300:]).mean()
