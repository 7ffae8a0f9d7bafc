"""The networks of the finished search that become the model: the best trial's, or the average of a few."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.ensemble import Member, candidates, combine, further_seconds, select
from pipelines.folds import is_cross_validated
from pipelines.governor import REFIT_FACTOR, Governor
from pipelines.metrics import score, truth_of
from pipelines.outside import load_outside
from pipelines.refit import refit, trial_folder
from pipelines.trial import Workbench
from records.bundle import Average, Part
from records.candidate import Candidate
from records.data import Split
from records.trial import Trial
from search_spaces.averaging import average

SMALL_NETWORK = 1_000_000
"""Parameters, up to which a few networks of one kind may answer together."""
SEED_STEP = 7919
"""Between the seeds of two fits of one trial."""
MOST_EXAMPLES = 5_000
"""By which an average is chosen: more would take longer and say little more."""


@dataclass(frozen=True)
class Rest:
    """What is left of a run after its search."""

    bench: Workbench
    folder: Path
    """Of the run."""
    governor: Governor
    max_members: int
    """Networks that may be averaged; 1: the best trial becomes the model."""
    in_a_hurry: bool = False
    """Whether somebody waits: then the best trial is packaged as the search left it."""


@dataclass(frozen=True)
class Choice:
    """Trials to average."""

    trials: tuple[Trial, ...]
    """Two or more, the largest weight first."""
    weights: tuple[float, ...]
    score: float
    """As in `records.bundle.Average`, as are the others."""
    single_score: float
    num_examples: int


def final_candidate(trials: Sequence[Trial], best: Trial, rest: Rest) -> Candidate:
    """The model to package, fitted on all examples where there is time.

    Args:
        trials: Of the run.
        best: The best of them.
        rest: What there is to make it with.
    """
    if rest.in_a_hurry:
        return refit(best, rest.bench, rest.folder, 0.0)
    chosen = choose(trials, best, rest) if rest.max_members > 1 else None
    seconds = rest.governor.left - rest.governor.finish_seconds(best)
    if chosen is None:
        return _repeated(best, rest, seconds)
    seconds -= sum(further_seconds(trial, rest.governor) for trial in chosen.trials if trial.number != best.number)
    return _averaged(chosen, best, rest, seconds)


def _repeated(best: Trial, rest: Rest, max_seconds: float) -> Candidate:
    """The best trial, fitted on all examples: where these are few and the network is small, several times from other
    seeds, and averaged (Lakshminarayanan et al. 2017). What one fit makes of few examples depends on its seed."""
    began = time.monotonic()
    first = refit(best, rest.bench, rest.folder, max_seconds)
    fits = [first]
    spec = rest.bench.prepared.spec
    num_examples = sum(len(rest.bench.prepared.indices[split]) for split in (Split.TRAIN, Split.VALIDATION))
    small = best.result is not None and best.result.num_parameters <= SMALL_NETWORK
    if not (first.refitted and small and is_cross_validated(spec.kind, num_examples)):
        return first
    package = further_seconds(best, rest.governor)  # for each fit but the first
    while len(fits) < rest.max_members:
        left = max_seconds - (time.monotonic() - began) - len(fits) * package
        if left < first.seconds * REFIT_FACTOR:
            break
        fit = refit(replace(best, seed=best.seed + SEED_STEP * len(fits)), rest.bench, rest.folder, left)
        if not fit.refitted:
            break
        fits.append(fit)
    if len(fits) == 1:
        return first
    model = average([fit.model for fit in fits], [1.0 / len(fits)] * len(fits))
    return replace(first, model=model, fits=len(fits), seconds=time.monotonic() - began)


def choose(trials: Sequence[Trial], best: Trial, rest: Rest) -> Choice | None:
    """The average that is better than the best trial, on examples that no network was fitted on and within the time
    that is left; `None` where there is none.

    Args:
        trials: Of the run.
        best: The best of them.
        rest: Gives the time: fitting `best` again and packaging it comes first.
    """
    members = _members([best, *_others(trials, best, rest)], rest)
    if len(members) < 2 or members[0][0] is not best:
        return None
    task, governor = rest.bench.task, rest.governor
    first = members[0][1]
    truth = truth_of(rest.bench.prepared, first.rows)
    spare = governor.left - governor.finish_seconds(best) - governor.refit_seconds(best)
    weights = select([member for _, member in members], truth, task, rest.max_members, spare)
    taken = sorted((i for i, weight in enumerate(weights) if weight), key=lambda i: -weights[i])
    if len(taken) < 2:
        return None
    said = [one.predictions[np.searchsorted(one.rows, first.rows)] for one in (members[i][1] for i in taken)]
    together = combine(said, [weights[i] for i in taken])
    return Choice(
        trials=tuple(members[i][0] for i in taken),
        weights=tuple(weights[i] for i in taken),
        score=score(task, truth, together)[task.objective],
        single_score=score(task, truth, first.predictions)[task.objective],
        num_examples=len(first.rows),
    )


def _others(trials: Sequence[Trial], best: Trial, rest: Rest) -> list[Trial]:
    return [one for one in candidates(trials, rest.bench.task.direction) if one.number != best.number]


def _members(trials: Sequence[Trial], rest: Rest) -> list[tuple[Trial, Member]]:
    """Those that left predictions; the first one's are thinned out where there are very many."""
    found: list[tuple[Trial, Member]] = []
    for trial in trials:
        saved = load_outside(trial_folder(rest.folder, trial))
        if saved is not None:
            rows, predictions = saved
            step = 1 if found else -(-len(rows) // MOST_EXAMPLES)
            seconds = further_seconds(trial, rest.governor)
            found.append((trial, Member(rows=rows[::step], predictions=predictions[::step], seconds=seconds)))
    return found


def _averaged(chosen: Choice, best: Trial, rest: Rest, max_seconds: float) -> Candidate:
    """One network of all parts: the best trial is fitted again first, then the others while there is time."""
    began = time.monotonic()
    made: dict[int, Candidate] = {}
    for trial in sorted(chosen.trials, key=lambda one: one.number != best.number):
        left = max_seconds - (time.monotonic() - began)
        enough = trial.number == best.number or left >= rest.governor.refit_seconds(trial)
        made[trial.number] = refit(trial, rest.bench, rest.folder, left if enough else 0.0)
    parts = [made[trial.number] for trial in chosen.trials]
    return replace(
        parts[0],
        model=average([part.model for part in parts], chosen.weights),
        refitted=all(part.refitted for part in parts),
        seconds=time.monotonic() - began,
        validation_predictions=combine([part.validation_predictions for part in parts], chosen.weights),
        note="",
        average=Average(
            parts=tuple(_part(one, weight) for one, weight in zip(parts, chosen.weights, strict=True)),
            score=chosen.score,
            single_score=chosen.single_score,
            num_examples=chosen.num_examples,
        ),
    )


def _part(made: Candidate, weight: float) -> Part:
    trial = made.trial
    return Part(
        trial=trial.number,
        space=trial.space,
        values=trial.values,
        weight=weight,
        refitted=made.refitted,
        note=made.note,
    )
