"""What a run says while it goes on. `pipelines.terminal.views.Progress` shows it; a Python caller may ignore it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from records.trial import Lease, Trial


class Progress(Protocol):
    """Where a run's words go."""

    def step(self, name: str, detail: str = "") -> None:
        """A step begins: "prepare", "search", "refit", "evaluate" or "package"."""

    def amount(self, done: int, total: int | None = None) -> None:
        """So many examples of the step at hand are done."""

    def search(
        self, trials: Sequence[Trial], objective: str, seconds_left: float, leases: Sequence[Lease] = ()
    ) -> None:
        """How the search stands, called several times a second. The leases tell how long running trials may take."""

    def note(self, text: str) -> None:
        """A sentence that a person should read."""


class Silent:
    """Says nothing."""

    def step(self, name: str, detail: str = "") -> None:
        return None

    def amount(self, done: int, total: int | None = None) -> None:
        return None

    def search(
        self, trials: Sequence[Trial], objective: str, seconds_left: float, leases: Sequence[Lease] = ()
    ) -> None:
        return None

    def note(self, text: str) -> None:
        return None
