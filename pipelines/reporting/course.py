"""How a search went, in sentences: what was stopped early and saved, used again, repeated and resumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipelines.reporting.states import EARLY, ORIGINS, kind_of
from pipelines.reporting.wording import count, duration, plural
from records.trial import Trial, TrialState

MOST_NAMED = 6
"""Trials that a sentence names by their numbers."""


def course(trials: Sequence[Trial]) -> list[str]:
    """What happened, a sentence each; nothing is said of what did not happen."""
    told = [_where_from(trials), _stopped_early(trials), _reused(trials), _repeated(trials), _halved(trials)]
    return [sentence for sentence in (*told, _resumed(trials)) if sentence]


def saved_seconds(trials: Sequence[Trial]) -> float:
    """What the trials that were stopped early would still have trained, at their own pace and to their planned end."""
    saved = 0.0
    for trial in trials:
        result = trial.result
        if trial.state is TrialState.PRUNED and result is not None and result.steps > 0:
            saved += result.train_seconds * max(0, result.planned_steps - result.steps) / result.steps
    return saved


def _where_from(trials: Sequence[Trial]) -> str:
    kinds = Counter(kind_of(trial) for trial in trials)
    kinds.pop("", None)
    if len(kinds) < 2:
        return ""
    told = [f"{count(kinds[kind])} {'were' if kinds[kind] > 1 else 'was'} {_plain(kind)}" for kind in kinds]
    return f"Of {plural(len(trials), 'trial')}, {_listed(told)}."


def _plain(kind: str) -> str:
    return ORIGINS.get(kind, kind).removeprefix("was ")


def _stopped_early(trials: Sequence[Trial]) -> str:
    early = [trial for trial in trials if trial.state is TrialState.PRUNED]
    if not early:
        return ""
    verb, count_on = ("was", "its score counts") if len(early) == 1 else ("were", "their scores count")
    sentence = f"{plural(len(early), 'trial')} {verb} {EARLY}, since others were ahead; {count_on} all the same."
    saved = saved_seconds(early)
    return f"{sentence} To the planned end it would have been {duration(saved)} more." if saved else sentence


def _reused(trials: Sequence[Trial]) -> str:
    results = [trial.result for trial in trials if trial.result is not None and trial.result.steps > 0]
    again = sum(result.graph_reused for result in results)
    if not again:
        return ""
    return (
        f"{count(again)} of {plural(len(results), 'trained network')} used the compiled graph of an earlier trial, "
        "where everything but the learning rate and the seed was equal."
    )


def _repeated(trials: Sequence[Trial]) -> str:
    again = [trial for trial in trials if trial.attempt > 1]
    if not again:
        return ""
    ended = sum(trial.scored for trial in again)
    what = "its worker died" if len(again) == 1 else "their workers died"
    how = "It then ended well." if ended == len(again) == 1 else f"{count(ended)} of them then ended well."
    how = "It gave nothing then either." if len(again) == 1 and not ended else how
    return f"{_named(again)} began again since {what}. {how}"


def _halved(trials: Sequence[Trial]) -> str:
    halved = [trial for trial in trials if trial.batch_divisor > 1]
    return f"{_named(halved)} trained with half the batch, since the memory did not suffice." if halved else ""


def _resumed(trials: Sequence[Trial]) -> str:
    on = [trial for trial in trials if trial.result is not None and trial.result.resumed_at_step]
    return f"{_named(on)} went on from a checkpoint instead of beginning again." if on else ""


def _named(trials: Sequence[Trial]) -> str:
    if len(trials) > MOST_NAMED:
        return plural(len(trials), "trial")
    numbers = _listed([str(trial.number) for trial in trials])
    return f"Trial {numbers}" if len(trials) == 1 else f"Trials {numbers}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
