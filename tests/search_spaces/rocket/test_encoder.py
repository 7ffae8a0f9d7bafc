"""The frozen network of random kernels against the papers' definitions, step by step in numpy."""

from pathlib import Path

import keras
import numpy as np
import pytest

from records.data import DataSpec, InputKind
from records.spec import SeriesLayout
from search_spaces.rocket import encoder as encoders
from search_spaces.rocket.encoder import RAMP, build_encoder, patch_size
from search_spaces.rocket.kernels import Bank, minirocket, rocket

LENGTHS = (23, 9, 1, 0)
DRAW = {"rocket": rocket, "minirocket": minirocket}


def make_spec(steps: int = 23, channels: int = 3) -> DataSpec:
    return DataSpec(
        kind=InputKind.SERIES,
        input_shape=(steps, channels + 1),
        dtype="float32",
        layout=SeriesLayout(channels=tuple(f"channel {i}" for i in range(channels))),
        labels=("a", "b"),
        label_counts=(5, 5),
    )


def make_inputs(spec: DataSpec, padding: int = 0) -> np.ndarray:
    rng = np.random.default_rng(0)
    inputs = np.zeros((len(LENGTHS), spec.input_shape[0] + padding, spec.input_shape[1]), np.float32)
    for row, length in enumerate(LENGTHS):
        inputs[row, :length, :-1] = rng.normal(size=(length, spec.input_shape[1] - 1)).cumsum(axis=0) / 2
        inputs[row, :length, -1] = 1.0
    return inputs


def make_encoder(variant: str, spec: DataSpec, num_features: int = 300) -> tuple[keras.Model, list[Bank]]:
    banks = DRAW[variant](num_features, spec.input_shape[0], spec.input_shape[1] - 1, seed=0)
    return build_encoder(banks, spec), banks


def answers(series: np.ndarray, weights: np.ndarray, dilation: int, reach: int) -> np.ndarray:
    """Of one kernel to one series `[steps, channels]`, at the steps at which it is asked."""
    half, steps = len(weights) // 2, range(len(series))
    inside = [t for t in steps if t - reach * dilation >= 0 and t + reach * dilation < len(series)]
    found = []
    for t in inside or steps:
        places = [(t + (i - half) * dilation, i) for i in range(len(weights))]
        found.append(sum(float(series[place] @ weights[i]) for place, i in places if 0 <= place < len(series)))
    return np.array(found)


def reference(series: np.ndarray, bank: Bank) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of positive answers `[biases, kernels]`, the part of them that is within the ramp, and largest answers."""
    shares, on_ramp = np.zeros(bank.biases.T.shape), np.zeros(bank.biases.T.shape)
    largest = np.zeros(len(bank.reach))
    for k, reach in enumerate(bank.reach):
        plain = answers(series, bank.weights[..., k], bank.dilation, int(reach))
        size = np.sqrt(np.mean(answers(series, bank.weights[..., k], bank.dilation, 0) ** 2))
        for j, bias in enumerate(bank.biases[k]):
            is_relative = j >= bank.biases.shape[1] - bank.num_relative
            lifted = (plain / size if is_relative else plain) + bias
            shares[j, k], on_ramp[j, k] = (lifted > 0).mean(), (np.abs(lifted) <= RAMP / 2 + 1e-5).mean()
        largest[k] = (plain + bank.biases[k, 0]).max()
    return shares, on_ramp, largest


@pytest.mark.parametrize("variant", DRAW)
def test_features_are_those_of_the_papers(variant: str) -> None:
    spec = make_spec()
    network, banks = make_encoder(variant, spec)
    inputs = make_inputs(spec)
    features = np.asarray(network(inputs))
    assert features.shape == (len(LENGTHS), sum(bank.num_features for bank in banks))
    assert np.isfinite(features).all() and not features[LENGTHS.index(0)].any()
    exact = compared = 0
    for row, length in enumerate(LENGTHS[:-1]):
        start = 0
        for bank in banks:
            shares, on_ramp, largest = reference(inputs[row, :length, :-1].astype(np.float64), bank)
            found = features[row, start : start + shares.size].reshape(shares.shape)
            assert (np.abs(found - shares) <= 0.5 * on_ramp + 1e-5).all()
            exact, compared = exact + (np.abs(found - shares) < 1e-5).sum(), compared + shares.size
            start += shares.size
            if bank.with_max:
                np.testing.assert_allclose(features[row, start : start + len(largest)], largest, atol=1e-4)
                start += len(largest)
    assert exact > 0.8 * compared


@pytest.mark.parametrize("variant", DRAW)
@pytest.mark.parametrize("most_steps", [2048, 8])
def test_padding_changes_no_feature(variant: str, most_steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "MOST_STEPS", most_steps)
    spec = make_spec()
    network, _ = make_encoder(variant, spec)
    padded = make_inputs(spec, padding=14)
    padded[:, :, :-1] += 77.0 * (padded[:, :, -1:] == 0)  # whatever lies there
    np.testing.assert_allclose(np.asarray(network(padded)), np.asarray(network(make_inputs(spec))), atol=1e-5)


def test_long_series_are_seen_in_means_of_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    banks = rocket(100, 6, 1, seed=0)
    series = np.random.default_rng(0).normal(size=(1, 23, 2)).astype(np.float32)
    series[..., -1] = 1.0
    parts = np.array([series[0, i : i + 4, 0].mean() for i in range(0, 23, 4)])
    means = np.stack([parts, np.ones(6)], axis=-1).astype(np.float32)[None]
    expected = np.asarray(build_encoder(banks, make_spec(6, 1))(means))
    monkeypatch.setattr(encoders, "MOST_STEPS", 6)
    np.testing.assert_allclose(np.asarray(build_encoder(banks, make_spec(23, 1))(series)), expected, atol=1e-5)


def test_long_and_wide_series_become_patches() -> None:
    assert [patch_size(make_spec(*shape)) for shape in ((1, 1), (2048, 3), (4096, 1), (3000, 64))] == [1, 1, 2, 3]


@pytest.mark.parametrize("variant", DRAW)
def test_a_constant_series_shows_no_noise_of_rounding(variant: str) -> None:
    spec = make_spec(20, 1)
    network, banks = make_encoder(variant, spec)
    inputs = np.ones((3, 20, 2), np.float32)
    inputs[:, :, 0] = [[0.1], [0.3], [0.7]]
    features, start = np.asarray(network(inputs)), 0
    for bank in banks:  # kernels that lie inside the series see no difference, since their weights add up to 0
        part = features[:, start : start + bank.biases.size].reshape(3, -1, len(bank.reach))[..., bank.reach > 0]
        np.testing.assert_allclose(part[1:], part[:1].repeat(2, axis=0), atol=1e-3)
        start += bank.num_features


@pytest.mark.slow
@pytest.mark.parametrize("variant", DRAW)
def test_what_is_saved_and_exported_gives_the_same_features(variant: str, tmp_path: Path) -> None:
    import onnxruntime

    spec = make_spec()
    network, _ = make_encoder(variant, spec)
    network.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras", compile=False, safe_mode=True)
    again(make_inputs(spec))
    again.export(tmp_path / "encoder.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "encoder.onnx", providers=["CPUExecutionProvider"])
    for padding in (0, 5):
        inputs = make_inputs(spec, padding)
        expected = np.asarray(network(inputs))
        np.testing.assert_allclose(np.asarray(again(inputs)), expected, atol=1e-5)
        found = session.run(None, {session.get_inputs()[0].name: inputs})[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)
