"""Prepares images: each is decoded once, on every core."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.preparing.draft import Amount, Draft
from pipelines.preparing.facts import classes_of
from pipelines.preparing.inspect import inspect
from pipelines.preparing.reading import choose_codec, read_all
from pipelines.preparing.split import split
from records.config import RunConfig
from records.data import DataSpec, Source
from records.errors import StoreError
from serving.codecs.image import ImageCodec
from store.files import free_bytes

LARGEST_SIDE = 160
"""Pixels, where `--image-size` says nothing: what the backbones of a CPU budget ask for."""
SPARE_BYTES = 64 * 2**20
"""Free space that is to remain."""


def prepare_image(source: Source, config: RunConfig, path: Path, amount: Amount) -> Draft:
    """Decodes, inspects and splits images. The codec needs nothing but their sizes.

    Raises:
        ConfigError: `config.group` is wrong.
        DataError: There is nothing to learn from.
        StoreError: The disk has no room.
    """
    codec, examples = choose_codec(source, config.image_size or LARGEST_SIDE)
    _check_space(source, codec, path.parent)
    facts, content = read_all(source, examples, codec, config.group, path, amount)
    shape = (len(facts.ids), *codec.input_shape)
    inputs = np.memmap(path, dtype=codec.dtype, mode="r", shape=shape) if len(facts.ids) else np.empty(shape)
    inspected = inspect(facts, inputs, config.keep_near_duplicates)
    codes, told = split(facts, inspected, config)
    labels, label_counts, targets = classes_of(facts, codes)
    return Draft(
        spec=DataSpec(
            kind=source.kind,
            input_shape=codec.input_shape,
            dtype=codec.dtype,
            labels=labels,
            label_counts=label_counts,
        ),
        codec=codec,
        codes=codes,
        targets=targets,
        ids=facts.ids,
        findings=(inspected.findings[0], told, *inspected.findings[1:]),
        content=content,
    )


def _check_space(source: Source, codec: ImageCodec, folder: Path) -> None:
    needed = (source.num_examples or 0) * int(np.prod(codec.input_shape)) + SPARE_BYTES
    free = free_bytes(folder)
    if free < needed:
        raise StoreError(
            f"The disk is too full to prepare {source.name}: its images take {needed / 1e9:.2f} GB decoded, and "
            f"{free / 1e9:.2f} GB are free. Free some space, choose a smaller --image-size, or another KERASMITH_HOME."
        )
