"""The table of what prepares each kind of input. A kind's module is imported when its data comes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from pipelines.preparing.draft import Amount, Draft
from records.config import RunConfig
from records.data import InputKind, Source
from records.errors import ConfigError

PREPARERS: dict[InputKind, str] = {
    InputKind.IMAGE: "pipelines.preparing.image:prepare_image",
    InputKind.TEXT: "pipelines.preparing.text:prepare_text",
    InputKind.SERIES: "pipelines.preparing.series:prepare_series",
    InputKind.TABLE: "pipelines.preparing.table:prepare_table",
    InputKind.FORECAST: "pipelines.preparing.forecast:prepare_forecast",
}

SECONDS_PER_EXAMPLE: dict[InputKind, float] = {
    InputKind.IMAGE: 2e-3,
    InputKind.TEXT: 1e-4,
    InputKind.SERIES: 1e-4,
    InputKind.TABLE: 3e-5,
    InputKind.FORECAST: 3e-5,
}
"""What preparing takes on one core: generous guesses, only for refusing hopeless budgets."""


TASKS_OF: dict[InputKind, tuple[str, ...]] = {
    InputKind.IMAGE: ("classification",),
    InputKind.TEXT: ("classification", "regression"),
    InputKind.SERIES: ("classification", "regression"),
    InputKind.TABLE: ("classification", "regression"),
    InputKind.FORECAST: ("forecasting",),
}
"""What can be learnt from each kind."""


def check_task(kind: InputKind, task: str | None) -> None:
    """Refuses a task that data of this kind cannot have.

    Raises:
        ConfigError: It cannot.
    """
    if task is not None and task not in TASKS_OF[kind]:
        raise ConfigError(
            f"The data is taken as {kind}, from which {task} is not learnt. Expected {' or '.join(TASKS_OF[kind])}. "
            "Change --task, or say with --kind what one example is."
        )


def preparer(kind: InputKind) -> Callable[[Source, RunConfig, Path, Amount], Draft]:
    """The function that reads, inspects, splits and encodes data of this kind; it writes the inputs to the path."""
    module, _, name = PREPARERS[kind].partition(":")
    function: Callable[[Source, RunConfig, Path, Amount], Draft] = getattr(import_module(module), name)
    return function
