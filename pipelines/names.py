"""The model's name, from what the data is called."""

from __future__ import annotations

import re

from records.config import RunConfig
from records.data import Source
from store.registry import check_name


def model_name(config: RunConfig, source: Source) -> str:
    """`config.name` as it is, or the source's name made into one.

    Raises:
        ConfigError: `config.name` has letters that a name cannot have.
    """
    if config.name is not None:
        check_name(config.name)
        return config.name
    plain = re.sub(r"[^a-z0-9]+", "-", source.name.lower()).strip("-_")[:63].strip("-")
    return plain or "model"
