"""The supervisor: keeps workers on this machine running until the search is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipelines.workers.crew import Crew, crew_of
from pipelines.workers.job import Job
from pipelines.workers.team import Team
from pipelines.workers.watching import Limits
from store.leases import Leases
from store.ledger import Ledger

GRACE_SECONDS = 5.0
"""Between the search's last moment and the end of a worker that does not stop by itself."""
POLL_SECONDS = 0.25


def supervise(
    job: Job,
    folder: Path,
    ledger: Ledger,
    leases: Leases,
    search_until: Callable[[], float],
    stop_requested: Callable[[], bool],
    progress: Callable[[], None],
    crew: Crew | None = None,
    limits: Limits | None = None,
) -> None:
    """Runs workers until none of them finds anything to do, the time is over, or somebody asks to stop.

    A worker that dies is replaced, and its trial gets one more attempt; so it is when it falls silent. A trial that
    takes far longer than it was given, or more memory than there is for a worker, has failed. Afterwards no trial of
    the run waits or runs; where this raises, those that did wait, for `Ledger.take_up`.

    Args:
        job: What the workers do. `threads` are the cores of all; each worker gets its part.
        folder: Of the run. Gets the job's file and a log for each worker.
        ledger: Tells whether anything was learnt.
        leases: What ended workers held is taken back in it.
        search_until: The monotonic second at which trials must have ended; may move as trials are measured.
        stop_requested: Asked all the time; then the workers are asked to finish after the epoch at hand.
        progress: Called all the time, to show how it stands.
        crew: The workers; `None`: as the job's config and this machine say.
        limits: When a worker counts as hanging.

    Raises:
        ConfigError: A space or backbone that was asked for cannot be used.
        SearchFailed: A space's code is wrong, or workers keep dying before anything was learnt.
        StoreError: Results cannot be kept.
        BusyError: Another process held the database for a minute.
    """
    crew = crew or crew_of(job.config, job.threads)
    path = folder / "job.json"
    replace(job, threads=crew.threads, memory_bytes=crew.memory_bytes, workers=crew.num_workers).write(path)
    stopped = False
    with Team(path, job.run_id, ledger, leases, crew, limits) as team:
        while team.at_work():
            progress()
            late = time.monotonic() - search_until()
            stopped = stopped or stop_requested()
            if late > 0 or stopped:
                team.ask_to_stop()
            if late > GRACE_SECONDS:
                break
            team.look()
            time.sleep(POLL_SECONDS)
    leases.close(job.run_id, "The search was stopped." if stopped else "Its time was over.")
