"""What a run was asked for. The command line's flags and the Python call are two spellings of the same fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from records.errors import ConfigError
from records.spec import InputKind
from records.task import TASKS

VALIDATION_FRACTION = 0.15
WANTED_FOR_VALIDATION = 100
"""Examples."""
MAX_STEPS = 100_000
"""Of a forecast's past or future."""
ALGORITHMS = ("tpe", "random", "grid", "cmaes")
"""Tree-structured Parzen estimator, uniform draws, every combination in turn, covariance matrix adaptation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """Everything that a run was asked for. Paths are absolute or relative to the working folder."""

    data: str
    """A folder, a file, `digits`, or `tfds:NAME`."""
    name: str | None = None
    """The model's name; `None`: taken from the data."""
    source: str | None = None
    """`file.py:function`, a user's own source, called with `data` as a path."""
    kind: str | None = None
    """What one example is, a value of `InputKind`; `None`: from the data."""
    task: str | None = None
    """A name in `TASKS`; `None`: from the target."""
    target: str | None = None
    """The column to predict; `None`: one called target, label, class or y, else the last."""
    text: str | None = None
    """The column that holds the texts; `None`: the only one that does."""
    time: str | None = None
    """The column that says when; `None`: the only one with dates."""
    series_id: str | None = None
    """The column that says to which series a row belongs; `None`: one series, or a column called id or series."""
    split: str | None = None
    """The column that names each row's split; `None`: one called split, where all its values name splits."""
    keep: tuple[str, ...] = ()
    """Columns that are used although they look like identifiers or give the target away."""
    ignore: tuple[str, ...] = ()
    """Columns that are left out."""
    costs: tuple[str, ...] = ()
    """`TRUE>ANSWERED=COST` for each mistake that does not cost 1."""
    horizon: int | None = None
    """Steps to forecast; `None`: one season."""
    history: int | None = None
    """Steps of the past that a forecast sees; `None`: from horizon and season."""
    season: int | None = None
    """Steps after which a series repeats; `None`: from the distance of its steps."""
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    """Of forecasts."""
    known: tuple[str, ...] = ()
    """Columns whose future is known when a forecast is made."""
    max_tokens: int | None = None
    """Tokens of a text that are read; `None`: from the data."""
    spaces: tuple[str, ...] = ()
    """Names of search spaces or `file.py:name`; empty: every space that fits the task."""
    backbones: tuple[str, ...] = ()
    """Backbones to try: a known name, `applications:NAME`, or a local `.keras`; empty: those that are installed."""
    metric: str | None = None
    """What the search improves; `None`: the task's own objective, or one that suits classes of unequal size."""
    budget_seconds: float = 600.0
    """Wall clock from the process's start to the registered bundle."""
    max_trials: int | None = None
    """Stop after so many trials, the floor included; `None`: as many as the budget allows."""
    ensemble: int = 3
    """At most so many networks are averaged into the model; 1: one network."""
    until: str | None = None
    """`METRIC=VALUE`, as in accuracy=0.97: stop searching when validation reaches it; `None`: use the whole budget."""
    algorithm: str = "tpe"
    """What proposes configurations, one of `ALGORITHMS`."""
    workers: int | None = None
    """Processes that train at once; `None`: from the machine."""
    memory_gigabytes: float | None = None
    """That all workers together may use; `None`: most of what the machine has."""
    warm_start: bool = True
    """Try what was best in earlier runs on data of the same shape."""
    seed: int = 0
    data_dir: Path | None = None
    """Where TFDS keeps its datasets; `None`: its own default."""
    image_size: int | None = None
    """Largest side in pixels that images are stored at; `None`: from the data."""
    group: str | None = None
    """A regular expression with one group, matched against an example's id: equal matches stay in one split."""
    validation_fraction: float | None = None
    """Of the examples that are not for testing; `None`: see `validation_share`."""
    test_fraction: float = 0.15
    keep_near_duplicates: bool = False
    """Leave near duplicates where they are, also across splits."""

    def __post_init__(self) -> None:
        if not self.data:
            raise ConfigError("No data was named. Expected a folder, a file, digits, or tfds:NAME.")
        _one_of("kind", self.kind, tuple(InputKind))
        _one_of("task", self.task, tuple(TASKS))
        if not 0 < self.budget_seconds <= 30 * 86400:
            raise ConfigError(
                f"`budget` must be more than 0 and at most 30 days. Received: {self.budget_seconds} seconds."
            )
        for field_name in ("validation_fraction", "test_fraction"):
            value = getattr(self, field_name)
            if value is not None and not 0.0 < value < 0.5:
                raise ConfigError(f"`{field_name}` must lie between 0 and 0.5. Received: {value}.")
        _between("trials", self.max_trials, 1, 10**9)
        _between("ensemble", self.ensemble, 1, 8)
        _one_of("algorithm", self.algorithm, ALGORITHMS)
        _between("workers", self.workers, 1, 256)
        if self.memory_gigabytes is not None and not 0.5 <= self.memory_gigabytes <= 10_000:
            raise ConfigError(f"`memory` must lie between 0.5 and 10000 gigabytes. Received: {self.memory_gigabytes}.")
        _between("image-size", self.image_size, 4, 1024, " pixels")
        _between("max-tokens", self.max_tokens, 4, 512)
        _between("horizon", self.horizon, 1, MAX_STEPS, " steps")
        _between("history", self.history, 1, MAX_STEPS, " steps")
        _between("season", self.season, 1, MAX_STEPS, " steps")
        _between("seed", self.seed, 0, 2**31 - 1)
        if list(self.quantiles) != sorted(set(self.quantiles)) or not all(0 < q < 1 for q in self.quantiles):
            raise ConfigError(f"`quantiles` must rise and lie between 0 and 1. Received: {list(self.quantiles)}.")
        if 0.5 not in self.quantiles:
            raise ConfigError(f"`quantiles` must hold 0.5, the forecast itself. Received: {list(self.quantiles)}.")

    def validation_share(self, num_examples: int) -> float:
        """The part of the examples that validation gets: 0.15 where nothing else was asked for, and up to a third of
        few examples. Ten cannot tell which of two models is better, and the last fit learns from all of them anyway.

        Args:
            num_examples: That are not for testing.
        """
        if self.validation_fraction is not None:
            return self.validation_fraction
        return min(1 / 3, max(VALIDATION_FRACTION, WANTED_FOR_VALIDATION / max(1, num_examples)))


def _one_of(name: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise ConfigError(f"`{name}` must be one of {', '.join(known)}. Received: {value!r}.")


def _between(name: str, value: int | None, low: int, high: int, unit: str = "") -> None:
    if value is not None and not low <= value <= high:
        raise ConfigError(f"`{name}` must lie between {low} and {high}{unit}. Received: {value}.")
