"""Between arrays, Pillow's many modes, and the two that networks take."""

from __future__ import annotations

import numpy as np
from PIL import Image

from records.errors import InputError


def from_array(array: np.ndarray, max_pixels: int) -> Image.Image:
    """`<uint8>[height, width]` or `[height, width, 1, 3 or 4]` as a picture."""
    shape = array.shape
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise InputError(
            f"The array is not an image. Expected <uint8>[height, width] or [height, width, 1, 3 or 4]. "
            f"Received: <{array.dtype}>{list(shape)}."
        )
    if 0 in shape:
        raise InputError(f"The array is empty. Expected at least one pixel. Received: shape {list(shape)}.")
    if shape[0] * shape[1] > max_pixels:
        raise InputError(
            f"The image is too large. Expected at most {max_pixels} pixels. Received: {shape[1]} x {shape[0]}.", 413
        )
    return Image.fromarray(np.ascontiguousarray(array[:, :, 0] if array.ndim == 3 and shape[2] == 1 else array))


def flatten(image: Image.Image, mode: str) -> Image.Image:
    """Any Pillow mode as "L" or "RGB"; what is transparent shows white."""
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16 bits a pixel, which `convert` would clip instead of scale
        wide = np.asarray(image, dtype=np.int64)
        image = Image.fromarray((wide.clip(0, 65535) >> 8).astype(np.uint8))
    elif image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        image = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        image.alpha_composite(coloured)
    return image.convert(mode)
