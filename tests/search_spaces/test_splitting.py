"""A backbone that is cut in two says the same as the whole, and only its second half learns."""

import keras
import numpy as np
import pytest

from records.errors import ConfigError
from search_spaces.backbones import BACKBONES, build_encoder, get_backbone
from search_spaces.splitting import split_encoder


def images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def run(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


def own_encoder(network_output, image, tmp_path, size=32):
    path = tmp_path / "own.keras"
    keras.Model(image, network_output).save(path)
    return build_encoder(get_backbone(str(path)), (20, 24, 1), size)


@pytest.mark.parametrize(("share", "maps"), [(0.2, (2, 2, 192)), (0.34, (4, 4, 112)), (0.5, (4, 4, 80))])
def test_the_halves_of_lite0_meet_at_the_narrow_end_of_a_block(share, maps):
    if reason := BACKBONES["efficientnet_lite0"].why_not():
        pytest.skip(reason)
    encoder = build_encoder(get_backbone("efficientnet_lite0"), (20, 24, 1), size=64)
    inputs = images(2, 20, 24, 1)
    expected = run(encoder, inputs)
    trunk, top = split_encoder(encoder, share)
    assert trunk.output_shape == (None, *maps) and top.output_shape == (None, 1280)
    np.testing.assert_allclose(run(top, run(trunk, inputs)), expected, atol=1e-5)
    assert not trunk.trainable_weights and top.trainable_weights
    assert encoder.get_layer("features").output is encoder.output  # called once still: it can be joined


def test_training_reaches_the_last_layers_and_no_normalisation(tmp_path):
    x = image = keras.Input((None, None, 3))
    for filters in (6, 5):
        x = keras.layers.BatchNormalization()(keras.layers.Conv2D(filters, 3, strides=2)(x))
    nested = keras.Input((None, None, 5))
    conv = keras.layers.Conv2D(4, 3, name="nested_conv")(nested)
    x = keras.Model(nested, keras.layers.BatchNormalization()(conv))(x)
    encoder = own_encoder(x, image, tmp_path)
    network = encoder.layers[-2]
    before = {w.path: keras.ops.convert_to_numpy(w).copy() for w in network.weights}
    trunk, top = split_encoder(encoder, share=0.4)
    top.compile(keras.optimizers.SGD(0.1), "mse")
    top.train_on_batch(run(trunk, images(5, 20, 24, 1)), np.ones((5, 4), np.float32))
    changed = {w.path for w in network.weights if np.any(keras.ops.convert_to_numpy(w) != before[w.path])}
    assert changed == {w.path for w in network.layers[-1].get_layer("nested_conv").weights}


def test_normalisation_inside_a_wrapper_is_not_trained_either(tmp_path):
    image = keras.Input((None, 6, 3))
    x = keras.layers.Conv2D(5, 3, padding="same", name="cut_here")(image)
    x = keras.layers.TimeDistributed(keras.layers.BatchNormalization())(keras.layers.Conv2D(4, 1)(x))
    top = split_encoder(own_encoder(keras.layers.Conv2D(3, 1)(x), image, tmp_path), share=0.9)[1]
    top(np.ones((2, *top.input_shape[1:]), np.float32), training=True)
    found = [weight.path for weight in top.trainable_weights]
    assert len(found) == 4 and not [path for path in found if "norm" in path]


def test_a_cut_takes_no_layer_that_a_path_leads_around(tmp_path):
    image = keras.Input((None, None, 3))
    x = stem = keras.layers.Conv2D(7, 1, name="stem")(image)
    for _ in range(3):
        x = keras.layers.Conv2D(2, 3, padding="same")(x)  # narrower, but inside the block
    x = keras.layers.Conv2D(7, 1)(x)
    added = keras.layers.Add(name="end_of_block")([x, stem])
    encoder = own_encoder(keras.layers.Conv2D(9, 1)(added), image, tmp_path)
    for share, expected in ((0.3, "end_of_block"), (0.8, "stem")):
        trunk, top = split_encoder(encoder, share)
        assert trunk.layers[-1].layers[-1].name == expected
        inputs = images(2, 20, 24, 1)
        np.testing.assert_allclose(run(top, run(trunk, inputs)), run(encoder, inputs), rtol=1e-4)


def test_a_network_without_a_place_for_a_cut_is_refused(tmp_path):
    image = keras.Input((None, None, 3))
    sides = [keras.layers.Conv2D(4, 3, padding="same")(keras.layers.ReLU()(image)) for _ in range(2)]
    encoder = own_encoder(keras.layers.Add()(sides), image, tmp_path)
    with pytest.raises(ConfigError, match=r"cannot be cut in two near its last 34%. Use its frozen features"):
        split_encoder(encoder, share=0.34)
