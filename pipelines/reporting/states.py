"""How trials, their states and what happened to them are told: the same in the terminal, the report and `show`."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.reporting.wording import clean, count, plural
from records.trial import Trial, TrialState

EARLY = "stopped early"
"""Of a trial that was pruned."""
ORIGINS = {
    "floor": "the floor baseline",
    "portfolio": "known to be good on such data",
    "warm start": "was best in an earlier run on data of the same shape",
    "tpe": "proposed from the trials before",
    "cmaes": "proposed by CMA-ES from the trials before",
    "random": "drawn at random",
    "grid": "next on the grid",
}
"""What the first word of a trial's origin means."""
SHORT = {"floor": "", "portfolio": "known good", "warm start": "earlier run", "tpe": "proposed", "cmaes": "proposed"}
"""The same where there is little room."""


def counted(trials: Sequence[Trial]) -> str:
    """12 trials done, 3 of them stopped early, 2 running, 1 waiting, 1 failed."""
    number = {state: sum(trial.state is state for trial in trials) for state in TrialState}
    done = number[TrialState.COMPLETED] + number[TrialState.PRUNED]
    told = [f"{plural(done, 'trial')} done"]
    if early := number[TrialState.PRUNED]:
        told.append(f"{'all' if early == done else f'{count(early)} of them'} {EARLY}")
    for state in (TrialState.RUNNING, TrialState.WAITING, TrialState.FAILED):
        if number[state]:
            told.append(f"{count(number[state])} {state.value}")
    return ", ".join(told)


def kind_of(trial: Trial) -> str:
    """The first word of its origin."""
    return clean(trial.origin).partition(":")[0].strip()


def origin(trial: Trial) -> str:
    """Why it was tried, as a part of a sentence; empty where the ledger does not say."""
    told, why = ORIGINS.get(kind_of(trial), kind_of(trial)), clean(trial.origin).partition(":")[2].strip()
    return f"{told}: {why.rstrip('.')}" if why else told


def short_origin(trial: Trial) -> str:
    """Why it was tried, in a word or two; empty for the floor, whose space says so."""
    return SHORT.get(kind_of(trial), kind_of(trial))


def marks(trial: Trial) -> list[str]:
    """What was not as usual about it, in a few words each."""
    told = [EARLY] if trial.state is TrialState.PRUNED else []
    if trial.batch_divisor > 1:
        told.append("half the batch" if trial.batch_divisor == 2 else "a smaller batch")
    if trial.attempt > 1:
        told.append(f"attempt {trial.attempt}")
    if trial.result is not None and trial.result.resumed_at_step:
        told.append(f"went on from step {count(trial.result.resumed_at_step)}")
    return told


def reason(trial: Trial) -> str:
    """Why a trial has no score, in a line."""
    if trial.error:
        return clean(trial.error.splitlines()[0])
    return "It waits to be taken up again." if trial.state is TrialState.WAITING else "It had not ended."
