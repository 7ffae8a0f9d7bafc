"""What a run was asked for. The command line's flags and the Python call are two spellings of the same fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from records.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """Everything that a run was asked for. Paths are absolute or relative to the working folder."""

    data: str
    """A folder, `digits`, or `tfds:NAME`."""
    name: str | None = None
    """The model's name; `None`: taken from the data."""
    source: str | None = None
    """`file.py:function`, a user's own source, called with `data` as a path."""
    spaces: tuple[str, ...] = ()
    """Names of search spaces or `file.py:name`; empty: every space that fits the task."""
    backbones: tuple[str, ...] = ()
    """Backbones to try: a known name, `applications:NAME`, or a local `.keras`; empty: those that are installed."""
    metric: str | None = None
    """What the search improves; `None`: the task's own objective."""
    budget_seconds: float = 600.0
    """Wall clock from the process's start to the registered bundle."""
    max_trials: int | None = None
    """Stop after so many trials, the floor included; `None`: as many as the budget allows."""
    seed: int = 0
    data_dir: Path | None = None
    """Where TFDS keeps its datasets; `None`: its own default."""
    image_size: int | None = None
    """Largest side in pixels that images are stored at; `None`: from the data."""
    group: str | None = None
    """A regular expression with one group, matched against an example's id: equal matches stay in one split."""
    validation_fraction: float = 0.15
    test_fraction: float = 0.15
    keep_near_duplicates: bool = False
    """Leave near duplicates where they are, also across splits."""

    def __post_init__(self) -> None:
        if not self.data:
            raise ConfigError("No data was named. Expected a folder, digits, or tfds:NAME.")
        if not 0 < self.budget_seconds <= 30 * 86400:
            raise ConfigError(
                f"`budget` must be more than 0 and at most 30 days. Received: {self.budget_seconds} seconds."
            )
        if self.max_trials is not None and self.max_trials < 1:
            raise ConfigError(f"`trials` must be at least 1. Received: {self.max_trials}.")
        for field_name in ("validation_fraction", "test_fraction"):
            value = getattr(self, field_name)
            if not 0.0 < value < 0.5:
                raise ConfigError(f"`{field_name}` must lie between 0 and 0.5. Received: {value}.")
        if self.image_size is not None and not 4 <= self.image_size <= 1024:
            raise ConfigError(f"`image-size` must lie between 4 and 1024 pixels. Received: {self.image_size}.")
        if not 0 <= self.seed < 2**31:
            raise ConfigError(f"`seed` must lie between 0 and 2147483647. Received: {self.seed}.")
