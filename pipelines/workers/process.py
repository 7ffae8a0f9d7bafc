"""The worker process: `python -m pipelines.workers.process JOB.json`. Started by `pipelines.workers.local`.

Its standard input is the wire from its supervisor: the line "stop" asks it to end after the epoch at hand, and the
end of the stream means that the supervisor is gone, so that a killed run leaves no worker behind.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from pipelines.workers.job import Job, read

EXIT_BAD_SPACE = 21
EXIT_ORPHANED = 22
EXIT_CONFIG = 23
EXIT_STORE = 24
ERROR_FILE = "worker_error.txt"


def main(path: str) -> int:
    """Works through a job; returns the exit code."""
    stop = threading.Event()
    threading.Thread(target=_listen, args=(stop,), daemon=True).start()
    job = read(Path(path))
    limit_threads(job.threads)
    return _work(job, Path(path).parent, stop)


def limit_threads(count: int) -> None:
    """Keeps the numerical libraries to `count` cores. Must come before they are imported."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(count)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _listen(stop: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "stop":
            stop.set()
    os._exit(EXIT_ORPHANED)


def _work(job: Job, folder: Path, stop: threading.Event) -> int:
    from pipelines.bench import open_bench
    from pipelines.governor import Governor
    from pipelines.preparing.prepare import load_prepared
    from pipelines.search import BadSpace, search
    from records.errors import ConfigError, StoreError
    from records.task import get_task
    from store.database import open_database
    from store.home import open_home
    from store.ledger import Ledger

    home = open_home(Path(job.home))
    ledger = Ledger(open_database(home))
    try:
        prepared = load_prepared(Path(job.prepared))
        bench, left_out = open_bench(job.config, prepared, get_task(job.task, job.objective), home)
    except ConfigError as error:
        (folder / ERROR_FILE).write_text(str(error), "utf-8")
        return EXIT_CONFIG
    ledger.update_run(job.run_id, summary={"left_out": left_out})
    governor = Governor(
        started=job.started,
        deadline=job.deadline,
        num_test=job.num_test,
        refit_examples_factor=job.refit_examples_factor,
    )
    try:
        search(job.run_id, ledger, bench, job.config, governor, folder, stop.is_set)
    except BadSpace as error:
        (folder / ERROR_FILE).write_text(str(error), "utf-8")
        return EXIT_BAD_SPACE
    except StoreError as error:
        sys.stderr.write(f"{error}\n")  # a file may be what cannot be written
        return EXIT_STORE
    return 0


if __name__ == "__main__":
    # the listening thread blocks in a read that only the supervisor ends: leave without waiting for it
    code = main(sys.argv[1])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
