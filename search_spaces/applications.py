"""The networks of `keras.applications`: their names, and what each wants to see. Data only, so that listing is free."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Pixels:
    """What is done to RGB values of 0 to 255 before they enter a network: `value * scale + offset`."""

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    to_bgr: bool = False
    """Turn red, green, blue into blue, green, red afterwards."""


RAW = Pixels()
"""The network scales its input itself."""
SIGNED = Pixels(scale=(1 / 127.5,) * 3, offset=(-1.0,) * 3)
"""Between -1 and 1. Keras calls it "tf"."""
STANDARDISED = Pixels(
    scale=(1 / 0.229 / 255, 1 / 0.224 / 255, 1 / 0.225 / 255),
    offset=(-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)
"""By the mean and deviation of ImageNet. Keras calls it "torch"."""
CENTRED_BGR = Pixels(offset=(-123.68, -116.779, -103.939), to_bgr=True)
"""Less the mean of ImageNet, channels swapped. Keras calls it "caffe"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """One function of `keras.applications`."""

    name: str
    num_features: int
    pixels: Pixels = SIGNED
    size: int = 224
    """Side in pixels that its weights were trained at."""
    smallest_size: int = 32
    alphas: tuple[float, ...] = ()
    """Widths other than 1 that there are weights for."""
    fixed_size: bool = False
    """Its weights are only given for `size`."""


def _family(names: str, pixels: Pixels, size: int = 224) -> tuple[Application, ...]:
    """Reads "NAME:FEATURES" or "NAME:FEATURES:SIZE", one for each network."""
    rows = [name.split(":") for name in names.split()]
    return tuple(
        Application(name=row[0], num_features=int(row[1]), pixels=pixels, size=int(row[2]) if row[2:] else size)
        for row in rows
    )


APPLICATIONS: dict[str, Application] = {
    application.name.lower(): application
    for application in (
        Application(name="MobileNet", num_features=1024, alphas=(0.25, 0.5, 0.75)),
        Application(name="MobileNetV2", num_features=1280, alphas=(0.35, 0.5, 0.75, 1.3, 1.4)),
        Application(name="NASNetMobile", num_features=1056, fixed_size=True),
        Application(name="NASNetLarge", num_features=4032, size=331, fixed_size=True),
        Application(name="InceptionV3", num_features=2048, size=299, smallest_size=75),
        Application(name="InceptionResNetV2", num_features=1536, size=299, smallest_size=75),
        Application(name="Xception", num_features=2048, size=299, smallest_size=71),
        *_family("MobileNetV3Small:576 MobileNetV3Large:960", RAW),
        *_family("EfficientNetB0:1280 EfficientNetB1:1280:240 EfficientNetB2:1408:260 EfficientNetB3:1536:300", RAW),
        *_family("EfficientNetB4:1792:380 EfficientNetB5:2048:456 EfficientNetB6:2304:528", RAW),
        *_family("EfficientNetB7:2560:600 EfficientNetV2B0:1280 EfficientNetV2B1:1280:240", RAW),
        *_family("EfficientNetV2B2:1408:260 EfficientNetV2B3:1536:300 EfficientNetV2S:1280:384", RAW),
        *_family("EfficientNetV2M:1280:480 EfficientNetV2L:1280:480", RAW),
        *_family("ConvNeXtTiny:768 ConvNeXtSmall:768 ConvNeXtBase:1024 ConvNeXtLarge:1536 ConvNeXtXLarge:2048", RAW),
        *_family("DenseNet121:1024 DenseNet169:1664 DenseNet201:1920", STANDARDISED),
        *_family("ResNet50:2048 ResNet101:2048 ResNet152:2048 VGG16:512 VGG19:512", CENTRED_BGR),
        *_family("ResNet50V2:2048 ResNet101V2:2048 ResNet152V2:2048", SIGNED),
    )
}


def features_at(application: Application, alpha: float) -> int:
    """Features of a network that is `alpha` times as wide."""
    if application.name == "MobileNetV2":
        return max(application.num_features, int(application.num_features * alpha))
    return int(application.num_features * alpha)
