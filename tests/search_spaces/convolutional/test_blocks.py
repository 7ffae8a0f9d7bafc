"""Each block against numpy written from its paper."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from search_spaces.convolutional import blocks
from search_spaces.convolutional.parts import norm, skip
from tests.search_spaces.convolutional import papers

CHANNELS = 6
IMAGES = np.random.default_rng(5).normal(size=(2, 7, 5, CHANNELS))


def network(block: Callable[[keras.KerasTensor], keras.KerasTensor]) -> keras.Model:
    inputs = keras.Input(IMAGES.shape[1:])
    model = keras.Model(inputs, block(inputs))
    papers.shake(model)
    return model


def assert_equal(model: keras.Model, expected: np.ndarray) -> None:
    found = np.asarray(model(IMAGES.astype(np.float32), training=False))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.std(expected) > 0.1  # a comparison of zeros would say nothing


def weights_of(model: keras.Model) -> tuple[list[list[np.ndarray]], list[list[np.ndarray]]]:
    return papers.layers(model, keras.layers.Conv2D), papers.layers(model, keras.layers.BatchNormalization)


@pytest.mark.parametrize("stride", [1, 2])
def test_pre_activation_block_is_that_of_he_2016(stride: int) -> None:
    model = network(lambda x: blocks.residual_block(x, CHANNELS, stride))
    convs, norms = weights_of(model)
    a = papers.relu(papers.batch_norm(IMAGES, norms[0]))
    shortcut = IMAGES if stride == 1 else papers.conv(a, convs.pop(0)[0], stride)
    y = papers.conv(a, convs[0][0], stride)
    y = papers.conv(papers.relu(papers.batch_norm(y, norms[1])), convs[1][0])
    assert_equal(model, shortcut + y)


def test_bottleneck_is_that_of_he_2015() -> None:
    model = network(lambda x: blocks.residual_block(x, 3, 2, bottleneck=True, pre_activation=False))
    (project, first, middle, last), norms = weights_of(model)
    shortcut = papers.batch_norm(papers.conv(IMAGES, project[0], 2), norms[0])
    y = papers.relu(papers.batch_norm(papers.conv(IMAGES, first[0]), norms[1]))
    y = papers.relu(papers.batch_norm(papers.conv(y, middle[0], 2), norms[2]))
    y = papers.batch_norm(papers.conv(y, last[0]), norms[3])
    assert model.output_shape == (None, 4, 3, 12)
    assert_equal(model, papers.relu(shortcut + y))


def test_inverted_residual_with_a_gate_is_that_of_sandler_and_hu_2018() -> None:
    block = lambda x: blocks.inverted_residual(  # noqa: E731
        x, CHANNELS, expansion_ratio=4, squeeze_ratio=0.75, activation="silu", kernel_size=5
    )
    model = network(block)
    (expand, squeeze, excite, project), norms = weights_of(model)
    ((kernel,),) = papers.layers(model, keras.layers.DepthwiseConv2D)
    assert expand[0].shape[-1] == 24 and squeeze[0].shape[-1] == 4
    y = papers.silu(papers.batch_norm(papers.conv(IMAGES, expand[0]), norms[0]))
    y = papers.silu(papers.batch_norm(papers.depthwise(y, kernel), norms[1]))
    s = papers.silu(papers.conv(y.mean(axis=(1, 2), keepdims=True), squeeze[0], bias=squeeze[1]))
    y = y * papers.sigmoid(papers.conv(s, excite[0], bias=excite[1]))
    y = papers.batch_norm(papers.conv(y, project[0]), norms[2])
    assert_equal(model, IMAGES + y)


def test_separable_block_is_that_of_howard_2017() -> None:
    model = network(lambda x: blocks.separable_block(x, 9, 2))
    ((pointwise,),), norms = weights_of(model)
    ((kernel,),) = papers.layers(model, keras.layers.DepthwiseConv2D)
    y = np.minimum(papers.relu(papers.batch_norm(papers.depthwise(IMAGES, kernel, 2), norms[0])), 6.0)
    y = np.minimum(papers.relu(papers.batch_norm(papers.conv(y, pointwise), norms[1])), 6.0)
    assert_equal(model, y)


def test_convnext_block_is_that_of_liu_2022() -> None:
    model = network(lambda x: blocks.convnext_block(x))
    (kernel, bias), (scale,) = papers.layers(model, keras.layers.DepthwiseConv2D)
    (wide, wide_bias), (narrow, narrow_bias) = papers.layers(model, keras.layers.Dense)
    (norm_weights,) = papers.layers(model, keras.layers.LayerNormalization)
    assert kernel.shape == (7, 7, CHANNELS, 1) and wide.shape == (CHANNELS, 4 * CHANNELS)
    y = papers.layer_norm(papers.depthwise(IMAGES, kernel, bias=bias), norm_weights)
    y = papers.gelu(y @ wide + wide_bias) @ narrow + narrow_bias
    assert_equal(model, IMAGES + scale.reshape(-1) * y)


@pytest.mark.parametrize("pre_activation", [True, False])
def test_a_branch_that_starts_as_zero_adds_nothing(pre_activation: bool) -> None:
    inputs = keras.Input(IMAGES.shape[1:])
    y = blocks.residual_block(inputs, CHANNELS, pre_activation=pre_activation, zero_init_residual=True)
    images = np.abs(IMAGES).astype(np.float32)
    np.testing.assert_allclose(np.asarray(keras.Model(inputs, y)(images)), images, atol=1e-6)


def test_layer_scale_starts_as_the_paper_says() -> None:
    inputs = keras.Input(IMAGES.shape[1:])
    model = keras.Model(inputs, blocks.convnext_block(inputs, layer_scale=1e-6))
    np.testing.assert_allclose(np.asarray(model(IMAGES.astype(np.float32))), IMAGES, atol=1e-4)
    _, (scale,) = papers.layers(model, keras.layers.DepthwiseConv2D)
    np.testing.assert_allclose(scale, 1e-6)


def test_stochastic_depth_drops_whole_branches_and_keeps_the_mean() -> None:
    inputs = keras.Input((2, 3, 4))
    model = keras.Model(inputs, skip(inputs, 0.25))
    ones = np.ones((4000, 2, 3, 4), np.float32)
    np.testing.assert_array_equal(np.asarray(model(ones, training=False)), ones)
    dropped = np.asarray(model(ones, training=True)).reshape(4000, -1)
    assert (dropped == dropped[:, :1]).all()
    assert dropped.mean() == pytest.approx(1.0, abs=0.05)
    assert (dropped[:, 0] == 0).mean() == pytest.approx(0.25, abs=0.05)


def test_group_norm_sees_one_example_alone() -> None:
    inputs = keras.Input((3, 5, 16))
    model = keras.Model(inputs, norm(inputs, "group"))
    images = np.random.default_rng(1).normal(3.0, 2.0, (2, 3, 5, 16))
    groups = images.reshape(2, 15, 8, 2)  # eight groups of two channels, as in Wu & He 2018
    mean, variance = groups.mean(axis=(1, 3), keepdims=True), groups.var(axis=(1, 3), keepdims=True)
    expected = ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(images.shape)
    np.testing.assert_allclose(np.asarray(model(images.astype(np.float32))), expected, atol=1e-4)


@pytest.mark.parametrize("channels", [6, 7, 24])
def test_group_norm_takes_any_number_of_channels(channels: int) -> None:
    x = norm(keras.Input((4, 4, channels)), "group")
    assert x.shape == (None, 4, 4, channels)
