"""Which workers have stopped working without ending: those that are silent, and those whose trial takes too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from records.trial import Lease

LONGEST_LOOK = 5.0
"""Seconds between two looks that count, at most. Where more passed, this process itself was held up, perhaps together
with its workers, and what they did not do meanwhile is not their fault."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a worker may take for what, in seconds."""

    silence: float = 30.0
    """Without a heartbeat: it is stopped, swapped out or deadlocked, or code in C holds the interpreter."""
    factor: float = 1.5
    """By which a trial may exceed the time that it was given, ..."""
    grace: float = 30.0
    """... and so much more, for compiling and for a slower moment."""
    start: float = 300.0
    """From a worker's start to its first trial."""

    def deadline(self, max_seconds: float) -> float:
        """How long a trial that was given `max_seconds` may run before it is ended."""
        return self.factor * max_seconds + self.grace


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A lease whose worker must be ended."""

    lease: Lease
    is_late: bool
    """It is the trial that takes too long; else its worker has not told for long that it lives."""
    seconds: float
    """For how long the trial has run, or the worker has been silent."""


@dataclass(kw_only=True)
class _Seen:
    since: float
    beat: int
    beat_at: float


class Watch:
    """What is known of the leases of a run. Counts seconds by looking: a supervisor that was stopped blames nobody."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.clock = 0.0
        """Seconds that were watched."""
        self._looked_at: float | None = None
        self._seen: dict[tuple[str, int], _Seen] = {}
        self._workers: set[str] = set()

    def look(self, held: Sequence[Lease], now: float) -> list[Trouble]:
        """Takes in how the leases stand, and tells which have gone wrong.

        Args:
            held: All leases of the run.
            now: A monotonic second.
        """
        if self._looked_at is not None:
            self.clock += min(now - self._looked_at, LONGEST_LOOK)
        self._looked_at = now
        before, self._seen = self._seen, {}
        for lease in held:
            key = (lease.worker, lease.number)
            seen = before.get(key) or _Seen(since=self.clock, beat=lease.beat, beat_at=self.clock)
            if lease.beat != seen.beat:
                seen.beat, seen.beat_at = lease.beat, self.clock
            self._seen[key] = seen
            self._workers.add(lease.worker)
        found = [self._trouble(lease, self._seen[lease.worker, lease.number]) for lease in held]
        return [trouble for trouble in found if trouble is not None]

    def _trouble(self, lease: Lease, seen: _Seen) -> Trouble | None:
        if self.clock - seen.since > self.limits.deadline(lease.max_seconds):
            return Trouble(lease=lease, is_late=True, seconds=self.clock - seen.since)
        if self.clock - seen.beat_at > self.limits.silence:
            return Trouble(lease=lease, is_late=False, seconds=self.clock - seen.beat_at)
        return None

    def forgive_silence(self) -> None:
        """Counts everybody's silence anew: nobody could say anything."""
        for seen in self._seen.values():
            seen.beat_at = self.clock

    def has_worked(self, worker: str) -> bool:
        """Whether a worker was ever seen with a trial."""
        return worker in self._workers
