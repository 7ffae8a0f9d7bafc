"""A search space of one's own: depthwise-separable convolutions. Use it with

    kerasmith run photos/ --space examples/own_space.py:Separable --space frozen_backbone

`choices` names the hyperparameters and reads their values, `build` makes the network. How to train it (optimizer,
learning rate, augmentation) is searched as for every other space.
"""

import keras


class Separable:
    """Two methods are all that a space needs."""

    @staticmethod
    def choices(hp, spec):
        """Declares the hyperparameters; builds nothing. Names begin with the space's."""
        return {
            "filters": hp.Int("Separable/filters", 16, 64, step=2, sampling="log", default=32),
            "num_blocks": hp.Int("Separable/num_blocks", 1, 3, default=2),
        }

    @staticmethod
    def build(values, spec, task):
        """A network from `<uint8>[batch, height, width, channels]` to class probabilities; not compiled."""
        inputs = keras.Input(spec.input_shape, dtype=spec.dtype)
        x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
        for i in range(values["num_blocks"]):
            x = keras.layers.SeparableConv2D(values["filters"] * 2**i, 3, padding="same", activation="relu")(x)
            x = keras.layers.MaxPooling2D()(x)
        x = keras.layers.GlobalAveragePooling2D(name="embedding")(x)  # the name is optional: a bundle's second output
        x = keras.layers.Dense(spec.num_classes, name="logits")(x)
        return keras.Model(inputs, keras.layers.Softmax()(x))
