"""The search inside one worker: KerasTuner runs it, Optuna proposes, the ledger remembers.

The only file that names KerasTuner. Its oracle keeps no state of its own: every method reads or writes the ledger,
so a worker that is killed loses nothing but the trial that it was training.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine import trial as kt_trial

from pipelines.features import TooSlow
from pipelines.governor import Governor
from pipelines.proposals import Dimension, Dimensions, suggest
from pipelines.stopping import GRACE_SHARE, hopeless
from pipelines.train import NotFinite
from pipelines.trial import Workbench, run_trial
from records.config import RunConfig
from records.errors import StoreError
from records.trial import EpochReport, Trial, TrialResult, TrialSpec, Values, Verdict, best_trial
from search_spaces.floor import FLOOR
from search_spaces.portfolio import portfolio
from search_spaces.space import Replay, Space
from store.ledger import Ledger

OBJECTIVE = "score"


class BadSpace(Exception):
    """A space raised while it was read or built: a mistake in its code, which no other trial would mend."""


def declare(space: Space, bench: Workbench) -> keras_tuner.HyperParameters:
    """The space's hyperparameters with their ranges, without building a network."""
    hp = keras_tuner.HyperParameters()
    space.choices(hp, bench.prepared.spec)
    return hp


def dimensions_of(hp: keras_tuner.HyperParameters) -> list[Dimension]:
    """KerasTuner's hyperparameters as the proposing algorithm sees them; fixed ones are left out."""
    found = []
    for parameter in hp.space:
        if isinstance(parameter, keras_tuner.engine.hyperparameters.Fixed):
            continue
        categorical = isinstance(
            parameter, (keras_tuner.engine.hyperparameters.Choice, keras_tuner.engine.hyperparameters.Boolean)
        )
        found.append(
            Dimension(
                name=parameter.name,
                choices=tuple(parameter.values) if categorical else None,
                to_value=parameter.prob_to_value,
                to_unit=parameter.value_to_prob,
            )
        )
    return found


def next_configuration(
    bench: Workbench, dimensions: Dimensions, trials: Sequence[Trial], seed: int
) -> tuple[str, Values] | None:
    """The floor first, then the portfolio, then what the estimator proposes; `None` when all was tried."""
    if not trials:
        return FLOOR.name, {}
    tried = [(trial.space, trial.values) for trial in trials]
    for entry in portfolio(bench.prepared.spec, set(dimensions)):
        replay = Replay(entry.values)
        bench.spaces[entry.space].choices(replay, bench.prepared.spec)
        if (entry.space, replay.values) not in tried:
            return entry.space, replay.values
    return suggest(dimensions, trials, bench.task.direction, seed) if dimensions else None


class LedgerOracle(keras_tuner.Oracle):
    """KerasTuner's oracle with the ledger as its state."""

    def __init__(
        self,
        run_id: str,
        ledger: Ledger,
        bench: Workbench,
        config: RunConfig,
        governor: Governor,
        stop_requested: Callable[[], bool],
    ) -> None:
        super().__init__(keras_tuner.Objective(OBJECTIVE, bench.task.direction.value), seed=config.seed + 1)
        self.run_id, self.ledger, self.bench = run_id, ledger, bench
        self.config, self.governor, self.stop_requested = config, governor, stop_requested
        self.verbose = 0
        self.results: dict[str, TrialResult] = {}
        self.failures: dict[str, str] = {}
        self.leased: dict[str, tuple[Trial, float]] = {}
        searched = [space for space in bench.spaces.values() if space.name != FLOOR.name]
        self.dimensions: Dimensions = {space.name: dimensions_of(declare(space, bench)) for space in searched}

    def create_trial(self, tuner_id: str) -> kt_trial.Trial:
        """Leases the next trial in one locked transaction, or says that the search is over."""
        seconds: list[float] = []

        def decide(trials: list[Trial]) -> tuple[str, Values, int] | None:
            allowed = self.governor.next_trial_seconds(trials, best_trial(trials, self.bench.task.direction))
            enough = self.config.max_trials is not None and len(trials) >= self.config.max_trials
            if allowed is None or enough or (trials and self.stop_requested()):
                return None
            configuration = next_configuration(self.bench, self.dimensions, trials, self.config.seed)
            if configuration is None:
                return None
            seconds.append(allowed)
            return *configuration, self.config.seed + len(trials)

        leased = self.ledger.propose(self.run_id, decide)
        if leased is None:
            return kt_trial.Trial(keras_tuner.HyperParameters(), status=kt_trial.TrialStatus.STOPPED)
        hp = keras_tuner.HyperParameters()
        hp.values = dict(leased.values)
        trial = kt_trial.Trial(hp, trial_id=str(leased.number), status=kt_trial.TrialStatus.RUNNING)
        self.trials[trial.trial_id] = trial
        self.leased[trial.trial_id] = (leased, seconds[0])
        return trial

    def update_trial(self, trial_id: str, metrics: dict[str, Any], step: int = 0) -> None:
        """Writes an epoch. KerasTuner also repeats the final score here; the ledger gets that from `end_trial`."""
        if metrics.keys() == {OBJECTIVE}:
            return
        self.ledger.record_epoch(self.run_id, int(trial_id), EpochReport(**metrics))

    def verdict(self, number: int, epoch: EpochReport, max_seconds: float) -> Verdict:
        """Whether a trial that reported may go on."""
        if self.stop_requested():
            return Verdict.STOP
        if epoch.seconds < GRACE_SHARE * max_seconds:  # spares a short trial the reading of all others
            return Verdict.CONTINUE
        trials = self.ledger.trials(self.run_id)
        ends = hopeless(trials, number, epoch, max_seconds, self.bench.task.direction)
        return Verdict.STOP if ends else Verdict.CONTINUE

    def end_trial(self, trial: kt_trial.Trial) -> None:
        """Completes the row, or fails it with the reason."""
        number = int(trial.trial_id)
        if trial.status == kt_trial.TrialStatus.COMPLETED:
            self.ledger.complete_trial(self.run_id, number, self.results.pop(trial.trial_id))
        else:
            reason = self.failures.pop(trial.trial_id, None) or str(trial.message or "No reason was given.")
            self.ledger.fail_trial(self.run_id, number, reason)


class LedgerTuner(keras_tuner.Tuner):
    """Runs trials until the oracle has no more. Writes no files of its own."""

    oracle: LedgerOracle

    def __init__(self, oracle: LedgerOracle, folder: Path) -> None:
        self.folder = folder
        super().__init__(oracle=oracle, directory=str(folder), project_name="tuner")

    def run_trial(self, trial: kt_trial.Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Trains what the oracle leased.

        Raises:
            keras_tuner.errors.FatalTypeError: A space's code is wrong; ends the search.
            keras_tuner.errors.FailedTrialError: This configuration does not work.
        """
        leased, seconds = self.oracle.leased[trial.trial_id]
        spec = TrialSpec(
            run_id=leased.run_id,
            number=leased.number,
            space=leased.space,
            values=leased.values,
            seed=leased.seed,
            max_seconds=seconds,
            folder=str(self.folder / "trials" / f"{leased.number:04d}"),
        )

        def report(epoch: EpochReport) -> Verdict:
            self.oracle.update_trial(trial.trial_id, asdict(epoch), epoch.epoch)
            return self.oracle.verdict(leased.number, epoch, seconds)

        try:
            result = run_trial(spec, self.oracle.bench, report)
        except StoreError as error:  # no other trial could keep its results either
            raise keras_tuner.errors.FatalRuntimeError(str(error)) from error
        except Exception as error:
            reason = why_it_failed(error)
            if reason is not None:
                self.oracle.failures[trial.trial_id] = reason
                raise keras_tuner.errors.FailedTrialError(reason) from error
            message = f"Space {leased.space!r} failed with {leased.values}: {type(error).__name__}: {first_line(error)}"
            self.oracle.ledger.fail_trial(leased.run_id, leased.number, f"{message}\n{traceback.format_exc()}")
            raise keras_tuner.errors.FatalRuntimeError(message) from error
        self.oracle.results[trial.trial_id] = result
        return {OBJECTIVE: result.score}

    def on_trial_begin(self, trial: kt_trial.Trial) -> None:
        """Nothing: the ledger has the row already."""

    def on_trial_end(self, trial: kt_trial.Trial) -> None:
        """Completes or fails the trial. KerasTuner would write its own files here."""
        self.oracle.end_trial(trial)


def why_it_failed(error: BaseException) -> str | None:
    """A sentence when these values do not work but others may; `None` for a mistake in the code."""
    if isinstance(error, (NotFinite, TooSlow)):
        return str(error)
    out_of_memory = "ResourceExhausted" in type(error).__name__ or "RESOURCE_EXHAUSTED" in str(error)
    if isinstance(error, MemoryError) or out_of_memory:
        return f"Out of memory. {first_line(error)}".strip()
    return None


def first_line(error: BaseException) -> str:
    """The first line of what it says, at most 300 characters."""
    return (str(error).strip().splitlines() or [""])[0][:300]


def search(
    run_id: str,
    ledger: Ledger,
    bench: Workbench,
    config: RunConfig,
    governor: Governor,
    folder: Path,
    stop_requested: Callable[[], bool],
) -> None:
    """Runs trials until time, number or spaces are exhausted, or somebody asks to stop.

    Args:
        run_id: The run in the ledger.
        ledger: Takes every trial and epoch.
        bench: Data, task and spaces.
        config: Gives the seed and the number of trials.
        governor: The clock.
        folder: Of the run; each trial gets a folder below it.
        stop_requested: Asked before each trial and after each epoch.

    Raises:
        BadSpace: A space's code is wrong.
        StoreError: The disk is full, or the database cannot be written.
    """
    oracle = LedgerOracle(run_id, ledger, bench, config, governor, stop_requested)
    try:
        LedgerTuner(oracle, folder).search()
    except keras_tuner.errors.FatalRuntimeError as error:
        if isinstance(error.__cause__, StoreError):
            raise error.__cause__ from None
        raise BadSpace(str(error)) from error.__cause__
    finally:
        keras.utils.clear_session()
