"""The worker process: `python -m pipelines.workers.process JOB.json NAME`. Started by `pipelines.workers.child`.

Its standard input is the wire from its supervisor: the line "stop" asks it to end after the epoch at hand, and the
end of the stream means that the supervisor is gone, so that a killed run leaves no worker behind.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from pathlib import Path

from pipelines.workers.job import Job, read
from pipelines.workers.life import Recycling, Waiting, beating, end_orphaned, end_with_supervisor
from pipelines.workers.memory import offer_to_the_system

EXIT_BAD_SPACE = 21
EXIT_ORPHANED = 22
EXIT_CONFIG = 23
EXIT_STORE = 24
EXIT_LEASE_LOST = 25
EXIT_RECYCLE = 26
EXIT_BUSY = 27


def error_file(folder: Path, worker: str) -> Path:
    """Where a worker leaves the sentence that its exit code stands for."""
    return folder / f"error-{worker}.txt"


def main(path: str, worker: str) -> int:
    """Works through a job under the name `worker`; returns the exit code."""
    end_with_supervisor()
    offer_to_the_system()
    faulthandler.enable()
    if hasattr(faulthandler, "register"):  # the supervisor asks where a worker hangs before it ends it
        faulthandler.register(signal.SIGUSR1, all_threads=True)
    stop = threading.Event()
    threading.Thread(target=_listen, args=(stop,), daemon=True).start()
    job = read(Path(path))
    limit_threads(job.threads)
    return _work(job, worker, Path(path).parent, stop)


def limit_threads(count: int) -> None:
    """Keeps the numerical libraries to `count` cores. Must come before they are imported."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(count)
    os.environ["TF_NUM_INTEROP_THREADS"] = str(count)  # else a worker with one thread uses a second core
    os.environ["PJRT_NPROC"] = str(count)  # what JAX takes for the number of cores
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _listen(stop: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "stop":
            stop.set()
    end_orphaned(EXIT_ORPHANED)


def _work(job: Job, worker: str, folder: Path, stop: threading.Event) -> int:
    """Does the work, and turns what ends it into an exit code."""
    from pipelines.search import BadSpace
    from records.errors import BusyError, ConfigError, StoreError
    from store.leases import LeaseLost

    try:
        return EXIT_RECYCLE if _search(job, worker, folder, stop) else 0
    except LeaseLost:
        return EXIT_LEASE_LOST
    except BusyError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BUSY
    except StoreError as error:
        sys.stderr.write(f"{error}\n")  # a file may be what cannot be written
        return EXIT_STORE
    except (BadSpace, ConfigError) as error:
        error_file(folder, worker).write_text(str(error), "utf-8")
        return EXIT_BAD_SPACE if isinstance(error, BadSpace) else EXIT_CONFIG


def _search(job: Job, worker: str, folder: Path, stop: threading.Event) -> bool:
    """Runs trials while there are any. True: it ended to make room for a new process."""
    from pipelines.bench import open_bench
    from pipelines.preparing.prepare import load_prepared
    from pipelines.search import Assignment, search
    from records.task import get_task
    from store.database import open_database
    from store.home import open_home
    from store.leases import Leases
    from store.ledger import Ledger

    ready_at = time.monotonic()
    home = open_home(Path(job.home))
    engine = open_database(home)
    ledger, leases = Ledger(engine), Leases(engine)
    prepared = load_prepared(Path(job.prepared))
    bench, left_out = open_bench(job.config, prepared, get_task(job.task, job.objective), home)
    ledger.update_run(job.run_id, summary={"left_out": left_out})
    governor = job.governor()
    recycling = Recycling(job.memory_bytes, seconds_left=lambda: governor.search_left(None))
    assignment = Assignment(
        run_id=job.run_id,
        worker=worker,
        config=job.config,
        governor=governor,
        folder=folder,
        stop_requested=stop.is_set,
        leave=recycling,
        wait=Waiting(leases, job.run_id, worker, stop.is_set),
        ready_at=ready_at,
    )
    with beating(leases, job.run_id, worker):
        search(assignment, bench, ledger, leases)
    return recycling.due


if __name__ == "__main__":
    # the listening thread blocks in a read that only the supervisor ends: leave without waiting for it
    code = main(sys.argv[1], sys.argv[2])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
