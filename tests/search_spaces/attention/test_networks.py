"""Presets in whole networks: saved and exported alike at every length, and what patches of images and windows see."""

from dataclasses import replace
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from records.data import DataSpec
from records.task import get_task
from search_spaces import heads
from search_spaces.attention.presets import MIXED, PRESETS, block_of
from search_spaces.patch_forecast import PATCH_FORECAST, patch_sizes
from search_spaces.space import Space, read
from search_spaces.transformer import TRANSFORMER
from search_spaces.vision_transformer import VISION_TRANSFORMER
from tests.search_spaces.specs import SPECS, inputs_for, make_spec, task_of

MODERN_MIX = {
    "preset": MIXED,
    "rms_norm": True,
    "positions": "rotary",
    "activation": "swiglu",
    "num_key_value_heads": 1,
    "causal": True,
}
"""A decoder with multi-query attention: of the causal masks the one whose rows are joined."""


def build(space: Space, spec: DataSpec, **given: object) -> keras.Model:
    """With weights that are not at their initial values."""
    values = read(space, {f"{space.name}/{name}": value for name, value in given.items()}, spec)
    network = space.build(values, spec, task_of(spec))
    rng = np.random.default_rng(3)
    for weight in network.weights:
        weight.assign(np.asarray(weight) * 0.9 + 0.05 * rng.random(weight.shape))
    return network


def check_saved_and_exported(network: keras.Model, calls: list[np.ndarray], tmp_path: Path) -> None:
    import onnxruntime

    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    view = heads.export_view(again)
    view(calls[0])
    view.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert len(session.get_inputs()) == 1
    for inputs in calls:
        expected = np.asarray(network(inputs, training=False))
        np.testing.assert_allclose(np.asarray(again(inputs, training=False)), expected, atol=1e-5)
        prediction, embedding = session.run(None, {session.get_inputs()[0].name: inputs})
        np.testing.assert_allclose(prediction, expected, rtol=1e-5, atol=1e-5)
        assert embedding.ndim == 2 and len(embedding) == len(inputs)


@pytest.mark.parametrize(
    "given",
    [
        {"preset": "modern_2023"},
        *(pytest.param(given, marks=pytest.mark.slow) for given in ({"preset": "vaswani_2017"}, MODERN_MIX)),
    ],
    ids=str,
)
def test_a_text_is_answered_alike_whatever_its_length_saved_or_exported(given: dict, tmp_path: Path) -> None:  # type: ignore[type-arg]
    spec = SPECS["text"]
    network = build(TRANSFORMER, spec, **given)
    inputs = inputs_for(spec, 3)
    longer = np.pad(inputs, ((0, 0), (0, 6)))
    check_saved_and_exported(network, [inputs, inputs[:1], longer], tmp_path)
    np.testing.assert_allclose(np.asarray(network(longer)), np.asarray(network(inputs)), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["vaswani_2017", "modern_2023"])
@pytest.mark.parametrize("kind", ["image", "series", "forecast"])
def test_images_series_and_windows_are_exported_alike(kind: str, preset: str, tmp_path: Path) -> None:
    space = {"image": VISION_TRANSFORMER, "series": TRANSFORMER, "forecast": PATCH_FORECAST}[kind]
    spec = make_spec(28, 20, 1) if kind == "image" else SPECS[kind]
    given: dict[str, object] = {"use_past": True} if kind == "forecast" else {}
    inputs = inputs_for(spec, 3)
    check_saved_and_exported(build(space, spec, preset=preset, **given), [inputs, inputs[:1]], tmp_path)


@pytest.mark.parametrize("space", [TRANSFORMER, VISION_TRANSFORMER, PATCH_FORECAST], ids=lambda space: space.name)
def test_a_preset_is_taken_whole_and_a_mix_switch_by_switch(space: Space) -> None:
    spec = SPECS[{"transformer": "text", "vision_transformer": "image", "patch_forecast": "forecast"}[space.name]]
    own = {f"{space.name}/{name}": value for name, value in (("rms_norm", False), ("activation", "relu"))}
    for name, preset in PRESETS.items():
        values = read(space, {f"{space.name}/preset": name, **own}, spec)
        sizes = ("num_heads", "expansion_ratio", "dropout_rate", "stochastic_depth_rate")
        assert block_of(values) == replace(preset, **{size: values[size] for size in sizes})
    mixed = block_of(read(space, {f"{space.name}/preset": MIXED, **own}, spec))
    assert (mixed.rms_norm, mixed.activation, mixed.num_key_value_heads) == (False, "relu", mixed.num_heads)
    with pytest.raises(ValueError, match="must be one of vaswani_2017, .*, mixed. Received: 'gpt'"):
        read(space, {f"{space.name}/preset": "gpt"}, spec)


@pytest.mark.parametrize("space", [TRANSFORMER, PATCH_FORECAST], ids=lambda space: space.name)
def test_a_search_sees_the_switches_only_with_a_mix(space: Space) -> None:
    hp = keras_tuner.HyperParameters()
    space.choices(hp, SPECS["forecast"])
    active = {one.name for one in hp.space if hp.is_active(one)}
    assert f"{space.name}/rms_norm" not in active and f"{space.name}/width" in active
    assert space.choices(hp, SPECS["forecast"])["pre_norm"] in (True, False)  # and is not asked for what it hides
    hp.values[f"{space.name}/preset"] = MIXED
    assert {one.name for one in hp.space if hp.is_active(one)} >= {f"{space.name}/{name}" for name in MODERN_MIX}


@pytest.mark.parametrize("convolutional_stem", [True, False])
@pytest.mark.parametrize(
    ("shape", "patches", "grid"),
    [((28, 28, 1), 8, (7, 7)), ((28, 28, 1), 16, (14, 14)), ((160, 100, 3), 8, (8, 5)), ((4, 5, 1), 8, (4, 5))],
)
def test_images_are_seen_in_about_so_many_patches(
    shape: tuple[int, int, int], patches: int, grid: tuple[int, int], convolutional_stem: bool
) -> None:
    network = build(
        VISION_TRANSFORMER, make_spec(*shape), patches_per_side=patches, convolutional_stem=convolutional_stem
    )
    assert network.get_layer("patches").output.shape[1:3] == grid


def test_patches_without_a_stem_are_products_of_their_pixels() -> None:
    """Dosovitskiy 2021, equation 1."""
    network = build(VISION_TRANSFORMER, make_spec(16, 16, 3), convolutional_stem=False, patches_per_side=4)
    inputs = inputs_for(make_spec(16, 16, 3))
    seen = np.asarray(keras.Model(network.input, network.get_layer("patches").output)(inputs))
    kernel, bias = (np.asarray(weight) for weight in network.get_layer("patches").weights)
    patch = inputs[1, 4:8, 8:12].astype(np.float64).reshape(-1) / 127.5 - 1
    np.testing.assert_allclose(seen[1, 1, 2], patch @ kernel.reshape(len(patch), -1) + bias, atol=1e-5)


def test_a_forecast_starts_at_its_base_and_knows_the_other_series_only_where_asked() -> None:
    spec = SPECS["forecast"]
    inputs = inputs_for(spec)
    layout = spec.forecast
    values = read(PATCH_FORECAST, {}, spec)
    fresh = PATCH_FORECAST.build(values, spec, get_task("forecasting"))
    season = inputs[:, [8, 9, 10, 11, 8], 0] * inputs[:, :1, -1] + inputs[:, :1, -2]
    np.testing.assert_allclose(np.asarray(fresh(inputs))[:, :, layout.median], season, rtol=1e-5)
    other = inputs.copy()
    other[:, : layout.history, 1:3] *= -2.0
    for use_past in (False, True):
        network = build(PATCH_FORECAST, spec, use_past=use_past)
        moved = np.abs(np.asarray(network(other)) - np.asarray(network(inputs))).max()
        assert (moved > 1e-3) == use_past


def test_what_is_before_a_window_begins_changes_no_forecast() -> None:
    spec = SPECS["forecast"]
    inputs = inputs_for(spec)
    inputs[:, :5, :-2] = 0.0
    other = inputs.copy()
    other[:, :5, :-3] = 77.0  # not observed: the mask is 0 there
    for base in ("season", "level"):
        network = build(PATCH_FORECAST, spec, patch_size=8, use_past=True, use_known=False, base=base)
        np.testing.assert_allclose(np.asarray(network(other)), np.asarray(network(inputs)), rtol=1e-5)


@pytest.mark.parametrize("use_past", [False, True])
def test_every_patch_of_a_window_counts_and_the_encoder_is_shared(use_past: bool) -> None:
    spec = SPECS["forecast"]
    network = build(PATCH_FORECAST, spec, patch_size=8, linear_path=False, use_past=use_past)
    inputs = inputs_for(spec)
    before = np.asarray(network(inputs))
    for step in range(spec.forecast.history):
        changed = inputs.copy()
        changed[:, step, 0] += 1.0
        assert np.abs(np.asarray(network(changed)) - before).max() > 1e-4, step
    kernel = network.get_layer("patches").kernel
    assert kernel.shape == (6, 1, 16)  # of one series, however many there are


@pytest.mark.parametrize(
    ("patch_size", "history", "expected"),
    [(16, 336, (16, 8)), (16, 12, (6, 3)), (16, 1, (1, 1)), (8, 5000, (79, 79))],
)
def test_patches_overlap_by_half_and_are_never_too_many(
    patch_size: int, history: int, expected: tuple[int, int]
) -> None:
    assert patch_sizes(patch_size, history) == expected
