"""Reads the datasets of `search_quality` as their publishers left them."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.datasets.ts_format import read_header, read_series

ADULT = (
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship", "race",
    "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country",
)  # fmt: skip
ADULT_NUMBERS = ("age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week")


@dataclass(frozen=True)
class Encoded:
    """A picture as it lies on a disk."""

    content: bytes
    ending: str


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Examples of one kind; the fields of the other kinds are empty."""

    labels: Sequence[str]
    images: Sequence[Encoded] = ()
    texts: Sequence[str] = ()
    series: Sequence[np.ndarray] = ()
    """Each `<float64>[steps, channels]`."""
    rows: Sequence[Sequence[str]] = ()
    columns: Sequence[str] = ()
    number_columns: Sequence[str] = ()

    def taken(self, which: Any) -> Raw:
        """The examples at these positions, an array or a slice."""
        positions = np.arange(len(self.labels))[which]
        parts = {
            name: [values[row] for row in positions]
            for name in ("labels", "images", "texts", "series", "rows")
            if len(values := getattr(self, name))
        }
        return dataclasses.replace(self, **parts)

    def arrays(self, side: int) -> dict[str, np.ndarray]:
        """The inputs as arrays; see `quality_data`."""
        if len(self.images):
            return {"images": np.stack([_decoded(image.content, side) for image in self.images])}
        if len(self.texts):
            return {"texts": np.array(self.texts)}
        if len(self.series):
            lengths = np.array([len(one) for one in self.series])
            padded = np.zeros((len(self.series), int(lengths.max()), self.series[0].shape[1]), np.float32)
            for row, one in enumerate(self.series):
                padded[row, : len(one)] = one
            return {"series": padded, "lengths": lengths}
        cells = np.array(self.rows)
        numeric = np.isin(self.columns, self.number_columns)
        return {"numbers": cells[:, numeric].astype(np.float32), "categories": cells[:, ~numeric]}


def _decoded(content: bytes, side: int) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        plain = image if image.mode == "L" else image.convert("RGB")
        if plain.size != (side, side):
            plain = plain.resize((side, side), Image.Resampling.BILINEAR)
        pixels = np.asarray(plain)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def fashion_mnist(data: Path) -> tuple[Raw, Raw]:
    """28 x 28 grey pictures, as PNG."""
    parts = []
    for split in ("train", "test"):
        pairs = list(_tfds(data, "fashion_mnist/3.0.1", split, "image", "label"))
        images = []
        for pixels, _ in pairs:
            file = io.BytesIO()
            Image.fromarray(pixels[..., 0]).save(file, "PNG", compress_level=1)
            images.append(Encoded(file.getvalue(), ".png"))
        parts.append(Raw(labels=[label.replace("/", " or ") for _, label in pairs], images=images))
    return parts[0], parts[1]


def image_folder(folder: str, training: tuple[str, ...], data: Path) -> tuple[Raw, Raw]:
    """`SPLIT/CLASS/FILE`; the splits named in `training` are put together."""
    parts = []
    for splits in (training, ("test",)):
        paths = sorted(path for split in splits for path in (data / folder / split).glob("*/*") if path.is_file())
        if not paths:
            raise SystemExit(f"There are no images in {data / folder}.")
        images = [Encoded(path.read_bytes(), path.suffix.lower()) for path in paths]
        parts.append(Raw(labels=[path.parent.name for path in paths], images=images))
    return parts[0], parts[1]


def sst2(data: Path) -> tuple[Raw, Raw]:
    """Lines of `label text`, UTF-8."""

    def read(*names: str) -> Raw:
        folder = data / "datasets/text/sst2"
        lines = [line for name in names for line in (folder / f"stsa.binary.{name}").read_text("utf-8").splitlines()]
        names_of = {"0": "negative", "1": "positive"}
        return Raw(labels=[names_of[line[0]] for line in lines], texts=[line[2:] for line in lines])

    return read("train", "dev"), read("test")


def trec(data: Path) -> tuple[Raw, Raw]:
    """Questions and what they ask for, six classes."""
    parts = []
    for split in ("train", "test"):
        pairs = list(_tfds(data, "trec/1.0.0", split, "text", "label-coarse"))
        texts = [text.decode("utf-8", "replace") for text, _ in pairs]
        parts.append(Raw(labels=[label for _, label in pairs], texts=texts))
    return parts[0], parts[1]


def series(name: str, data: Path) -> tuple[Raw, Raw]:
    """A pair of .ts files."""
    parts = []
    for split in ("TRAIN", "TEST"):
        file = data / "datasets/timeseries" / name / f"{name}_{split}.ts"
        found = list(read_series(file, read_header(file)))
        parts.append(Raw(labels=[label for *_, label in found], series=[values for _, values, _ in found]))
    return parts[0], parts[1]


def adult(data: Path) -> tuple[Raw, Raw]:
    """Who earns more than 50,000 dollars; a missing cell is a question mark, a category of its own."""
    parts = []
    for name in ("adult.data", "adult.test"):
        lines = (data / "datasets/tabular/adult" / name).read_text("utf-8").splitlines()
        rows = [[cell.strip() for cell in line.split(",")] for line in lines]
        rows = [row for row in rows if len(row) == len(ADULT) + 1]
        labels = [row[-1].rstrip(".") for row in rows]
        cells = [row[:-1] for row in rows]
        parts.append(Raw(labels=labels, rows=cells, columns=ADULT, number_columns=ADULT_NUMBERS))
    return parts[0], parts[1]


def _tfds(data: Path, name: str, split: str, inputs: str, label: str) -> Iterator[tuple[Any, str]]:
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(data / "tfds" / name)
    names = builder.info.features[label].names
    for example in builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator():
        yield example[inputs], names[example[label]]
