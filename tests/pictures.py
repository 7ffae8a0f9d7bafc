"""Small pictures for the tests: smooth like photos, each different from all others."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, height: int = 40, width: int = 50, channels: int = 3) -> np.ndarray:
    """`<uint8>[height, width, channels]`."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image if channels == 3 else image.convert("L")).reshape(height, width, channels)


def as_jpeg(array: np.ndarray, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def write(path: Path, array: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def write_folder(root: Path, counts: dict[str, int], first_seed: int = 0) -> Path:
    """A folder per key ("cat" or "train/cat") with so many PNG files in it."""
    seed = first_seed
    for name, count in counts.items():
        for number in range(count):
            write(root / name / f"{number:03d}.png", picture(seed))
            seed += 1
    return root
