"""What earlier runs teach a new one: the winners on data of the same shape are tried first (Feurer et al. 2015)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.proposing.dimensions import Dimension, Dimensions, is_there, plain
from records.spec import DataSpec
from records.task import METRICS, Direction
from records.trial import Run, RunState, Trial, Values, best_trial
from store.ledger import Ledger

Shape = dict[str, Any]
"""What two datasets must share for one's winner to be worth a trial on the other; plain JSON, in a run's summary."""
SHAPE = "shape"
"""Its key there."""
MOST = 3
"""Warm starts in a run: each costs a trial, and the portfolio waits."""
MOST_RUNS = 10
"""Earlier runs that are looked at."""
FACTOR = 4.0
"""By which sizes may differ: what suits a thousand examples rarely suits a million."""
SIZES = ("input_size", "num_classes", "num_train")


@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """A configuration that won before."""

    space: str
    values: Values
    """Those that the space still knows; the others have their defaults."""
    origin: str
    """For people."""


def shape_of(spec: DataSpec) -> Shape:
    """What is kept of a run's data, for later runs to find it."""
    layout = type(spec.layout).__name__.removesuffix("Layout").lower() if spec.layout is not None else ""
    return {
        "kind": spec.kind.value,
        "task": spec.task,
        "layout": layout,
        "input_shape": list(spec.input_shape),
        "input_size": math.prod(spec.input_shape),
        "num_classes": spec.num_classes,
        "num_train": spec.num_train,
    }


def alike(one: Shape, other: Shape) -> bool:
    """Whether two datasets have one kind, task and layout, and sizes that differ by a factor of four at most."""
    same = all(one.get(name) == other.get(name) for name in ("kind", "task", "layout"))
    return same and all(_near(one.get(name), other.get(name)) for name in SIZES)


def _near(one: int | None, other: int | None) -> bool:
    if one is None or other is None:
        return False
    return one == other or 1 / FACTOR <= (one + 1e-9) / (other + 1e-9) <= FACTOR


def recall(
    ledger: Ledger, run_id: str, spec: DataSpec, direction: Direction, dimensions: Dimensions
) -> list[WarmStart]:
    """The warm starts of a run, from the runs that began before it: a worker that starts later finds the same ones."""
    runs, shape = ledger.runs(), shape_of(spec)
    ids = [run.id for run in runs]
    if run_id not in ids:
        return []
    place = ids.index(run_id)
    suitable = [run for run in runs[place + 1 :] if _suits(run, shape, direction)][:MOST_RUNS]
    earlier = ((run, ledger.trials(run.id)) for run in suitable)
    return warm_starts(earlier, shape, direction, runs[place].data_fingerprint, dimensions)


def _suits(run: Run, shape: Shape, direction: Direction) -> bool:
    metric = METRICS.get(run.objective)
    done = run.state is RunState.COMPLETED and metric is not None and metric.direction is direction
    return done and alike(run.summary.get(SHAPE) or {}, shape)


def warm_starts(
    earlier: Iterable[tuple[Run, Sequence[Trial]]],
    shape: Shape,
    direction: Direction,
    fingerprint: str | None,
    dimensions: Dimensions,
) -> list[WarmStart]:
    """At most three winners: those on the same data first, then the newest; one of each space before a second one.

    Args:
        earlier: Runs with their trials, newest first; those on other data, not completed, or with an objective of the
            other direction are passed over.
        shape: Of the data at hand.
        direction: Of the objective.
        fingerprint: Of the data at hand.
        dimensions: Of the spaces that are searched now.
    """
    found: list[tuple[bool, WarmStart]] = []
    for run, trials in earlier:
        winner = best_trial([trial for trial in trials if trial.space in dimensions], direction)
        if winner is None or not _suits(run, shape, direction):
            continue
        values = _known(winner.values, dimensions[winner.space])
        origin = f"warm start: won run {run.id}" + (f" on {run.name}" if run.name else "")
        same = fingerprint is not None and run.data_fingerprint == fingerprint
        found.append((same, WarmStart(space=winner.space, values=values, origin=origin)))
    found.sort(key=lambda pair: not pair[0])  # stable: the newest stay first
    return _varied([start for _, start in found], dimensions)[:MOST]


def _known(values: Values, dimensions: Sequence[Dimension]) -> Values:
    """Without hyperparameters that are gone, and values that are outside their ranges now."""
    kept: Values = {}
    for dimension in dimensions:
        if dimension.name in values and is_there(dimension, kept) and dimension.holds(values[dimension.name]):
            kept[dimension.name] = values[dimension.name]
    return kept


def _varied(starts: Sequence[WarmStart], dimensions: Dimensions) -> list[WarmStart]:
    """Without repetitions; the first of each space before the second of any."""
    distinct = list({plain((one.space, one.values), dimensions): one for one in reversed(starts)}.values())[::-1]
    seen: dict[str, int] = {}
    ranked = []
    for start in distinct:
        seen[start.space] = seen.get(start.space, 0) + 1
        ranked.append((seen[start.space], start))
    return [start for _, start in sorted(ranked, key=lambda pair: pair[0])]
