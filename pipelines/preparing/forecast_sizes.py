"""How long season, horizon and history are, and where the time of each series is cut into splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.preparing.forecast_series import Series
from records.config import VALIDATION_FRACTION, RunConfig
from records.data import Understood
from records.errors import ConfigError, DataError
from serving.codecs.calendar import LONGEST_SEASON, usual_season


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Numbers of steps."""

    season: int
    horizon: int
    history: int

    @property
    def min_rows(self) -> int:
        """That the past of a forecast has at least; as `ForecastCodec.min_rows`."""
        return max(2, min(self.history, self.season))


@dataclass(frozen=True, kw_only=True)
class Borders:
    """Where the time of each series is cut, in steps since its beginning."""

    train: np.ndarray
    """`<int64>[series]`: the first step that is no training step."""
    validation: np.ndarray
    """`<int64>[series]`: the first step of the test; the length of a series that is too short for one."""


def choose_sizes(series: Series, config: RunConfig) -> tuple[Sizes, list[Understood]]:
    """What `config` says, and for the rest what the step and the length of the series suggest.

    Raises:
        ConfigError: The history is too short to tell a spread.
        DataError: The series are too short, with the longest horizon that they allow.
    """
    longest = int(series.lengths.max())
    usual = usual_season(series.step)
    season = config.season or usual
    if config.season is None and season + 3 * (config.horizon or season) > longest:
        season = 1
    longest_horizon = (longest - max(2, min(season, config.history or season))) // 3
    horizon = config.horizon or max(1, min(season, longest_horizon))
    if horizon > longest_horizon:
        raise DataError(
            f"The data is too short for a horizon of {horizon}: the longest series has {longest} steps, and each split "
            f"needs a future of that length after a first past. "
            + (f"The longest horizon possible is {longest_horizon}." if longest_horizon > 0 else "Expected more rows.")
        )
    if config.history == 1:
        raise ConfigError(
            "`history` must be at least 2 steps: one alone does not tell how a series varies. Received: 1."
        )
    if (config.history or 0) > longest - 3 * horizon:
        raise DataError(
            f"The data is too short for a history of {config.history}: the longest series has {longest} steps, of "
            f"which {3 * horizon} are futures. The longest history possible is {longest - 3 * horizon}."
        )
    share = 1 - (config.validation_fraction or VALIDATION_FRACTION) - config.test_fraction
    room = max(2, season, int(longest * share) // 2)  # at least half of the training part is left for futures
    history = config.history or min(max(2 * season, 3 * horizon, 2), LONGEST_SEASON, room)
    sizes = Sizes(season=season, horizon=horizon, history=history)
    return sizes, _told(series, sizes, config, usual)


def _told(series: Series, sizes: Sizes, config: RunConfig, usual: int) -> list[Understood]:
    told = [Understood(what=f"One step is {series.step.words}.")] if series.dates else []
    if config.season is None:
        repeats = f"The series is taken to repeat every {sizes.season} steps."
        never = "No season is known: the simplest forecast is the last value."
        short = f"The series is too short for its usual season of {usual} steps. {never}"
        what = repeats if sizes.season > 1 else never if usual == 1 else short
        told.append(Understood(what=what, override="--season"))
    if config.horizon is None:
        what = f"{sizes.horizon} steps are forecast at once." if sizes.horizon > 1 else "One step is forecast at once."
        told.append(Understood(what=what, override="--horizon"))
    if config.history is None:
        told.append(Understood(what=f"A forecast looks {sizes.history} steps back.", override="--history"))
    return told


def cut(series: Series, sizes: Sizes, config: RunConfig) -> Borders:
    """The last `test_fraction` of each series' time is for the test, `validation_fraction` before it for validation,
    each at least one horizon. A series that is too short for that is for training alone."""
    lengths, horizon = series.lengths, sizes.horizon
    test = np.maximum(np.round(lengths * config.test_fraction).astype(np.int64), horizon)
    share = config.validation_fraction or VALIDATION_FRACTION
    validation = np.maximum(np.round(lengths * share).astype(np.int64), horizon)
    narrow = lengths - test - validation < sizes.min_rows + horizon
    short = lengths < sizes.min_rows + 3 * horizon
    test = np.where(short, 0, np.where(narrow, horizon, test))
    validation = np.where(short, 0, np.where(narrow, horizon, validation))
    return Borders(train=lengths - test - validation, validation=lengths - test)
