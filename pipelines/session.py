"""What surrounds a run's steps: the home's lock, the database, Ctrl-C, and the row that says how the run ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pipelines.context import Context
from pipelines.interrupt import Interrupts, listening
from pipelines.progress import Progress
from records.errors import BusyError, KerasmithError, StoreError
from records.trial import RunState
from serving.model_store import remove_unregistered
from store.database import open_database
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger
from store.registry import Registry

BEAT_SECONDS = 5.0
"""Between two signs of life; at most so much of a killed run's time is forgotten."""


@dataclass(frozen=True)
class Stores:
    """What a home remembers, open for writing."""

    home: Home
    ledger: Ledger
    leases: Leases
    registry: Registry


@contextmanager
def opened(home: Home, what: str, progress: Progress) -> Iterator[tuple[Stores, Interrupts]]:
    """Holds the home for this process while the body runs, and listens for Ctrl-C.

    Args:
        home: Where everything is kept.
        what: Tells others who holds it: "run 3f2a".
        progress: Told what a Ctrl-C does.

    Raises:
        BusyError: Another process holds the home.
        StoreError: The database cannot be used.
    """
    with home.exclusive(what), listening(progress.note) as interrupts:
        engine = open_database(home)
        try:
            stores = Stores(home, Ledger(engine), Leases(engine), Registry(engine))
            stores.ledger.mark_dead_runs()
            remove_unregistered(home, stores.registry.bundle_ids())
            yield stores, interrupts
        finally:
            engine.dispose()


@contextmanager
def recorded(context: Context) -> Iterator[None]:
    """Tells the ledger that the run lives while the body runs, and how it ended where it did not end well."""
    over = threading.Event()
    heart = threading.Thread(target=_beat, args=(context, over), daemon=True)
    heart.start()
    try:
        yield
    except BaseException as error:
        _write_down(context, error)
        go_on = f"kerasmith resume {context.run.id}"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"Interrupted. What was trained is kept. Go on with it: {go_on}") from None
        if isinstance(error, StoreError):
            raise StoreError(f"{error} To go on with this run then: {go_on}") from error
        raise
    finally:
        over.set()
        heart.join()


def _write_down(context: Context, error: BaseException) -> None:
    state = RunState.FAILED if isinstance(error, Exception) else RunState.INTERRUPTED
    reason = str(error) if isinstance(error, KerasmithError) else f"{type(error).__name__}: {error}"
    if isinstance(error, KeyboardInterrupt):
        reason = "It was interrupted."
    ledger, summary = context.ledger, {"seconds": context.seconds}
    if not context.is_owner:
        return
    with suppress(BusyError, StoreError):  # the first error is what counts; `mark_dead_runs` mends the row later
        ledger.beat(context.run.id, context.used_seconds)
        ledger.finish_run(context.run.id, state, error=reason, summary=summary)


def _beat(context: Context, over: threading.Event) -> None:
    while True:
        with suppress(BusyError, StoreError):  # whatever it is, the run itself meets it, or it passes
            context.is_owner = context.ledger.beat(context.run.id, context.used_seconds)
        if over.wait(BEAT_SECONDS):
            return
