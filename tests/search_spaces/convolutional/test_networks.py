"""The standard networks, built from our parts, have as many weights as their papers and their authors' code say."""

import math

import keras
import numpy as np
import pytest

from search_spaces.convolutional import convnext, mobilenet, residual, scaling
from search_spaces.convolutional.stems import stem

IMAGE = (224, 224, 3)


def num_trained(inputs: keras.KerasTensor, x: keras.KerasTensor, last_norm: bool = False) -> int:
    """Weights of the network with a mean and a layer for 1000 classes; averages of batch norms are not counted."""
    x = keras.layers.GlobalAveragePooling2D()(x)
    if last_norm:
        x = keras.layers.LayerNormalization()(x)
    model = keras.Model(inputs, keras.layers.Dense(1000)(x))
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def num_residual(depths: tuple[int, ...], bottleneck: bool, pre_activation: bool) -> int:
    inputs = keras.Input(IMAGE)
    x = stem(inputs, 64, "pooled")
    return num_trained(inputs, residual.body(x, 64, depths, bottleneck=bottleneck, pre_activation=pre_activation))


def test_resnet_18_has_11_7_million_weights() -> None:
    assert num_residual((2, 2, 2, 2), False, False) == 11_689_512  # He 2015; torchvision's resnet18


@pytest.mark.slow
def test_resnet_50_has_25_6_million_weights() -> None:
    assert num_residual((3, 4, 6, 3), True, False) == 25_557_032  # He 2015; torchvision's resnet50


def test_pre_activation_changes_norms_alone() -> None:
    # of 8 blocks: the first norms are as wide as what comes in, short cuts have none, one stands at the end
    assert 11_689_512 - num_residual((2, 2, 2, 2), False, True) == 2 * (448 + 896 - 512)


def num_mobile(stages: tuple[mobilenet.Stage, ...], stem_filters: int, top_filters: int, efficient: bool) -> int:
    inputs, activation = keras.Input(IMAGE), "silu" if efficient else "relu6"
    x = stem(inputs, stem_filters, "strided", activation=activation)
    x = mobilenet.body(x, stages, top_filters, squeeze_ratio=0.25 if efficient else 0.0, activation=activation)
    return num_trained(inputs, x)


def test_mobilenet_v2_has_3_5_million_weights() -> None:
    assert num_mobile(mobilenet.MOBILENET_V2, 32, 1280, False) == 3_504_872  # Sandler 2018; torchvision


@pytest.mark.slow
def test_efficientnet_b0_and_b3_have_5_3_and_12_million_weights() -> None:
    assert num_mobile(mobilenet.EFFICIENTNET_B0, 32, 1280, True) == 5_288_548  # Tan & Le 2019; torchvision
    stages = mobilenet.scaled(mobilenet.EFFICIENTNET_B0, 1.2, 1.4)
    top = scaling.round_width(1.2 * 1280)
    assert num_mobile(stages, scaling.round_width(1.2 * 32), top, True) == 12_233_232


def test_convnext_t_has_28_6_million_weights() -> None:
    inputs = keras.Input(IMAGE)
    x = convnext.body(stem(inputs, 96, "patchify"), (96, 192, 384, 768), (3, 3, 9, 3))
    assert num_trained(inputs, x, last_norm=True) == 28_589_128  # Liu 2022; the authors' convnext_tiny


def test_widths_are_rounded_as_the_authors_do() -> None:
    # EfficientNet-B3 and MobileNetV2 of width 0.35 and 1.4, from the authors' code
    assert [scaling.round_width(1.2 * width) for width in (32, 16, 24, 40, 80, 112, 192, 320, 1280)] == [
        40, 24, 32, 48, 96, 136, 232, 384, 1536
    ]  # fmt: skip
    assert [scaling.round_width(0.35 * width) for width in (32, 16, 24, 64, 160)] == [16, 8, 8, 24, 56]
    assert [scaling.round_depth(1.4 * depth) for depth in (1, 2, 3, 4)] == [2, 3, 5, 6]


def test_one_more_of_the_coefficient_is_about_twice_the_work() -> None:
    for coefficient in (-2, 0, 3):
        here, there = (
            scaling.depth_factor(phi) * scaling.width_factor(phi) ** 2 * scaling.scaled_resolution(512, phi) ** 2
            for phi in (coefficient, coefficient + 1)
        )
        assert there / here == pytest.approx(2.0, rel=0.1)  # Tan & Le 2019, equation 3


def test_blocks_further_in_are_skipped_more_often() -> None:
    np.testing.assert_allclose(scaling.stochastic_depth_rates(0.5, 5), [0.1, 0.2, 0.3, 0.4, 0.5])  # Huang 2016
    inputs = keras.Input((8, 8, 4))
    x = residual.body(inputs, 4, (2, 2), stochastic_depth_rate=0.2)
    dropouts = [layer for layer in keras.Model(inputs, x).layers if isinstance(layer, keras.layers.Dropout)]
    np.testing.assert_allclose(sorted(layer.rate for layer in dropouts), [0.05, 0.1, 0.15, 0.2])
