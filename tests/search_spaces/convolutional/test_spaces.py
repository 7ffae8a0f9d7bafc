"""The spaces of images beyond the contract of all spaces: every size and kind of image, and every way to end."""

from pathlib import Path

import keras
import numpy as np
import pytest

from records.task import get_task
from search_spaces import heads
from search_spaces.convolutional import ends, stems
from search_spaces.convolutional.convnext import CONVNEXT
from search_spaces.convolutional.mobilenet import MOBILENET, SMALL, scaled, strided
from search_spaces.convolutional.residual import RESIDUAL
from search_spaces.space import Space, read
from tests.search_spaces.specs import inputs_for, make_spec

TASK = get_task("classification")
SPACES = {space.name: space for space in (RESIDUAL, MOBILENET, CONVNEXT)}


def build(space: Space, shape: tuple[int, int, int], **given: object) -> keras.Model:
    spec = make_spec(*shape)
    values = read(space, {f"{space.name}/{name}": value for name, value in given.items()}, spec)
    return space.build(values, spec, TASK)


def last_map(model: keras.Model) -> tuple[int, int]:
    pooled = next(layer for layer in model.layers if layer.name.startswith("global_average_pooling2d"))
    return pooled.input.shape[1:3]


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("shape", [(4, 5, 1), (13, 64, 4), (301, 70, 2)])
def test_any_image_from_four_pixels_up_builds_and_answers(name: str, shape: tuple[int, int, int]) -> None:
    model = build(SPACES[name], shape)
    answers = np.asarray(model(inputs_for(make_spec(*shape), 3)))
    assert answers.shape == (3, 5) and np.isfinite(answers).all()


@pytest.mark.parametrize("name", SPACES)
def test_smaller_images_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"at least 4 pixels wide and high. Received: input_shape=\(3, 9, 1\)"):
        build(SPACES[name], (3, 9, 1))


@pytest.mark.parametrize("name", ["residual", "convnext"])
@pytest.mark.parametrize(("side", "expected"), [(8, 4), (28, 7), (32, 8), (64, 16), (65, 5), (160, 8)])
def test_the_stem_and_the_stages_suit_the_image(name: str, side: int, expected: int) -> None:
    model = build(SPACES[name], (side, side, 3), pooling="mean")
    assert last_map(model) == (expected, expected)


def test_mobilenet_halves_large_images_twice_more() -> None:
    x = keras.Input((64, 64, 8))
    assert [stage.stride for stage in strided(SMALL, x, large=True)] == [2, 2, 2, 2]
    assert [stage.stride for stage in strided(SMALL, x, large=False)] == [1, 2, 2, 2]
    tiny = keras.Input((8, 9, 8))
    assert [stage.stride for stage in strided(SMALL, tiny, large=False)] == [1, 2, 1, 1]  # four pixels are left


def test_the_compound_coefficient_scales_width_depth_and_resolution() -> None:
    small, large = (build(MOBILENET, (300, 300, 3), compound_coefficient=phi) for phi in (-2, 3))
    sides = [next(x for x in m.layers if isinstance(x, keras.layers.Resizing)).height for m in (small, large)]
    assert sides == [96, 192]
    widths = [[stage.filters for stage in scaled(SMALL, 1.1**phi, 1.2**phi)] for phi in (-2, 3)]
    blocks = [[stage.num_blocks for stage in scaled(SMALL, 1.1**phi, 1.2**phi)] for phi in (-2, 3)]
    assert widths == [[16, 24, 40, 80], [24, 32, 64, 128]] and blocks == [[1, 2, 2, 2], [2, 4, 4, 4]]


@pytest.mark.parametrize(
    ("space", "name", "value", "message"),
    [
        (RESIDUAL, "norm", "none", "The norm must be one of batch, group, layer. Received: 'none'"),
        (RESIDUAL, "pooling", "last", "The pooling must be one of mean, attention, self_attention. Received: 'last'"),
        (MOBILENET, "activation", "tanh", "The activation must be one of relu, relu6, silu, gelu. Received: 'tanh'"),
        (MOBILENET, "block", "dense", "must be one of inverted_residual, separable. Received: 'dense'"),
    ],
)
def test_unknown_choices_are_refused(space: Space, name: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(space, (8, 8, 1), **{name: value})


def test_an_unknown_stem_is_refused() -> None:
    with pytest.raises(ValueError, match="The stem must be one of small, strided, pooled, patchify. Received: 'big'"):
        stems.stem(keras.Input((8, 8, 3)), 4, "big")


def test_attention_pooling_starts_as_a_mean_and_weighs_positions_per_head() -> None:
    inputs = keras.Input((3, 4, 64))
    model = keras.Model(inputs, ends.pool(inputs, "attention"))
    rng = np.random.default_rng(2)
    images = rng.normal(size=(2, 3, 4, 64)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(model(images)), images.mean(axis=(1, 2)), atol=1e-5)
    queries = rng.normal(size=(64, 2))
    model.get_layer("pooling_queries").set_weights([queries])
    rows = images.reshape(2, 12, 64).astype(np.float64)
    weights = np.exp(rows @ queries)
    weights /= weights.sum(axis=1, keepdims=True)
    expected = np.einsum("bphc,bph->bhc", rows.reshape(2, 12, 2, 32), weights).reshape(2, 64)
    np.testing.assert_allclose(np.asarray(model(images)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("residual", {"norm": "group", "pooling": "self_attention", "bottleneck": True, "stochastic_depth_rate": 0.2}),
        ("mobilenet", {"norm": "batch", "pooling": "attention"}),
        ("mobilenet", {"norm": "group", "block": "separable", "activation": "relu6"}),
        ("convnext", {"layer_scale": 0.1, "pooling": "self_attention"}),
    ],
)
def test_saved_and_exported_networks_answer_alike(name: str, given: dict[str, object], tmp_path: Path) -> None:
    import onnxruntime

    spec = make_spec(130, 90)
    model = build(SPACES[name], spec.input_shape, **given)
    rng = np.random.default_rng(3)
    for weight in model.trainable_weights:
        weight.assign(np.asarray(weight) * 0.9 + 0.01 * rng.random(weight.shape))
    inputs = inputs_for(spec, 3)
    expected = model.predict_on_batch(inputs)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(again.predict_on_batch(inputs), expected, atol=1e-5)
    view = heads.export_view(again)
    view(inputs)
    view.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    prediction, _ = session.run(None, {session.get_inputs()[0].name: inputs})
    np.testing.assert_allclose(prediction, expected, atol=1e-4)
