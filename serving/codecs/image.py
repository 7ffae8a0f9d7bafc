"""Images: from encoded bytes, a file or an array to the one array that a network takes."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from records.errors import BundleError, InputError
from serving.codecs.fields import values_of
from serving.codecs.pixels import flatten, from_array
from serving.codecs.sniff import LOOKED_AT, describe_bytes
from serving.codecs.stack import stack

# The codec has a limit of its own, far below Pillow's, so Pillow's warning would only be noise beside our error.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"})
MIN_SIDE = 4
"""Pixels. Below it no convolution network fits."""
MAX_SIDE = 1024
LIGHT_PIXELS = 128 * 128
"""Of a picture that is decoded in well under a millisecond."""
LIGHT_FORMATS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
PACKED = (b"zTXt", b"iTXt", b"iCCP")
"""Parts of a PNG that are unpacked when it is opened: a few kilobytes become megabytes."""
ORIENTATION = 0x0112
"""The EXIF tag; 5 to 8 turn the picture by a quarter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What an image says of itself before it is decoded."""

    height: int
    width: int
    channels: int
    """1 for grey, 3 for colour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageCodec:
    """Turns one raw image into `<uint8>[height, width, channels]`: the same when training and when serving."""

    height: int
    width: int
    channels: int
    max_bytes: int = 20_000_000
    """Of the encoded image."""
    max_pixels: int = 50_000_000
    """Of the decoded image, before it is made smaller."""

    kind = "image"
    dtype = "uint8"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("height", MIN_SIDE, MAX_SIDE),
            ("width", MIN_SIDE, MAX_SIDE),
            ("max_bytes", 1, 2**40),
            ("max_pixels", 1, 2**31),
        ):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise BundleError(
                    f"The image codec's {name} is wrong. Expected an integer from {low} to {high}. Received: {value!r}."
                )
        if self.channels not in (1, 3):
            raise BundleError(f"The image codec's channels are wrong. Expected 1 or 3. Received: {self.channels!r}.")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    def to_json(self) -> dict[str, Any]:
        """What `codec.json` holds."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> ImageCodec:
        """The codec that `to_json` described.

        Raises:
            BundleError: A field is missing, unknown or out of range.
        """
        return cls(**values_of(cls, saved))

    def encode(self, raw: bytes | Path | np.ndarray) -> np.ndarray:
        """One image, upright, over white, stretched to the codec's size.

        An array and the PNG of it give equal results, so a model can be asked with either.

        Args:
            raw: JPEG, PNG, WebP, BMP or GIF as bytes or as a file (of an animation the first frame), or
                `<uint8>[height, width]`, `[height, width, 1]`, `[height, width, 3]` or `[height, width, 4]`.

        Returns:
            `<uint8>[height, width, channels]`; of an array that is so already, itself.

        Raises:
            InputError: Not an image, damaged (status 422), or too large (413).
        """
        if isinstance(raw, np.ndarray):
            if raw.dtype == np.uint8 and raw.shape == self.input_shape and self.height * self.width <= self.max_pixels:
                return raw  # what Pillow would give back
            return self._finish(from_array(raw, self.max_pixels))
        with _open(io.BytesIO(_read(raw, self.max_bytes)), self.max_pixels) as image:
            return self._decoded(image)

    def encode_light(self, raw: bytes | np.ndarray) -> np.ndarray | None:
        """As `encode`, but only where it takes well under a millisecond: a small array, a small JPEG, or a small PNG
        without parts that are packed beside its pixels. `None`: it may take longer.

        Args:
            raw: Of encoded images, some kilobytes at most.

        Raises:
            InputError: Damaged (status 422), or too large (413).
        """
        if isinstance(raw, np.ndarray):
            return self.encode(raw) if raw.size <= 4 * LIGHT_PIXELS else None
        if not raw.startswith(LIGHT_FORMATS) or any(name in raw for name in PACKED):
            return None
        with _open(io.BytesIO(_read(raw, self.max_bytes)), self.max_pixels) as image:
            return self._decoded(image) if image.width * image.height <= LIGHT_PIXELS else None

    def _decoded(self, image: Image.Image) -> np.ndarray:
        try:
            # A JPEG decoder can halve the picture while it decodes: four times less to decode, and no aliasing.
            side = max(self.height, self.width)
            image.draft("L" if self.channels == 1 else "RGB", (side, side))
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return self._finish(image)
        except Exception as error:  # Pillow's decoders raise a dozen types on damaged bytes
            raise InputError(f"The image is damaged and cannot be decoded: {_reason(error)}.") from error

    def collate(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """`<uint8>[batch, height, width, channels]`."""
        return stack(arrays)

    def describe(self) -> dict[str, Any]:
        """What one image may be like."""
        return {"limits": {"max_bytes": self.max_bytes, "max_pixels": self.max_pixels}}

    def _finish(self, image: Image.Image) -> np.ndarray:
        image = flatten(image, "L" if self.channels == 1 else "RGB")
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), Image.Resampling.BILINEAR)
        return np.array(image, dtype=np.uint8).reshape(self.input_shape)


def read_header(raw: bytes | Path | np.ndarray, max_bytes: int = 20_000_000, max_pixels: int = 50_000_000) -> Header:
    """Size and channels, without decoding the picture or reading the whole of a file.

    Raises:
        InputError: Not an image, or too large.
    """
    if isinstance(raw, np.ndarray):
        image = from_array(raw, max_pixels)
        return Header(height=image.height, width=image.width, channels=1 if image.mode == "L" else 3)
    with _file(raw, max_bytes) as file, _open(file, max_pixels) as image:
        width, height = image.size
        try:
            turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
        except Exception:  # a broken EXIF block does not make a broken picture
            turned = False
        grey = image.mode in GREY_MODES
    if turned:
        width, height = height, width
    return Header(height=height, width=width, channels=1 if grey else 3)


def fit(headers: Sequence[Header], cap: int) -> ImageCodec:
    """The codec for images such as these: equal sizes are kept, others get their usual size and proportions.

    Args:
        headers: Of training examples, at least one.
        cap: Largest side in pixels; larger images are made smaller, none is made larger.
    """
    sizes = np.array([(header.height, header.width) for header in headers], dtype=np.float64)
    channels = max(header.channels for header in headers)
    if (sizes == sizes[0]).all():
        sides = sizes[0]
    else:
        aspect = float(np.exp(np.median(np.log(sizes[:, 1] / sizes[:, 0]))))
        if 0.8 <= aspect <= 1.25:  # upright and lying pictures mixed, or nearly square ones
            aspect = 1.0
        largest = float(np.median(sizes.max(axis=1)))
        sides = np.array([largest / max(aspect, 1.0), largest * min(aspect, 1.0)])
    sides = sides * min(1.0, cap / sides.max())
    height, width = (int(min(max(round(side), MIN_SIDE), MAX_SIDE)) for side in sides)
    return ImageCodec(height=height, width=width, channels=channels)


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise InputError(f"The image is too large. Expected at most {max_bytes} bytes. Received: {size} bytes.", 413)


def _read(raw: bytes | Path, max_bytes: int) -> bytes:
    if isinstance(raw, Path):
        with _file(raw, max_bytes) as file:
            return file.read()
    if not isinstance(raw, bytes | bytearray | memoryview):
        raise InputError(f"Not an image. Expected bytes, a path or a uint8 array. Received: {type(raw).__name__}.")
    _check_size(len(raw), max_bytes)
    return bytes(raw)


@contextmanager
def _file(raw: bytes | Path, max_bytes: int) -> Iterator[BinaryIO]:
    if not isinstance(raw, Path):
        yield io.BytesIO(_read(raw, max_bytes))
        return
    try:
        with raw.open("rb") as file:
            _check_size(os.fstat(file.fileno()).st_size, max_bytes)
            yield file
    except OSError as error:
        raise InputError(f"The file cannot be read: {raw} ({error.strerror or error}).") from error


def _open(file: BinaryIO, max_pixels: int) -> Image.Image:
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise InputError(f"The image is too large. Expected at most {max_pixels} pixels. {error}", 413) from error
    except UnidentifiedImageError as error:
        file.seek(0)
        raise InputError(
            "Not an image that can be read. Expected JPEG, PNG, WebP, BMP or GIF. "
            f"Received: {describe_bytes(file.read(LOOKED_AT))}."
        ) from error
    except Exception as error:  # headers can be damaged in as many ways as pictures
        raise InputError(f"The image is damaged and cannot be opened: {_reason(error)}.") from error
    width, height = image.size
    if width * height > max_pixels:
        image.close()
        raise InputError(
            f"The image is too large. Expected at most {max_pixels} pixels. Received: {width} x {height}.", 413
        )
    return image


def _reason(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
