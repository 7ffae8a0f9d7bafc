"""Runs side by side: what was asked, tried and found, and which of their figures may be compared at all."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipelines.reporting import wording
from records.data import Split
from records.errors import ConfigError, StoreError
from records.evaluation import Evaluation
from records.task import METRICS
from records.trial import Run, RunState, Trial, TrialState, Values
from store.home import Home
from store.ledger import Ledger

SAME_SOURCE = ("data", "source", "kind", "task", "target", "text", "time", "series_id")
"""Fields of the request that must be equal for examples of equal names to be the same examples."""
NOT_ASKED = (*SAME_SOURCE, "name", "budget_seconds", "data_dir")
"""Fields that are shown elsewhere, or change nothing."""
FIGURES = {Split.VALIDATION: "validation scores", Split.TEST: "test figures"}
CHOSEN_BY = (
    "Whoever picks one of these runs by its test figure has chosen by the test split; "
    "the figure of the picked one is then a little too good."
)
UNPAIRED = (
    "Predictions on the test split are not kept, so the runs are not compared example by example: where two intervals "
    "do not overlap there is a difference, where they do there may be one."
)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the runs."""

    run: Run
    trials: tuple[Trial, ...]
    evaluation: Evaluation | None
    """Of its model on the test split; `None` where it made none."""
    best: Trial | None
    differing: Values
    """The best trial's hyperparameters that are not equal in all runs, and its batch where that was halved."""

    @property
    def budget(self) -> float | None:
        """Seconds that it was given."""
        given = self.run.config.get("budget_seconds")
        return float(given) if isinstance(given, (int, float)) else None

    @property
    def used(self) -> float | None:
        """Seconds that it took; of a run that goes on, so far."""
        told = self.run.used_seconds or self.run.summary.get("total_seconds")
        return float(told) if told else None

    @property
    def seconds(self) -> dict[str, float]:
        """Of each step."""
        told = self.run.summary.get("seconds")
        return {str(step): float(taken) for step, taken in told.items()} if isinstance(told, Mapping) else {}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All of them."""

    sides: tuple[Side, ...]
    asked: dict[str, tuple[Any, ...]]
    """What was asked for and is not equal in all runs: by field, a value for each run."""
    same_examples: dict[Split, bool | None]
    """Whether all have the same validation and test examples; `None` where that cannot be told."""
    warnings: tuple[str, ...]
    """A sentence for each kind of figures that cannot be compared."""
    notes: tuple[str, ...]
    """What else to know."""


def compare(ids: Sequence[str], home: Home, ledger: Ledger) -> Compared:
    """Reads the runs.

    Args:
        ids: Two or more runs' ids, or how they begin.
        home: Where prepared data lies, which tells whether examples are the same.
        ledger: Holds the runs.

    Raises:
        ConfigError: One is unknown or named twice, or there is only one.
    """
    runs = [ledger.get_run(one) for one in ids]
    if len(runs) < 2:
        raise ConfigError("There is nothing to compare. Expected two runs or more; `kerasmith runs` lists them.")
    twice = next((run.id for run in runs if sum(other.id == run.id for other in runs) > 1), None)
    if twice is not None:
        raise ConfigError(f"Run {twice} was named twice. Expected different runs.")
    trials = [ledger.trials(run.id) for run in runs]
    best = [_best(run, tried) for run, tried in zip(runs, trials, strict=True)]
    told = [{} if one is None else _settings(one) for one in best]
    sides = tuple(
        Side(
            run=run,
            trials=tuple(tried),
            evaluation=_evaluation(run),
            best=winner,
            differing={
                name: value for name, value in mine.items() if any(name not in o or o[name] != value for o in told)
            },
        )
        for run, tried, winner, mine in zip(runs, trials, best, told, strict=True)
    )
    same = {split: _same_examples(runs, home, split) for split in FIGURES}
    return Compared(
        sides=sides,
        asked=_asked(runs),
        same_examples=same,
        warnings=tuple(_warnings(sides, same)),
        notes=tuple(_notes(sides, same)),
    )


def _best(run: Run, trials: Sequence[Trial]) -> Trial | None:
    ranked = wording.ranked(trials, run.objective) if run.objective in METRICS else []
    return ranked[0] if ranked else None


def _settings(trial: Trial) -> Values:
    return trial.values | ({"batch divided by": trial.batch_divisor} if trial.batch_divisor > 1 else {})


def _differing(mine: Values, all_of_them: Sequence[Values]) -> Values:
    unlike = [name for name in mine if any(name not in one or one[name] != mine[name] for one in all_of_them)]
    return {name: mine[name] for name in unlike}


def _evaluation(run: Run) -> Evaluation | None:
    try:
        return Evaluation.model_validate(run.summary["evaluation"])
    except (KeyError, ValidationError):
        return None


def _asked(runs: Sequence[Run]) -> dict[str, tuple[Any, ...]]:
    fields = dict.fromkeys(name for run in runs for name in run.config if name not in NOT_ASKED)
    values = {name: tuple(run.config.get(name) for run in runs) for name in fields}
    return {name: given for name, given in values.items() if any(one != given[0] for one in given)}


def _same_examples(runs: Sequence[Run], home: Home, split: Split) -> bool | None:
    """Whether a split holds the same examples in all runs; `None` where a run prepared nothing, or that is gone."""
    fingerprints = [run.data_fingerprint for run in runs]
    if None not in fingerprints and len(set(fingerprints)) == 1:
        return True
    if any(run.config.get(name) != runs[0].config.get(name) for run in runs for name in SAME_SOURCE):
        return False
    if None in fingerprints:
        return None
    ids = [_ids(home, str(fingerprint), split) for fingerprint in fingerprints]
    return None if any(one is None for one in ids) else all(one == ids[0] for one in ids)


def _ids(home: Home, fingerprint: str, split: Split) -> set[str] | None:
    from pipelines.preparing.prepared_files import load_prepared

    with contextlib.suppress(StoreError):
        prepared = load_prepared(home.prepared / fingerprint)
        return {str(prepared.ids[row]) for row in prepared.indices[split]}
    return None


def _warnings(sides: Sequence[Side], same: Mapping[Split, bool | None]) -> list[str]:
    """Why figures must not be compared."""
    told = []
    objectives = {side.run.objective for side in sides if side.run.objective}
    if len(objectives) > 1:
        named = " and ".join(sorted(wording.metric_title(name) for name in objectives))
        told.append(f"They were searched for {named}: their validation scores are of different things.")
    for split, figures in FIGURES.items():
        if not _comparable(sides, split):
            continue
        if same[split] is None:
            told.append(f"It cannot be told whether their {split} examples are the same: compare {figures} with care.")
        elif not same[split]:
            told.append(f"Their {split} examples differ: {figures} cannot be compared.")
    return told


def _notes(sides: Sequence[Side], same: Mapping[Split, bool | None]) -> list[str]:
    """What else to know."""
    told = [f"All have the same {split} examples." for split in FIGURES if same[split]]
    for side in sides:
        if side.run.state is RunState.RUNNING:
            told.append(f"Run {side.run.id} is still at work: what is told of it is how it stands now.")
        elif side.run.state is not RunState.COMPLETED:
            told.append(f"Run {side.run.id} {_how(side.run.state)} before it made a model.")
    return [*told, UNPAIRED, CHOSEN_BY] if same[Split.TEST] and _comparable(sides, Split.TEST) else told


def _comparable(sides: Sequence[Side], split: Split) -> bool:
    """Whether at least two of them have figures on this split."""
    return sum((side.evaluation if split is Split.TEST else side.best) is not None for side in sides) > 1


def _how(state: RunState) -> str:
    return "was interrupted" if state is RunState.INTERRUPTED else "failed"


def compared_json(compared: Compared) -> dict[str, Any]:
    """What `kerasmith runs compare --json` prints."""
    return {
        "runs": [_side_json(side) for side in compared.sides],
        "asked": compared.asked,
        "same_examples": {split.value: same for split, same in compared.same_examples.items()},
        "warnings": compared.warnings,
        "notes": compared.notes,
    }


def _side_json(side: Side) -> dict[str, Any]:
    run, best, evaluation = side.run, side.best, side.evaluation
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state.value,
        "data": run.config.get("data"),
        "data_fingerprint": run.data_fingerprint,
        "objective": run.objective,
        "budget_seconds": side.budget,
        "used_seconds": side.used,
        "trials": {state.value: sum(trial.state is state for trial in side.trials) for state in TrialState},
        "best": None
        if best is None
        else {"trial": best.number, "space": best.space, "score": best.score, "values": best.values},
        "differing_values": side.differing,
        "test": None
        if evaluation is None
        else {name: figure.model_dump() for name, figure in evaluation.metrics.items()},
        "num_test": None if evaluation is None else evaluation.num_examples,
        "model": run.model,
        "seconds": side.seconds,
    }
