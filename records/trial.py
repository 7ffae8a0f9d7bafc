"""One attempt of the search: what was tried, how it was trained, how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from records.task import Direction

Values = dict[str, Any]
"""Hyperparameters by name: strings, booleans, integers and floats only."""


class TrialState(StrEnum):
    """Where a trial stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        return self is not TrialState.RUNNING


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to train one network; chosen by hyperparameters, like the network."""

    optimizer: str = "adamw"
    """"adamw" or "sgd" (Nesterov momentum 0.9)."""
    learning_rate: float = 1e-3
    """Peak, after the warm-up."""
    weight_decay: float = 0.0
    """Decoupled; not on biases, norms and other vectors."""
    batch_size: int = 32
    max_epochs: int = 30
    """Upper bound; the cosine ends earlier where the time allows fewer."""
    warmup_fraction: float = 0.05
    """Part of all steps in which the learning rate rises from 0."""
    label_smoothing: float = 0.0
    patience: int = 8
    """Epochs without a better validation score, or a lower loss at the same score, before training stops."""
    flip: bool = False
    """Mirror half of the training images left to right."""
    crop_fraction: float = 0.0
    """Largest shift of a training image, as a part of its side; edges are reflected."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialSpec:
    """The message that a worker gets. Everything `run_trial` needs besides the data."""

    run_id: str
    number: int
    space: str
    values: Values
    seed: int
    max_seconds: float
    """The trial lays its schedule out so that it ends within this time, and stops training when it is over."""
    folder: str
    """Where its best weights and validation predictions go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochReport:
    """What a trial says at the end of each epoch."""

    epoch: int
    """Counted from 1."""
    score: float
    """The objective on the validation split."""
    train_loss: float
    val_loss: float
    seconds: float
    """Since the trial began."""


class Verdict(StrEnum):
    """The answer to a report."""

    CONTINUE = "continue"
    STOP = "stop"


Report = Callable[[EpochReport], Verdict]
"""The only wire between a trial and whoever runs it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialResult:
    """What a finished trial gives back. Its best weights and validation predictions lie in `folder`."""

    score: float
    best_step: int
    """Optimizer steps done when the best score was seen; 0 for a model that needed no training."""
    steps: int
    planned_steps: int
    """The steps that the learning rate's schedule was laid out for."""
    steps_per_epoch: int
    seconds: float
    """The whole trial, features and saving included."""
    train_seconds: float
    """The training loop alone."""
    predict_seconds: float
    """For one example, in batches."""
    num_parameters: int
    """Of the whole network, a frozen backbone included."""
    peak_memory_bytes: int
    """The largest resident size of the worker so far."""
    loss: float = 0.0
    """Mean loss on the validation split at the best step: tells two trials of equal score apart."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Every metric of the task on the validation split, at the best epoch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A row of the ledger."""

    run_id: str
    number: int
    space: str
    values: Values
    state: TrialState
    seed: int
    score: float | None = None
    error: str | None = None
    result: TrialResult | None = None
    epochs: tuple[EpochReport, ...] = ()


def best_trial(trials: Sequence[Trial], direction: Direction) -> Trial | None:
    """The completed trial with the best score; of equals the one with the lower loss, then the earlier one."""
    sign = 1.0 if direction is Direction.MAX else -1.0
    done = [trial for trial in trials if trial.state is TrialState.COMPLETED and trial.score is not None]
    return max(done, key=lambda trial: (sign * (trial.score or 0.0), -_loss(trial), -trial.number), default=None)


def _loss(trial: Trial) -> float:
    return 0.0 if trial.result is None else trial.result.loss


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One call of `kerasmith run`."""

    id: str
    name: str
    """Of the model that it makes."""
    state: RunState
    config: dict[str, Any]
    """The `RunConfig`, as JSON."""
    task: str
    objective: str
    started_at: str
    """ISO 8601, UTC."""
    ended_at: str | None = None
    data_fingerprint: str | None = None
    model: str | None = None
    """`name:version` of what it registered."""
    error: str | None = None
    process_id: int | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    """Figures and seconds of each step, for `show`."""
