"""How fast this machine is asked to train: what changes the seconds of a step, and not what is learnt."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.measured import Measured
from records.spec import InputKind
from store.home import Home


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Settings of the training loop that were chosen by measurement.

    They change the last bits of what is learnt, and XLA draws other numbers for dropout: a trial that goes on after a
    break needs the pace that it began with.
    """

    jit_compile: bool = False
    """Compile the step with XLA."""
    prefetch: int = 0
    """Batches that are prepared ahead in a thread; 0: each when it is asked for."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What was found where it was measured, and so need not be tried again by each run."""

    accelerator: bool
    """Whether it is about graphics cards, or about processors."""
    try_from_seconds: float
    """XLA is tried where a trial has so many; `inf`: never."""
    prefetch: dict[InputKind, int]
    """For each kind of input; 0 for those that are not named."""
    why: str


PRIORS = (
    Prior(
        accelerator=False,
        try_from_seconds=math.inf,
        prefetch={},
        why="On two cores XLA took 0.9 to 2.3 times the processor time for recurrent, attention, convolution and dense "
        "networks, 5 to 20 times for a convolution on tokens and a linear head, 7 to 31 times for depthwise "
        "convolutions, and 3 to 8 s to compile each size of batch, which no gain pays back in a trial of minutes. "
        "A batch is ready in less than 3 % of its step, and all cores are busy with that step.",
    ),
    Prior(
        accelerator=True,
        try_from_seconds=300.0,
        prefetch={InputKind.IMAGE: 2},
        why="A graphics card leaves the processor free to mirror and shift the next images. What XLA is worth differs "
        "from card to card, and compiling takes tens of seconds: a short trial has no time for it.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What trying a pace showed."""

    compile_seconds: float
    """Until the first step was done."""
    step_seconds: float

    def steps(self, seconds: float) -> float:
        """That are done in so many seconds."""
        return max(0.0, seconds - self.compile_seconds) / max(self.step_seconds, 1e-9)


def choose_pace(
    key: str, kind: InputKind, max_seconds: float, try_out: Callable[[Pace], Tried], home: Home, accelerator: bool
) -> Pace:
    """The pace that takes the most steps in a trial's time.

    What was tried once on this machine, with these versions of the libraries, is kept in the home folder. Nothing is
    tried where the time is too short, or where it is known that it does not pay.

    Args:
        key: Names everything that the seconds of a step hang on, but the machine and the libraries.
        kind: Of the inputs.
        max_seconds: Of the trial.
        try_out: Trains a few steps of a network like the trial's.
        home: Where the measurements are kept.
        accelerator: Whether steps are computed by a graphics card.
    """
    prior = next(prior for prior in PRIORS if prior.accelerator == accelerator)
    usual = Pace(prefetch=prior.prefetch.get(kind, 0))
    if math.isinf(prior.try_from_seconds):
        return usual
    candidates = (usual, dataclasses.replace(usual, jit_compile=True))
    measured = Measured(home)
    found = [_known(measured, key, pace) for pace in candidates]
    if None in found:
        if max_seconds < prior.try_from_seconds:
            return usual
        found = [_try(measured, key, pace, try_out) for pace in candidates]
    steps = [tried.steps(max_seconds) if tried else 0.0 for tried in found]
    return candidates[steps.index(max(steps))]


def _name(key: str, pace: Pace) -> str:
    return f"pace {key} {'XLA' if pace.jit_compile else 'plain'}"


def _known(measured: Measured, key: str, pace: Pace) -> Tried | None:
    figures = measured.get(_name(key, pace)) or {}
    try:
        return Tried(**{name: float(figures[name]) for name in ("compile_seconds", "step_seconds")})
    except (KeyError, TypeError, ValueError):
        return None


def _try(measured: Measured, key: str, pace: Pace, try_out: Callable[[Pace], Tried]) -> Tried | None:
    """`None` where it does not work: some operations cannot be compiled, some compilations do not fit the memory."""
    try:
        tried = try_out(pace)
    except Exception:
        if not pace.jit_compile:
            raise
        tried = Tried(compile_seconds=1e9, step_seconds=1e9)
    measured.put(_name(key, pace), dataclasses.asdict(tried))
    return tried
