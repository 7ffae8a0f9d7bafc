"""Pretrained networks that turn an image into features, and the one way to put them to use.

Reading the table costs nothing: Keras is imported when a network is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from records.errors import ConfigError
from search_spaces.applications import APPLICATIONS, RAW, Pixels, features_at
from search_spaces.pretrained import LITE_PACKAGE, lite_why_not, load_application, load_lite, load_local
from search_spaces.transfer import hub

if TYPE_CHECKING:
    import keras

PREFIX = "applications:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Backbone:
    """A pretrained network without its classifier."""

    name: str
    """What `get_backbone` finds it by; stored in trials."""
    title: str
    default_size: int
    """Side in pixels that its weights were trained at."""
    num_features: int | None
    """`None` for a file: known when it is loaded."""
    needs: str
    """Where the weights come from, for a person: a package, a download or a file."""
    licence: str
    source: str
    """Who published the weights."""
    load: Callable[[int], keras.Model]
    """Builds the network for images of this side, with its weights. Takes `<float32>[batch, size, size, 3]`, gives
    `<float32>[batch, height, width, features]` or `[batch, features]`."""
    why_not: Callable[[], str | None] = lambda: None
    """A sentence when it is known beforehand that the weights cannot be had."""
    pixels: Pixels | Callable[[], Pixels] = RAW
    """How values of 0 to 255 are scaled; a function where that stands in files which may have to be fetched."""
    smallest_size: int = 32
    fixed_size: bool = False
    """Takes images of `default_size` and no other."""

    def fit_size(self, size: int) -> int:
        """The side in pixels that the network can take which is nearest to `size`."""
        return self.default_size if self.fixed_size else max(size, self.smallest_size)


def available() -> tuple[list[str], list[tuple[str, str]]]:
    """The names of the table that can be used on this machine, and the others, each with the reason why not."""
    reasons = {name: backbone.why_not() for name, backbone in BACKBONES.items()}
    usable = [name for name, reason in reasons.items() if reason is None]
    return usable, [(name, reason) for name, reason in reasons.items() if reason is not None]


def get_backbone(ref: str) -> Backbone:
    """Finds a backbone. Loads nothing.

    Args:
        ref: A name of `BACKBONES`; `applications:NAME` for a network of `keras.applications`, in any case, where a
            width may follow (`applications:MobileNet-0.25`); `hub:PRESET` for one of KerasHub's; or the path of a
            `.keras` file whose network takes RGB images with values of 0 to 255, scaling included, and gives a feature
            map or a vector.

    Raises:
        ConfigError: There is no such backbone.
    """
    if ref.lower() in BACKBONES:
        return BACKBONES[ref.lower()]
    if ref.lower().startswith(PREFIX):
        return _application(ref[len(PREFIX) :])
    if ref.startswith(hub.PREFIX):
        return _hub(ref)
    if Path(ref).suffix == ".keras":
        return _local(Path(ref))
    raise ConfigError(
        f"There is no backbone {ref!r}. Known: {', '.join(BACKBONES)}; or {PREFIX}NAME for a network of "
        f"keras.applications; or {hub.PREFIX}PRESET for one of KerasHub; or the path of a .keras file."
    )


def build_encoder(backbone: Backbone, input_shape: tuple[int, int, int], size: int) -> keras.Model:
    """A frozen network from images to features; all preprocessing is part of it.

    Takes `<uint8>[batch, height, width, channels]`, gives `<float32>[batch, features]` by its last layer, "features".
    Nothing in it is trainable, so normalisation layers run in inference mode.

    Args:
        backbone: From `get_backbone`.
        input_shape: Height, width and channels (1 or 3) of the images.
        size: Side in pixels that images are resized to; `backbone.fit_size` says what becomes of it.

    Raises:
        BackboneUnavailable: The weights cannot be had.
        ConfigError: The images have other channels, or a file holds no network that can be used.
    """
    import keras

    height, width, channels = input_shape
    if channels not in (1, 3):
        raise ConfigError(f"A backbone takes images of 1 or 3 channels. Received: {channels} channels.")
    network = _load(backbone, backbone.fit_size(size))
    pixels = backbone.pixels() if callable(backbone.pixels) else backbone.pixels
    rows, columns = (side or backbone.fit_size(size) for side in network.input_shape[1:3])
    inputs = keras.Input(input_shape, dtype="uint8", name="image")
    x = inputs if channels == 3 else keras.layers.Concatenate(name="grey_to_rgb")([inputs] * 3)
    # Scaling comes before resizing, which would round whole numbers.
    x = keras.layers.Rescaling(list(pixels.scale), list(pixels.offset), name="scaling")(x)
    if pixels.to_bgr:
        x = _to_bgr(x)
    if (height, width) != (rows, columns):
        x = keras.layers.Resizing(rows, columns, name="resizing")(x, training=False)
    x = network(x)
    pooling = keras.layers.GlobalAveragePooling2D if len(x.shape) == 4 else keras.layers.Identity
    encoder = keras.Model(inputs, pooling(name="features")(x), name="encoder")
    encoder.trainable = False
    return encoder


def _to_bgr(x: keras.KerasTensor) -> keras.KerasTensor:
    """Swaps red and blue by a convolution: stock layers have nothing plainer. Exact, since it only adds zeros."""
    import keras
    import numpy as np

    swap = keras.layers.Conv2D(3, 1, use_bias=False, name="rgb_to_bgr")
    swap.build(x.shape)
    swap.set_weights([np.eye(3, dtype="float32")[::-1].reshape(1, 1, 3, 3)])
    return swap(x)


def _load(backbone: Backbone, size: int) -> keras.Model:
    """The network, checked for what an encoder needs of it. `load` may be anybody's file."""
    network = backbone.load(size)
    shapes = (getattr(network, "input_shape", None), getattr(network, "output_shape", None))
    takes, gives = (shape if isinstance(shape, tuple) else () for shape in shapes)
    if len(takes) != 4 or takes[-1] != 3 or len(gives) not in (2, 4) or gives[-1] is None:
        raise ConfigError(
            f"The network of {backbone.name} cannot be a backbone. Expected one input [batch, height, width, 3] and "
            f"one output, a feature map or a vector. Received: input {shapes[0]}, output {shapes[1]}."
        )
    return network


BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            name="efficientnet_lite0",
            title="EfficientNet-Lite0, trained on ImageNet",
            default_size=224,
            num_features=1280,
            needs=f"the package {LITE_PACKAGE}",
            licence="Apache-2.0",
            source="Google's TPU model repository, carried by the package",
            load=load_lite,
            why_not=lite_why_not,
            pixels=Pixels(scale=(1 / 128,) * 3, offset=(-127 / 128,) * 3),
        ),
    )
}


def _application(ref: str) -> Backbone:
    """Reads NAME or NAME-ALPHA."""
    name, _, width = ref.partition("-")
    application = APPLICATIONS.get(name.lower())
    if application is None:
        near = get_close_matches(name.lower(), APPLICATIONS, n=3) or APPLICATIONS
        known = ", ".join(APPLICATIONS[key].name for key in near)
        raise ConfigError(f"keras.applications has no network {name!r}. Known: {known}.")
    widths = {f"{alpha:g}": alpha for alpha in application.alphas}
    if width and width not in widths:
        raise ConfigError(
            f"There are no weights for {application.name} at a width of {width!r}. "
            f"Known besides the full width: {', '.join(widths) or 'none'}."
        )
    alpha = widths.get(width, 1.0)
    title = application.name + (f", {alpha:g} times as wide" if width else "")
    return Backbone(
        name=f"{PREFIX}{application.name}" + (f"-{width}" if width else ""),
        title=f"{title}, trained on ImageNet",
        default_size=application.size,
        num_features=features_at(application, alpha),
        needs="a download by keras.applications, or its file under KERAS_HOME",
        licence="not stated",
        source="keras.applications",
        load=partial(load_application, application, alpha),
        pixels=application.pixels,
        smallest_size=application.smallest_size,
        fixed_size=application.fixed_size,
    )


def _hub(ref: str) -> Backbone:
    preset = ref[len(hub.PREFIX) :]
    return Backbone(
        name=ref,
        title=f"the preset {preset} of KerasHub",
        default_size=224,
        num_features=None,
        needs="KerasHub, and a download or a folder",
        licence="not stated",
        source="KerasHub",
        load=partial(hub.load_hub, preset),
        why_not=hub.hub_why_not,
        pixels=partial(hub.hub_pixels, preset),
    )


def _local(path: Path) -> Backbone:
    if not path.is_file():
        raise ConfigError(f"There is no file {path}. Expected a network saved as .keras.")
    return Backbone(
        name=str(path),
        title=f"the network of {path.name}",
        default_size=160,
        num_features=None,
        needs=f"the file {path}",
        licence="not stated",
        source="a local file",
        load=partial(load_local, path),
    )
