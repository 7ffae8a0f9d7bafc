"""What can happen to workers and trials, with real processes: it costs a trial or an attempt, never the search."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psutil
import pytest

from pipelines.workers.crew import Crew
from pipelines.workers.watching import Limits
from records.errors import SearchFailed
from records.trial import Lease, TrialState
from store.database import locked, open_database
from tests.pipelines.workers.conftest import Scene, workers_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SHORT = Limits(silence=8.0, factor=0.0, grace=16.0)
HOLD = """if what == "nap":
        from store.database import locked, open_database
        from store.home import open_home
        with locked(open_database(open_home(Path("/home")))):
            os.kill(os.getpid(), signal.SIGSTOP)"""
TWO = Crew(num_workers=2, threads=1, memory_bytes=4_000_000_000)


def states(trials) -> list[str]:  # type: ignore[no-untyped-def]
    return [trial.state.value for trial in trials]


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_two_workers_share_the_trials(scene: Scene) -> None:
    trials = scene.search(trials=8, crew=TWO)
    assert states(trials) == ["completed"] * 8
    assert [trial.number for trial in trials] == list(range(8))
    assert len({str(trial.values) for trial in trials}) == 8
    assert scene.most_at_once == 2 and len(scene.names) == 2
    assert "Traceback" not in scene.log(1) + scene.log(2)


def test_a_search_outlives_what_a_space_can_do(scene: Scene) -> None:
    """One list of misdeeds for one worker after the other: see `SPACE`."""
    crew = Crew(num_workers=1, threads=1, memory_bytes=1_500_000_000)
    trials = scene.search("fine sleep native native allocate die die die fine fine", 7, crew, 390.0, SHORT)
    assert states(trials) == ["completed", "completed", "failed", "failed", "failed", "failed", "completed"]
    _, _, asleep, native, greedy, deadly, unlucky = trials
    assert re.search(r"It was stopped: it ran for 1\d s and was given \d+ s\. .*worker-1\.log", asleep.error or "")
    assert re.search(r"it had not said for [89] s that it lives.* It is not tried again: 2 workers", native.error or "")
    assert re.search(r"its worker used 1\.[5-9] GB of memory and may use 1\.5 GB\.", greedy.error or "")
    assert re.search(r"signal 9 \(SIGKILL\).* It is not tried again: 2 workers", deadly.error or "")
    assert (asleep.attempt, native.attempt, greedy.attempt, unlucky.attempt) == (1, 2, 1, 2)
    assert scene.log().count("in act") >= 3, "the log does not say where it hung"


def test_a_mistake_in_a_space_ends_all_workers_at_once(scene: Scene) -> None:
    with pytest.raises(SearchFailed, match=r"Space 'own' failed with .*own/units.*TypeError: a mistake in the code"):
        scene.search("fine raise", None, TWO)
    trials = scene.ledger.trials(scene.run.id)
    assert "Traceback" in next(trial.error or "" for trial in trials if trial.state is TrialState.FAILED)
    assert all(trial.attempt == 1 and trial.state is not TrialState.RUNNING for trial in trials)
    assert scene.leases.held(scene.run.id) == []


def test_a_wrong_shape_is_a_mistake_too(scene: Scene) -> None:
    text = scene.file.read_text().replace("spec.num_classes)", "spec.num_classes + 1)")
    scene.file.write_text(text)
    with pytest.raises(SearchFailed, match="Space 'own' failed with .*shape"):
        scene.search()


def test_workers_that_die_at_their_start_end_the_search_soon(scene: Scene) -> None:
    scene.file.write_text("import os, sys\nprint('so it is', file=sys.stderr, flush=True)\nos._exit(3)\n")
    began = time.monotonic()
    ended = "3 workers ended before any trial was done.*exit code 3.*worker-1.log. Its last line: so it is"
    with pytest.raises(SearchFailed, match=ended):
        scene.search()
    assert time.monotonic() - began < 120


def test_memory_that_no_worker_could_start_with_is_named(scene: Scene) -> None:
    crew = Crew(num_workers=1, threads=1, memory_bytes=200_000_000)
    with pytest.raises(SearchFailed, match=r"its worker used 0\.[2-9] GB of memory and may use 0\.2 GB"):
        scene.search(crew=crew)
    assert scene.ledger.trials(scene.run.id) == []


def test_a_stopped_worker_is_replaced_and_its_trial_goes_on(scene: Scene) -> None:
    stopped: list[psutil.Process] = []

    def stop_one(held: list[Lease]) -> None:
        if not stopped and any(lease.number == 1 for lease in held):
            stopped.extend(workers_of(psutil.Process()))
            stopped[0].suspend()

    trials = scene.search(limits=SHORT, each_time=stop_one)
    assert states(trials) == ["completed"] * 3
    assert [trial.attempt for trial in trials] == [1, 2, 1]
    assert len(scene.names) == 2 and not stopped[0].is_running()


def test_silence_while_the_database_is_held_is_forgiven(scene: Scene) -> None:
    """Longer than a worker may be silent, while one trains and cannot say so."""
    holders: list[threading.Thread] = []

    def hold() -> None:
        with locked(open_database(scene.home)):
            time.sleep(10.0)

    def hold_once(held: list[Lease]) -> None:
        if not holders and any(lease.number == 1 for lease in held) and scene.has_done_all():
            holders.append(threading.Thread(target=hold))
            holders[0].start()

    trials = scene.search("nap", 2, limits=Limits(silence=5.0), each_time=hold_once)
    holders[0].join()
    assert [(trial.state.value, trial.attempt) for trial in trials] == [("completed", 1), ("completed", 1)]
    assert len(scene.names) == 1


def test_a_worker_that_was_stopped_while_it_held_the_database_frees_it(scene: Scene) -> None:
    """Its trial goes on, long before others would give up waiting for the database."""
    text = scene.file.read_text().replace('if what == "nap":\n        time.sleep(20)', HOLD)
    scene.file.write_text(text.replace("/home", str(scene.home.root)))
    began = time.monotonic()
    trials = scene.search("nap", 2, limits=Limits(silence=5.0))
    assert [(trial.state.value, trial.attempt) for trial in trials] == [("completed", 1), ("completed", 2)]
    assert time.monotonic() - began < 55


def test_a_leaking_worker_is_recycled_without_counting_it(scene: Scene) -> None:
    crew = Crew(num_workers=1, threads=1, memory_bytes=6_000_000_000)
    trials = scene.search("leak leak", 4, crew)
    assert states(trials) == ["completed"] * 4
    assert [trial.attempt for trial in trials] == [1] * 4
    assert len(scene.names) == 2


def test_time_over_ends_what_hangs(scene: Scene) -> None:
    began = time.monotonic()
    trials = scene.search("sleep sleep", None, TWO, seconds=45.0)
    assert time.monotonic() - began < 45.0 + 5.0 + 5.0
    assert trials[0].state is TrialState.COMPLETED
    assert {trial.error for trial in trials[1:]} == {"Its time was over."}


def test_asked_to_stop_all_workers_finish(scene: Scene) -> None:
    def learnt() -> bool:
        return len([trial for trial in scene.ledger.trials(scene.run.id) if trial.scored]) >= 2

    trials = scene.search(trials=None, crew=TWO, stop_requested=learnt)
    assert sum(trial.scored for trial in trials) >= 2
    assert all(trial.state.finished for trial in trials)


def test_what_ends_the_supervisor_does_not_count_against_a_trial(scene: Scene) -> None:
    def interrupt(held: list[Lease]) -> None:
        if any(lease.number == 1 for lease in held) and scene.has_done_all():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene.search("sleep", each_time=interrupt)
    trials = scene.ledger.trials(scene.run.id)
    assert (trials[1].state, trials[1].attempt) == (TrialState.WAITING, 1)
    assert workers_of(psutil.Process()) == []
    assert states(scene.search()) == ["completed"] * 3


def test_a_worker_that_waits_takes_over_what_another_leaves(scene: Scene) -> None:
    """The last trial is taken up by the worker that had nothing to do, before the dead one's successor is ready."""
    ended: list[float] = []

    def kill_the_sleeper(held: list[Lease]) -> None:
        if not ended and [lease.number for lease in held] == [2]:
            time.sleep(3.0)  # the other one waits by now
            for worker in workers_of(psutil.Process()):
                with psutil.Process(worker.pid).oneshot():
                    if held[0].worker in worker.cmdline():
                        os.kill(worker.pid, signal.SIGKILL)
            ended.append(time.monotonic())

    trials = scene.search("fine sleep", 3, TWO, each_time=kill_the_sleeper)
    assert ended and states(trials) == ["completed"] * 3
    assert sorted(trial.attempt for trial in trials) == [1, 1, 2]
    assert len(scene.names) == 2


def test_a_killed_run_leaves_no_worker_even_where_all_hang_in_c(scene: Scene) -> None:
    """Nothing in such a worker listens any more: only the system can end it."""
    scene.file.with_suffix(".list").write_text("native native")
    command = [sys.executable, "-m", "pipelines", "run", "digits", "--space", str(scene.file), "--workers", "2"]
    run = subprocess.Popen([*command, "--budget", "10m"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(scene.has_done_all)
        workers = workers_of(psutil.Process(run.pid))
        assert len(workers) == 2
    finally:
        run.kill()
        run.wait()
    wait_for(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers))
