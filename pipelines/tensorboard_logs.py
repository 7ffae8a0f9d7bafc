"""The search as TensorBoard shows it: curves of every trial, and a table of hyperparameters and scores (HParams).

Written from the ledger's rows by the process that supervises, so a worker spends nothing on it, and with TensorBoard's
own messages and record format alone: its summary writers load TensorFlow, which costs seconds and 300 MB. Whoever
opens the folder anew, as a resumed run does, writes everything again, so that nothing stands there twice.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.reporting.states import kind_of
from records.task import METRICS
from records.trial import EpochReport, Trial, TrialState

LOGS = "tensorboard"
"""Their folder, inside the run's."""
EVERY_SECONDS = 10.0
"""Between two writings while a search goes on."""
FILE = "events.out.tfevents.0000000000.kerasmith"
"""TensorBoard reads files whose names hold `tfevents`."""
FIRST_EVENT = "brain.Event:2"
TRAIN_LOSS, VAL_LOSS, EPOCHS, SECONDS = "loss/train", "loss/validation", "trial/epochs", "trial/seconds"


@dataclass
class _Written:
    """What stands in a trial's file."""

    began: float
    """The second of the wall clock at which the trial is said to have begun; the ledger does not know it."""
    epochs: tuple[tuple[int, float, float], ...] = ()
    """As `_told` makes them."""
    ended: bool = False


class BoardLogs:
    """The logs of one run. Nothing that goes wrong with them ends the run: they are then left as they are."""

    def __init__(self, folder: Path, objective: str) -> None:
        """Removes what an earlier process wrote into `folder`, which `tensorboard --logdir` is to be given.

        Args:
            folder: Of the logs alone; made with the first trial.
            objective: What trials are scored by, a name in `METRICS`.
        """
        self.folder = folder
        self.problem = ""
        """Why nothing is written any more; empty while all is well."""
        self._objective = objective
        self._written: dict[int, _Written] = {}
        self._next = -math.inf
        self._safely(self._clear)

    def update(self, trials: Sequence[Trial], at_once: bool = False) -> None:
        """Writes what is new. May be called all the time: it looks at `trials` every ten seconds only.

        Args:
            trials: All of the run so far, as the ledger has them.
            at_once: Write now, as at the end of the search.
        """
        if self.problem or not (at_once or time.monotonic() >= self._next):
            return
        self._next = time.monotonic() + EVERY_SECONDS
        self._safely(lambda: self._write(trials))

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # a full disk, another version of TensorBoard: curves are no reason to lose a run
            self.problem = f"TensorBoard's logs in {self.folder} could not be written: {error}"

    def _clear(self) -> None:
        for path in self.folder.glob(f"*/{FILE}"):
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()

    def _write(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            written = self._written.get(trial.number)
            if written is None:
                if not trial.epochs and not trial.state.finished:
                    continue
                written = self._begin(trial)
            if not written.ended:
                self._add(trial, written)

    def _begin(self, trial: Trial) -> _Written:
        spent = trial.epochs[-1].seconds if trial.epochs else 0.0
        self._written[trial.number] = written = _Written(began=time.time() - spent)
        folder = self.folder / folder_name(trial)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_bytes(b"")
        self._append(trial, [_first(written.began), _session_start(trial, written.began)])
        return written

    def _add(self, trial: Trial, written: _Written) -> None:
        told = tuple(_told(report) for report in trial.epochs)
        pairs = enumerate(zip(told, written.epochs, strict=False))
        known = next((i for i, (new, old) in pairs if new != old), min(len(told), len(written.epochs)))
        events = []
        if known < len(written.epochs):  # it began again, or went on from a checkpoint: this replaces what was told
            events.append(_restart(written.began, known + 1))
        events += [_epoch(one, self._objective, written.began) for one in trial.epochs[known:]]
        if trial.state.finished:
            events += _end(trial, self._objective, written.began)
        if events:
            self._append(trial, events)
        written.epochs, written.ended = told, trial.state.finished

    def _append(self, trial: Trial, events: Sequence[Any]) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        with (self.folder / folder_name(trial) / FILE).open("ab") as file:
            writer = RecordWriter(file)
            for event in events:
                writer.write(event.SerializeToString())


def folder_name(trial: Trial) -> str:
    """What TensorBoard calls the trial: 0007-cnn."""
    space = "".join(letter if letter.isalnum() or letter in "_-." else "_" for letter in trial.space)
    return f"{trial.number:04d}-{space}"


def hyperparameters(trial: Trial) -> dict[str, Any]:
    """The columns of the HParams table: space, origin, and each value by its name without the space's.

    So learning rates of all spaces stand in one column. Where two of one trial would get the same name, both keep
    their whole names.
    """
    names = Counter(_last(name) for name in trial.values)
    values = {_last(name) if names[_last(name)] == 1 else name: value for name, value in trial.values.items()}
    return {"space": trial.space, "origin": kind_of(trial)} | values


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _told(report: EpochReport) -> tuple[int, float, float]:
    """What tells one epoch from another; a loss may be NaN, which equals nothing."""
    return report.epoch, report.score, report.seconds


def _first(moment: float) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=moment, file_version=FIRST_EVENT)


def _restart(moment: float, step: int) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    return Event(wall_time=moment, step=step, session_log=SessionLog(status=SessionLog.START))


def _scalars(moment: float, step: int, values: dict[str, float]) -> Any:
    """One event with every value that is finite: NaN would tear its curve."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    told = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items() if math.isfinite(value)]
    return Event(wall_time=moment, step=step, summary=Summary(value=told))


def _epoch(report: EpochReport, objective: str, began: float) -> Any:
    values = {f"score/{objective}": report.score, TRAIN_LOSS: report.train_loss, VAL_LOSS: report.val_loss}
    return _scalars(began + report.seconds, report.epoch, values)


def _end(trial: Trial, objective: str, began: float) -> list[Any]:
    """The trial's own score, which HParams takes for its result, and whether it has one."""
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    seconds = trial.result.seconds if trial.result else trial.epochs[-1].seconds if trial.epochs else 0.0
    values = {EPOCHS: float(len(trial.epochs)), SECONDS: seconds}
    if trial.score is not None:
        values |= {f"best/{objective}": trial.score}
        others = trial.result.metrics if trial.result else {}
        values |= {f"best/{name}": value for name, value in others.items() if name in METRICS}
    status = api_pb2.STATUS_FAILURE if trial.state is TrialState.FAILED else api_pb2.STATUS_SUCCESS
    over = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=began + seconds)
    scalars = _scalars(began + seconds, len(trial.epochs), values)
    return [scalars, _hparams_event(began + seconds, "session_end_info", over)]


def _session_start(trial: Trial, began: float) -> Any:
    from tensorboard.plugins.hparams import plugin_data_pb2

    started = plugin_data_pb2.SessionStartInfo(group_name=folder_name(trial), start_time_secs=began)
    for name, value in hyperparameters(trial).items():
        if isinstance(value, bool):
            started.hparams[name].bool_value = value
        elif isinstance(value, (int, float)):
            started.hparams[name].number_value = value
        else:
            started.hparams[name].string_value = str(value)
    return _hparams_event(began, "session_start_info", started)


def _hparams_event(moment: float, what: str, message: Any) -> Any:
    """As `tensorboard.plugins.hparams.summary` makes it, without TensorFlow."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    data = plugin_data_pb2.HParamsPluginData(**{what: message})
    told = metadata.create_summary_metadata(data)
    value = Summary.Value(tag=f"_hparams_/{what}", metadata=told, tensor=metadata.NULL_TENSOR)
    return Event(wall_time=moment, summary=Summary(value=[value]))
