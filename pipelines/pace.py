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
    policy: str | None = None
    """Of the layers while they are trained, as `pipelines.precision` has it; `None`: single precision."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What was found where it was measured, and so need not be tried again by each run."""

    accelerator: bool
    """Whether it is about graphics cards, or about processors."""
    try_from_seconds: float
    """Other paces than the usual one are tried where a trial has so many; `inf`: never."""
    prefetch: dict[InputKind, int]
    """For each kind of input; 0 for those that are not named."""
    policies: dict[InputKind, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """That are tried beside single precision, for each kind of input."""
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
        policies={InputKind.IMAGE: ("mixed_bfloat16",), InputKind.TEXT: ("mixed_bfloat16",)},
        why="A graphics card leaves the processor free to mirror and shift the next images. What XLA and half "
        "precision are worth differs from card to card and from network to network, and compiling takes tens of "
        "seconds: a short trial has no time for it. Of the two half precisions bfloat16 has float32's range, so that "
        "no gradient becomes 0 and no loss must be scaled; cards that lack it are slow with it, and keep float32. So "
        "do rows, series and futures: numbers in units of their own, of which three digits would be left.",
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
    key: str,
    kind: InputKind,
    max_seconds: float,
    try_out: Callable[[Pace], Tried],
    home: Home,
    accelerator: bool,
    always_compiled: bool = False,
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
        always_compiled: Whether XLA compiles every step, as on JAX: then there is no choice of it.
    """
    prior = next(prior for prior in PRIORS if prior.accelerator == accelerator)
    usual = Pace(prefetch=prior.prefetch.get(kind, 0))
    if math.isinf(prior.try_from_seconds):
        return usual
    candidates = candidates_of(usual, prior.policies.get(kind, ()), always_compiled)
    measured = Measured(home)
    found = [_known(measured, key, pace) for pace in candidates]
    if None in found:
        if max_seconds < prior.try_from_seconds:
            return usual
        found = [_try(measured, key, pace, try_out) for pace in candidates]
    steps = [tried.steps(max_seconds) if tried else 0.0 for tried in found]
    return candidates[steps.index(max(steps))]


def candidates_of(usual: Pace, policies: tuple[str, ...], always_compiled: bool) -> tuple[Pace, ...]:
    """The paces that are compared, the usual one first. Half precision pays where XLA fuses what converts it, so the
    two are tried together."""
    compiled = usual if always_compiled else dataclasses.replace(usual, jit_compile=True)
    plain = () if always_compiled else (usual,)
    return (*plain, compiled, *(dataclasses.replace(compiled, policy=policy) for policy in policies))


def _name(key: str, pace: Pace) -> str:
    return f"pace {key} {'XLA' if pace.jit_compile else 'plain'}{f' {pace.policy}' if pace.policy else ''}"


def _known(measured: Measured, key: str, pace: Pace) -> Tried | None:
    figures = measured.get(_name(key, pace)) or {}
    try:
        return Tried(**{name: float(figures[name]) for name in ("compile_seconds", "step_seconds")})
    except (KeyError, TypeError, ValueError):
        return None


def _try(measured: Measured, key: str, pace: Pace, try_out: Callable[[Pace], Tried]) -> Tried | None:
    """What cannot be compiled, does not fit the memory, or gives no finite loss is slower than everything."""
    try:
        tried = try_out(pace)
    except Exception:
        if not (pace.jit_compile or pace.policy):
            raise
        tried = Tried(compile_seconds=1e9, step_seconds=1e9)
    measured.put(_name(key, pace), dataclasses.asdict(tried))
    return tried
