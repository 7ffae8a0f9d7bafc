"""The search inside one worker: KerasTuner runs it, Optuna proposes, the ledger remembers.

The only file that names KerasTuner. Its oracle keeps no state of its own: every method reads or writes the ledger,
so a worker that is killed loses nothing but what it trained since its trial's last checkpoint.
"""

from __future__ import annotations

import dataclasses
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine import trial as kt_trial

from pipelines.choosing import Choosing
from pipelines.failures import first_line, is_out_of_memory, why_it_failed
from pipelines.governor import Governor
from pipelines.proposing.declared import dimensions_of
from pipelines.proposing.dimensions import Dimensions
from pipelines.stopping import falls_behind, rungs_passed
from pipelines.trial import Workbench, forget_checkpoint, run_trial
from pipelines.warm_start import recall
from records.config import RunConfig
from records.errors import BusyError, StoreError
from records.trial import Again, EpochReport, Lease, Proposal, Trial, TrialResult, TrialSpec, Verdict
from search_spaces.floor import FLOOR
from search_spaces.space import Space
from store.leases import LeaseLost, Leases
from store.ledger import Ledger

OBJECTIVE = "score"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assignment:
    """What one worker does: for which run, under what name, and until when."""

    run_id: str
    worker: str
    """Its own name, new for each process."""
    config: RunConfig
    governor: Governor
    folder: Path
    """Of the run; each trial gets a folder below it."""
    stop_requested: Callable[[], bool]
    """Asked before each trial and after each epoch."""
    leave: Callable[[], bool] = lambda: False
    """Asked before each trial: whether this process should make room for a new one."""
    wait: Callable[[], bool] = lambda: False
    """Called where there is nothing to do now: waits until there may be. False: there will not be."""
    ready_at: float | None = None
    """The monotonic second at which everything was imported; the log tells how long the first lease took from there."""


class BadSpace(Exception):
    """A space raised while it was read or built: a mistake in its code, which no other trial would mend."""


def declare(space: Space, bench: Workbench) -> keras_tuner.HyperParameters:
    """The space's hyperparameters with their ranges, without building a network."""
    hp = keras_tuner.HyperParameters()
    space.choices(hp, bench.prepared.spec)
    return hp


class LedgerOracle(keras_tuner.Oracle):
    """KerasTuner's oracle with the ledger as its state."""

    def __init__(self, assignment: Assignment, bench: Workbench, ledger: Ledger, leases: Leases) -> None:
        config = assignment.config
        super().__init__(keras_tuner.Objective(OBJECTIVE, bench.task.direction.value), seed=config.seed + 1)
        self.assignment, self.bench, self.ledger, self.leases = assignment, bench, ledger, leases
        self.verbose = 0
        self.results: dict[str, TrialResult] = {}
        self.failures: dict[str, str] = {}
        self.leased: dict[str, tuple[Trial, Lease]] = {}
        searched = [space for space in bench.spaces.values() if space.name != FLOOR.name]
        dimensions: Dimensions = {space.name: dimensions_of(declare(space, bench)) for space in searched}
        self.rungs: dict[int, int] = {}
        """Passed by each trial of this worker."""
        self.choosing = Choosing(
            bench=bench,
            dimensions=dimensions,
            config=config,
            governor=assignment.governor,
            warm=recall(ledger, assignment.run_id, bench.prepared.spec, bench.task.direction, dimensions),
        )
        self.choosing.rehearse()

    def create_trial(self, tuner_id: str) -> kt_trial.Trial:
        """Leases the next trial in one locked transaction, or says that the search is over."""
        leased = self._lease()
        if leased is None:
            return kt_trial.Trial(keras_tuner.HyperParameters(), status=kt_trial.TrialStatus.STOPPED)
        if not self.leased and self.assignment.ready_at is not None:
            sys.stderr.write(f"leased after {time.monotonic() - self.assignment.ready_at:.2f} s\n")
        hp = keras_tuner.HyperParameters()
        hp.values = dict(leased[0].values)
        trial = kt_trial.Trial(hp, trial_id=str(leased[0].number), status=kt_trial.TrialStatus.RUNNING)
        self.trials[trial.trial_id] = trial
        self.leased[trial.trial_id] = leased
        return trial

    def _lease(self) -> tuple[Trial, Lease] | None:
        if self.assignment.leave():
            return None
        while True:
            leased = self.leases.lease(self.assignment.run_id, self.assignment.worker, self._decide)
            if leased is not None or not self.assignment.wait():
                return leased

    def _decide(self, trials: list[Trial]) -> Proposal | Again | None:
        if trials and self.assignment.stop_requested():
            return None
        return self.choosing.decide(trials)

    def update_trial(self, trial_id: str, metrics: dict[str, Any], step: int = 0) -> None:
        """Writes an epoch. KerasTuner also repeats the final score here; the ledger gets that from `end_trial`."""
        if metrics.keys() == {OBJECTIVE}:
            return
        self.leases.record_epoch(self.leased[trial_id][1], EpochReport(**metrics))

    def verdict(self, lease: Lease, epoch: EpochReport) -> Verdict:
        """Whether a trial that reported may go on."""
        if self.assignment.stop_requested():
            return Verdict.STOP
        before, now = self.rungs.get(lease.number, 0), rungs_passed(epoch)
        self.rungs[lease.number] = now
        if now <= before:  # spares the reading of all others
            return Verdict.CONTINUE
        trials = self.ledger.trials(self.assignment.run_id)
        behind = falls_behind(trials, lease.number, epoch, self.bench.task.direction)
        return Verdict.PRUNE if behind else Verdict.CONTINUE

    def end_trial(self, trial: kt_trial.Trial) -> None:
        """Completes the row, or fails it with the reason."""
        leased, lease = self.leased[trial.trial_id]
        if trial.status == kt_trial.TrialStatus.COMPLETED:
            self.leases.complete(lease, self.results.pop(trial.trial_id))
        else:
            reason = self.failures.pop(trial.trial_id, None) or str(trial.message or "No reason was given.")
            self.leases.fail(leased.run_id, leased.number, reason, lease=lease)


class LedgerTuner(keras_tuner.Tuner):
    """Runs trials until the oracle has no more. Writes no files of its own."""

    oracle: LedgerOracle

    def __init__(self, oracle: LedgerOracle) -> None:
        super().__init__(oracle=oracle, directory=str(oracle.assignment.folder), project_name="tuner")

    def run_trial(self, trial: kt_trial.Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Trains what the oracle leased; once more with half the batch where the memory does not suffice.

        Raises:
            keras_tuner.errors.FatalTypeError: A space's code is wrong; ends the search.
            keras_tuner.errors.FailedTrialError: This configuration does not work.
        """
        leased, lease = self.oracle.leased[trial.trial_id]
        began = time.monotonic()
        try:
            try:
                result = self._train(trial.trial_id, leased, lease)
            except Exception as error:
                if not is_out_of_memory(error) or leased.batch_divisor > 1:
                    raise
                self.oracle.leases.halve_batch(lease)
                forget_checkpoint(self._folder(leased))
                rest = dataclasses.replace(lease, max_seconds=max(1.0, lease.max_seconds - time.monotonic() + began))
                result = self._train(trial.trial_id, dataclasses.replace(leased, batch_divisor=2), rest)
        except (StoreError, BusyError, LeaseLost) as error:  # no other trial could keep its results either
            raise keras_tuner.errors.FatalRuntimeError(str(error)) from error
        except Exception as error:
            reason = why_it_failed(error)
            if reason is not None:
                self.oracle.failures[trial.trial_id] = reason
                raise keras_tuner.errors.FailedTrialError(reason) from error
            message = f"Space {leased.space!r} failed with {leased.values}: {type(error).__name__}: {first_line(error)}"
            with suppress(LeaseLost):
                self.oracle.leases.fail(
                    leased.run_id, leased.number, f"{message}\n{traceback.format_exc()}", lease=lease
                )
            raise keras_tuner.errors.FatalRuntimeError(message) from error
        self.oracle.results[trial.trial_id] = result
        return {OBJECTIVE: result.score}

    def _train(self, trial_id: str, leased: Trial, lease: Lease) -> TrialResult:
        spec = TrialSpec(
            run_id=leased.run_id,
            number=leased.number,
            space=leased.space,
            values=leased.values,
            seed=leased.seed,
            max_seconds=lease.max_seconds,
            folder=str(self._folder(leased)),
            batch_divisor=leased.batch_divisor,
        )

        def report(epoch: EpochReport) -> Verdict:
            self.oracle.update_trial(trial_id, dataclasses.asdict(epoch), epoch.epoch)
            return self.oracle.verdict(lease, epoch)

        governor = self.oracle.assignment.governor
        return run_trial(spec, self.oracle.bench, report, most_seconds=governor.training_seconds)

    def _folder(self, leased: Trial) -> Path:
        return self.oracle.assignment.folder / "trials" / f"{leased.number:04d}"

    def on_trial_begin(self, trial: kt_trial.Trial) -> None:
        """Nothing: the ledger has the row already."""

    def on_trial_end(self, trial: kt_trial.Trial) -> None:
        """Completes or fails the trial. KerasTuner would write its own files here."""
        self.oracle.end_trial(trial)


def search(assignment: Assignment, bench: Workbench, ledger: Ledger, leases: Leases) -> None:
    """Runs trials until time, number or spaces are exhausted, or somebody asks to stop.

    Args:
        assignment: Which run, and until when.
        bench: Data, task and spaces.
        ledger: Tells what was tried.
        leases: Takes every trial and epoch.

    Raises:
        BadSpace: A space's code is wrong.
        LeaseLost: The supervisor took this worker for dead.
        StoreError: The disk is full, or the database cannot be written.
        BusyError: Another process held the database for a minute.
    """
    try:
        LedgerTuner(LedgerOracle(assignment, bench, ledger, leases)).search()
    except keras_tuner.errors.FatalRuntimeError as error:
        if isinstance(error.__cause__, (StoreError, BusyError, LeaseLost)):
            raise error.__cause__ from None
        raise BadSpace(str(error)) from error.__cause__
    finally:
        bench.kept.forget()
        keras.utils.clear_session()
