"""The table of data sources, and how `--data` chooses among them."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.datasets import custom, digits, image_folder, tfds
from records.config import RunConfig
from records.data import Source

SOURCES: dict[str, Callable[[RunConfig], Source]] = {
    "digits": digits.load,
    "tfds": tfds.load,
    "folder": image_folder.load,
    "custom": custom.load,
}


def open_source(config: RunConfig) -> Source:
    """The dataset that the request names. Reads no example yet.

    Raises:
        ConfigError: It names nothing that exists.
        DataError: What it names holds no examples.
    """
    return SOURCES[source_named(config)](config)


def source_named(config: RunConfig) -> str:
    """The key in `SOURCES`: `--source` before all, then `digits` and `tfds:NAME`, else a folder."""
    if config.source is not None:
        return "custom"
    if config.data == digits.NAME:
        return "digits"
    return "tfds" if config.data.startswith("tfds:") else "folder"
