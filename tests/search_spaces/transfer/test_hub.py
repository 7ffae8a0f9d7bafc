"""Presets of KerasHub become plain networks, or are refused in a sentence."""

import importlib.util
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from records.errors import ConfigError
from search_spaces.backbones import build_encoder, get_backbone
from search_spaces.frozen_backbone import encoder_key
from search_spaces.pretrained import BackboneUnavailable
from search_spaces.splitting import split_encoder
from search_spaces.transfer import hub

installed = pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="KerasHub is not installed")


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def make_preset(folder: Path) -> Any:
    """A small ResNet with random weights, kept as KerasHub keeps its own."""
    import keras_hub

    network = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64, 64],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="basic_block",
    )
    network.save_to_preset(str(folder))
    scale, offset = [1 / 58.4, 1 / 57.1, 1 / 57.4], [-2.1, -2.0, -1.8]
    keras_hub.layers.ResNetImageConverter(image_size=(64, 64), scale=scale, offset=offset).save_to_preset(str(folder))
    return network


@installed
def test_a_preset_is_scaled_cut_and_saved_like_any_backbone(tmp_path: Path) -> None:
    reference = make_preset(tmp_path / "preset")
    backbone = get_backbone(f"hub:{tmp_path / 'preset'}")
    encoder = build_encoder(backbone, (64, 64, 3), size=64)
    inputs = images(2, 64, 64, 3)
    scaled = inputs * np.array([1 / 58.4, 1 / 57.1, 1 / 57.4]) + np.array([-2.1, -2.0, -1.8])
    expected = keras.ops.convert_to_numpy(reference(scaled.astype(np.float32))).mean(axis=(1, 2))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(encoder(inputs)), expected, atol=1e-4)
    encoder.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras", compile=False, safe_mode=True, custom_objects={})
    np.testing.assert_allclose(keras.ops.convert_to_numpy(again(inputs)), expected, atol=1e-4)
    assert "keras_hub" not in again.to_json()
    trunk, top = split_encoder(encoder, 0.34)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(top(trunk(inputs))), expected, atol=1e-4)


@installed
def test_a_preset_that_needs_kerashub_is_refused(tmp_path: Path) -> None:
    import keras_hub

    network = keras_hub.models.ViTBackbone((32, 32, 3), 16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16)
    network.save_to_preset(str(tmp_path))
    with pytest.raises(ConfigError, match=r"has layers that only KerasHub knows \(ViT"):
        hub.load_hub(str(tmp_path), 32)


@installed
def test_a_preset_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackboneUnavailable, match="nothing of KerasHub cannot be had: .*Connect to the internet"):
        hub.load_hub(str(tmp_path / "nothing"), 32)


def test_without_kerashub_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    backbone = get_backbone("hub:resnet_18_imagenet")
    assert backbone.why_not() == "KerasHub is not installed. Install it with: pip install 'kerasmith[hub]'"
    with pytest.raises(BackboneUnavailable, match=r"not installed. Install it with: pip install 'kerasmith\[hub\]'\.$"):
        build_encoder(backbone, (8, 8, 3), size=32)


@pytest.mark.parametrize(
    ("given", "expected"), [(None, (1.0,) * 3), (0.5, (0.5,) * 3), ([0.1, 0.2, 0.3], (0.1, 0.2, 0.3))]
)
def test_scales_are_read_as_kerashub_keeps_them(given: Any, expected: tuple[float, ...]) -> None:
    assert hub._three(given, 1.0) == expected


def test_features_of_a_preset_in_a_folder_change_with_it(tmp_path: Path) -> None:
    (tmp_path / hub.WEIGHTS).write_bytes(b"1")
    values = {"backbone": f"hub:{tmp_path}", "resolution": 96}
    before = encoder_key(values)
    (tmp_path / hub.WEIGHTS).write_bytes(b"22")
    assert encoder_key(values) != before
    assert encoder_key({**values, "backbone": "hub:resnet_18_imagenet"}) == "hub:resnet_18_imagenet@96"
