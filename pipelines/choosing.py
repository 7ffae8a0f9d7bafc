"""What a worker does next: take up what waits, then the floor, what won before, the portfolio, and what the algorithm
proposes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.ensemble import reserve_seconds
from pipelines.governor import Governor
from pipelines.proposing.algorithms import KNOWS_BEST, SUGGEST
from pipelines.proposing.dimensions import Configuration, Dimensions, plain, tried
from pipelines.trial import Workbench, lacks_features
from pipelines.warm_start import WarmStart
from records.config import RunConfig
from records.trial import Again, Proposal, Trial, TrialState, Values, best_trial
from search_spaces.floor import FLOOR
from search_spaces.portfolio import portfolio
from search_spaces.space import Replay

REHEARSED = 8
"""Trials of each space in a rehearsal: so many that an algorithm has begun to learn."""


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """What the decision rests on besides the trials so far."""

    bench: Workbench
    dimensions: Dimensions
    config: RunConfig
    governor: Governor
    warm: Sequence[WarmStart] = ()
    """Winners of earlier runs, the first one to be tried first."""

    def rehearse(self) -> None:
        """Proposes once and forgets it: the libraries load, before anybody waits for a lock that this process holds."""
        spaces = list(self.dimensions) * REHEARSED
        made_up = [
            Trial(run_id="", number=i, space=space, values={}, state=TrialState.COMPLETED, seed=0, score=0.0)
            for i, space in enumerate(spaces)
        ]
        if made_up:
            SUGGEST[self.config.algorithm](self.dimensions, made_up, self.bench.task.direction, self.config.seed)

    def decide(self, trials: Sequence[Trial]) -> Proposal | Again | None:
        """The next trial; `None` when there is no time, or nothing left to try.

        Several workers ask at once, each with the trials that the others have begun: while the floor runs, the next
        one begins with what comes after it. What was proposed before, running trials too, is never proposed again.

        Args:
            trials: All of the run so far, by number.
        """
        direction = self.bench.task.direction
        best = best_trial(trials, direction)
        reserve = reserve_seconds(trials, best, direction, self.governor, self.config.ensemble)
        allowed = self.governor.next_trial_seconds(trials, best, reserve)
        if allowed is None:
            return None

        def seconds(space: str, values: Values) -> float:
            if not lacks_features(self.bench, space, values):
                return allowed
            return self.governor.next_trial_seconds(trials, best, reserve, one_off=True) or allowed

        for trial in trials:
            if trial.state is TrialState.WAITING:
                return Again(number=trial.number, max_seconds=seconds(trial.space, trial.values))
        if self.config.max_trials is not None and len(trials) >= self.config.max_trials:
            return None
        chosen = self._choose(trials)
        if chosen is None:
            return None
        (space, values), origin = chosen
        seed = self.config.seed + len(trials)
        return Proposal(space=space, values=values, seed=seed, max_seconds=seconds(space, values), origin=origin)

    def _choose(self, trials: Sequence[Trial]) -> tuple[Configuration, str] | None:
        """A configuration and its origin."""
        if not trials:
            return (FLOOR.name, {}), "floor"
        if not self.dimensions:
            return None
        if self.config.algorithm in KNOWS_BEST:
            before = tried(trials, self.dimensions)
            for configuration, origin in self._known():
                if plain(configuration, self.dimensions) not in before:
                    return configuration, origin
        suggest = SUGGEST[self.config.algorithm]
        proposed = suggest(self.dimensions, trials, self.bench.task.direction, self.config.seed)
        return None if proposed is None else (proposed, self.config.algorithm)

    def _known(self) -> Iterator[tuple[Configuration, str]]:
        """What is known to be good, in the order to try it."""
        if self.config.warm_start:
            for start in self.warm:
                yield self._whole(start.space, start.values), start.origin
        for entry in portfolio(self.bench.prepared.spec, set(self.dimensions)):
            yield self._whole(entry.space, entry.values), f"portfolio: {entry.why}"

    def _whole(self, space: str, values: Values) -> Configuration:
        """With the defaults of what is not named."""
        replay = Replay(values)
        self.bench.spaces[space].choices(replay, self.bench.prepared.spec)
        return space, replay.values
