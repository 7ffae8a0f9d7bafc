"""The table of data sources, and how the data that was named chooses among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipelines.datasets import custom, digits, files, image_folder, series_file, tfds
from records.config import RunConfig
from records.data import Source

SOURCES: dict[str, Callable[[RunConfig], Source]] = {
    "digits": digits.load,
    "tfds": tfds.load,
    "series": series_file.load,
    "table": files.load,
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
    """The key in `SOURCES`: `--source` before all, then `digits` and `tfds:NAME`, then what kind of file or folder."""
    if config.source is not None:
        return "custom"
    if config.data == digits.NAME:
        return "digits"
    if config.data.startswith("tfds:"):
        return "tfds"
    path = Path(config.data).expanduser()
    if path.suffix.lower() == ".ts" or (path.is_dir() and any(path.glob("*.ts"))):
        return "series"
    return "table" if files.is_table_path(path) else "folder"
