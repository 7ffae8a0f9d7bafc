"""A run's trials: how many stand where, their curves, and the leaderboard with what happened to each."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from records.trial import Run, Trial, TrialState
from ui.curves import draw, learning_curves
from ui.markup import table
from ui.stores import ranked
from ui.words import clean, duration, metric_title, number, settings

EARLY = "stopped early"
"""Of a trial that was pruned."""
ORIGINS = {
    "floor": "The floor baseline",
    "portfolio": "Known to be good on such data",
    "warm start": "Was best in an earlier run on data of the same shape",
    "tpe": "Proposed from the trials before",
    "cmaes": "Proposed by CMA-ES from the trials before",
    "random": "Drawn at random",
    "grid": "Next on the grid",
}
"""What the first word of a trial's origin means."""
UNSCORED = {TrialState.RUNNING: "running", TrialState.WAITING: "waiting", TrialState.FAILED: "failed"}


def done(trials: Sequence[Trial]) -> int:
    """How many ended with a score."""
    return sum(trial.scored for trial in trials)


def others(trials: Sequence[Trial]) -> str:
    """2 of them stopped early, 1 running, 1 waiting, 1 failed; empty where all ended as planned."""
    early = sum(trial.state is TrialState.PRUNED for trial in trials)
    told = [f"{early} of them {EARLY}"] if early else []
    counts = [(sum(trial.state is state for trial in trials), word) for state, word in UNSCORED.items()]
    return ", ".join([*told, *(f"{count} {word}" for count, word in counts if count)])


def show_trials(run: Run, trials: list[Trial]) -> None:
    """Learning curves and the leaderboard."""
    if not trials:
        st.caption("No trial has begun yet.")
        return
    best = ranked(trials, run.objective)
    winner = best[0].number if best else None
    title = metric_title(run.objective)
    curves = learning_curves(trials, run.objective, winner)
    if curves is not None:
        draw(curves, f"Validation {title} of each trial over its seconds; the table below has the numbers.", height=250)
        st.caption(f"Validation {title} after each epoch. The thick line is the best trial.")
    order = [*best, *(t for state in UNSCORED for t in trials if t.state is state)]
    order += [t for t in trials if t not in order]
    head = ["rank", "trial", "space", f"validation {title}", "time", "settings"]
    rows = [_row(trial, place + 1 if place < len(best) else None) for place, trial in enumerate(order)]
    table(head, rows, best=0 if best else None, long=True)


def _row(trial: Trial, rank: int | None) -> list[str]:
    seconds = trial.result.seconds if trial.result else trial.epochs[-1].seconds if trial.epochs else None
    return [
        "" if rank is None else str(rank),
        str(trial.number),
        trial.space,
        _score(trial),
        "" if seconds is None else duration(seconds),
        _told(trial),
    ]


def _score(trial: Trial) -> str:
    if trial.scored:
        told = number(trial.score or 0.0)
        return f"{told}, {EARLY}" if trial.state is TrialState.PRUNED else told
    if trial.state is TrialState.RUNNING and trial.epochs:
        return f"{number(trial.epochs[-1].score)} so far"
    return UNSCORED.get(trial.state, trial.state.value)


def _told(trial: Trial) -> str:
    """Settings, why it was tried, and what was not as usual; of a failed one only why it failed."""
    if trial.state is TrialState.FAILED:
        return (trial.error or "It had not ended.").splitlines()[0]
    told = [settings(trial.values), _origin(trial), _unusual(trial)]
    return " · ".join(part for part in told if part)


def _origin(trial: Trial) -> str:
    kind, _, why = (part.strip() for part in clean(trial.origin).partition(":"))
    told = ORIGINS.get(kind, kind)
    return f"{told}: {why.rstrip('.')}" if why else told


def _unusual(trial: Trial) -> str:
    told = []
    if trial.batch_divisor > 1:
        told.append("trained with half the batch, since the memory did not suffice")
    if trial.attempt > 1:
        told.append(f"attempt {trial.attempt}, since a worker died")
    if trial.result is not None and trial.result.resumed_at_step:
        told.append(f"went on from its checkpoint at step {trial.result.resumed_at_step:,}")
    joined = "; ".join(told)
    return joined[:1].upper() + joined[1:]
