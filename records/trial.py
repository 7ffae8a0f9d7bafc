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

    WAITING = "waiting"
    """Its worker is gone. It is leased again, and goes on from its checkpoint."""
    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    """Ended early, since others were ahead. Its score and its weights count like any other's."""
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        return self not in (TrialState.WAITING, TrialState.RUNNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to train one network; chosen by hyperparameters, like the network. The defaults of all parts are "off"."""

    optimizer: str = "adamw"
    """"adamw", "sgd" (Nesterov momentum 0.9), "lion" or "muon"; see `pipelines.optimizers`."""
    learning_rate: float = 1e-3
    """Peak, after the warm-up."""
    schedule: str = "cosine"
    """"cosine" or "one_cycle"; see `pipelines.timetable`."""
    weight_decay: float = 0.0
    """Decoupled (this is the L2 of the recipe); not on biases, norms and other vectors."""
    l1_decay: float = 0.0
    """Decoupled too: at a learning rate of 1 each decayed weight would come nearer to 0 by so much in each step."""
    clip_norm: float = 0.0
    """Largest norm of all gradients together; 0: they are taken as they are."""
    ema_decay: float = 0.0
    """Of the running average of the weights, which is then what is validated and kept; 0: no average."""
    batch_size: int = 32
    max_epochs: int = 30
    """Upper bound; the schedule ends earlier where the time allows fewer."""
    warmup_fraction: float = 0.05
    """Part of all steps in which the learning rate rises."""
    label_smoothing: float = 0.0
    patience: int = 8
    """Epochs without a better validation score, or a lower loss at the same score, before training stops."""
    balance: float = 0.0
    """Of n examples of a class n^(1 - balance) are seen: 0 takes the classes as they are, 1 each equally often."""
    flip: bool = False
    """Mirror half of the training images left to right."""
    crop_fraction: float = 0.0
    """Largest shift of a training image, as a part of its side; edges are reflected."""
    rand_augment: float = 0.0
    """Strength of two random changes of each training image, from 0 to 1."""
    mixup_alpha: float = 0.0
    """Of the beta distribution of the shares in which two images and their answers are mixed; 0: none are."""
    cutmix_alpha: float = 0.0
    """The same for a rectangle of one image that is put into another. With both each batch has one of the two."""
    token_dropout: float = 0.0
    """Part of the tokens of a training text that are left out."""
    jitter: float = 0.0
    """Standard deviation of noise on a series' scaled values."""
    scaling: float = 0.0
    """Standard deviation of the factor, around 1, of each channel of a series."""
    window_warp: float = 0.0
    """Part of a series that passes at half or twice its speed."""
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
    """Where its checkpoint, its best weights and its validation predictions go."""
    batch_divisor: int = 1
    """The recipe's batch size is divided by this: 2 after the memory did not suffice once."""


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
    """End now; what there is counts."""
    PRUNE = "prune"
    """End now, since others are ahead."""


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
    pruned: bool = False
    """It was told to stop before its schedule ended, since others were ahead."""
    graph_reused: bool = False
    """It trained on the compiled graph of an earlier trial."""
    resumed_at_step: int = 0
    """The optimizer step of the checkpoint that it went on from; 0: it began anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """The next trial, as the search decides it."""

    space: str
    values: Values
    seed: int
    max_seconds: float
    origin: str = ""
    """Why it is tried, in a few words for people: "floor", "portfolio: ...", "tpe"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """A waiting trial is to be taken up again."""

    number: int
    max_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Who trains a trial now."""

    run_id: str
    number: int
    worker: str
    """The worker's own name, new for each process."""
    max_seconds: float
    """That the trial was given at this lease."""
    beat: int
    """Grows while the worker lives."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A row of the ledger."""

    run_id: str
    number: int
    space: str
    values: Values
    state: TrialState
    seed: int
    origin: str = ""
    """As `Proposal.origin`."""
    attempt: int = 1
    """Counts the workers that were given it; one that died with its supervisor does not count."""
    batch_divisor: int = 1
    """As `TrialSpec.batch_divisor`."""
    score: float | None = None
    error: str | None = None
    result: TrialResult | None = None
    epochs: tuple[EpochReport, ...] = ()

    @property
    def scored(self) -> bool:
        """It ended with a score: to its planned end, or pruned."""
        return self.state in (TrialState.COMPLETED, TrialState.PRUNED) and self.score is not None


def best_trial(trials: Sequence[Trial], direction: Direction) -> Trial | None:
    """The trial with the best score; of equals the one with the lower loss, then the earlier one."""
    sign = 1.0 if direction is Direction.MAX else -1.0
    done = [trial for trial in trials if trial.scored]
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
    used_seconds: float = 0.0
    """Of the budget, by all the processes that worked on it so far."""
    summary: dict[str, Any] = field(default_factory=dict)
    """Figures and seconds of each step, for `show`."""
