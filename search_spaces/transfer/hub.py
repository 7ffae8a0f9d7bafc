"""Networks of KerasHub, where it is installed: `hub:PRESET`, the name of a preset, a handle, or a folder.

A preset is data: a configuration, weights, and how pixels are scaled. Nothing of KerasHub may be needed once the
network is built, for a bundle is read where there is none: so only networks of Keras' own layers are taken, which are
those of the families ResNet, VGG and DenseNet, among others.
"""

from __future__ import annotations

import importlib.util
from importlib import import_module
from typing import TYPE_CHECKING, Any

from records.errors import ConfigError
from search_spaces.applications import RAW, Pixels
from search_spaces.pretrained import BackboneUnavailable, first_line, quiet_download

if TYPE_CHECKING:
    import keras

PREFIX = "hub:"
WEIGHTS = "model.weights.h5"
"""In the folder of a preset."""


def hub_why_not() -> str | None:
    """A sentence when KerasHub is not installed."""
    if importlib.util.find_spec("keras_hub") is not None:
        return None
    return "KerasHub is not installed. Install it with: pip install 'kerasmith[hub]'"


def load_hub(preset: str, size: int) -> keras.Model:
    """A preset's network without its classifier; its own size, where it has one, wins over `size`.

    Raises:
        BackboneUnavailable: KerasHub or the weights cannot be had.
        ConfigError: It has layers that only KerasHub knows, or is no network of one input and one output.
    """
    import keras

    found = _from_preset("models", "Backbone", preset)
    if len(found.inputs) != 1 or len(found.outputs) != 1:
        raise ConfigError(f"The preset {preset} cannot be a backbone for images: it has several inputs or outputs.")
    # the same layers as a plain network: it is saved, cut and exported without KerasHub
    network = keras.Model(found.inputs[0], found.outputs[0], name="hub_network")
    kinds = {type(layer) for layer in network.layers}
    foreign = sorted(kind.__name__ for kind in kinds if not kind.__module__.startswith("keras."))
    if foreign:
        raise ConfigError(
            f"The preset {preset} has layers that only KerasHub knows ({', '.join(foreign[:3])}), so that a packaged "
            "model could not be read without it. Take a ResNet, VGG or DenseNet of KerasHub's, or applications:NAME."
        )
    return network


def hub_pixels(preset: str) -> Pixels:
    """How a preset scales values of 0 to 255.

    Raises:
        BackboneUnavailable: KerasHub or the preset's files cannot be had.
    """
    converter = _from_preset("layers", "ImageConverter", preset)
    return Pixels(
        scale=_three(converter.scale, RAW.scale[0]),
        offset=_three(converter.offset, RAW.offset[0]),
    )


def _three(given: Any, default: float) -> tuple[float, float, float]:
    """KerasHub keeps nothing, one number, or one for each channel."""
    values = [default] if given is None else list(given) if isinstance(given, (list, tuple)) else [given]
    red, green, blue = (float(value) for value in (values * 3 if len(values) == 1 else values))
    return red, green, blue


def _from_preset(module: str, owner: str, preset: str) -> Any:
    """What KerasHub's `module.owner.from_preset` gives."""
    if reason := hub_why_not():
        raise BackboneUnavailable(f"{reason}.")
    try:
        with quiet_download():
            keras_hub = import_module("keras_hub")
            return getattr(getattr(keras_hub, module), owner).from_preset(preset)
    except Exception as error:  # an import, a download and a foreign configuration can raise anything
        raise BackboneUnavailable(
            f"The preset {preset} of KerasHub cannot be had: {first_line(error)}. Connect to the internet, name the "
            "folder of a preset for images, or leave this backbone out."
        ) from error
