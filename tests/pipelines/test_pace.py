"""What is fastest is tried once, where there is time for it, and kept."""

import pytest

from pipelines.pace import PRIORS, Pace, Tried, choose_pace
from records.data import InputKind
from store.home import Home

PLAIN, XLA = Pace(), Pace(jit_compile=True)
HALF = Pace(jit_compile=True, policy="mixed_bfloat16")


class Machine:
    """Tells how long steps take, and what it was asked."""

    def __init__(
        self, plain: float, xla: float | Exception, compile_seconds: float = 20.0, half: float | Exception = 9.0
    ) -> None:
        self.plain, self.xla, self.compile_seconds, self.half = plain, xla, compile_seconds, half
        self.asked: list[Pace] = []

    def __call__(self, pace: Pace) -> Tried:
        self.asked.append(pace)
        if not pace.jit_compile:
            return Tried(compile_seconds=1.0, step_seconds=self.plain)
        seconds = self.half if pace.policy else self.xla
        if isinstance(seconds, Exception):
            raise seconds
        return Tried(compile_seconds=self.compile_seconds, step_seconds=seconds)


def choose(home: Home, machine: Machine, seconds: float = 600.0, key: str = "gru", accelerator: bool = True) -> Pace:
    return choose_pace(key, InputKind.TEXT, seconds, machine, home, accelerator)


@pytest.mark.parametrize(("plain", "xla", "expected"), [(0.1, 0.05, XLA), (0.1, 0.2, PLAIN), (0.1, 0.0999, PLAIN)])
def test_the_pace_with_the_most_steps_is_taken(plain: float, xla: float, expected: Pace, home: Home) -> None:
    assert choose(home, Machine(plain, xla)) == expected


def test_what_was_tried_is_not_tried_again(home: Home) -> None:
    machine = Machine(0.1, 0.05)
    assert choose(home, machine) == choose(home, machine) == XLA
    assert machine.asked == [PLAIN, XLA, HALF]
    assert choose(home, Machine(0.1, 0.2), key="lstm") == PLAIN


def test_a_short_trial_tries_nothing_but_uses_what_is_known(home: Home) -> None:
    machine = Machine(0.1, 0.05)
    assert choose(home, machine, seconds=100.0) == PLAIN
    assert machine.asked == []
    choose(home, machine)
    assert choose(home, machine, seconds=100.0) == XLA
    assert choose(home, machine, seconds=30.0) == PLAIN, "compiling would take most of it"


def test_what_cannot_be_compiled_is_left_alone(home: Home) -> None:
    machine = Machine(0.1, RuntimeError("unsupported operation"))
    assert choose(home, machine) == choose(home, machine) == PLAIN
    assert machine.asked == [PLAIN, XLA, HALF]
    with pytest.raises(RuntimeError):
        choose_pace("bad", InputKind.TEXT, 600.0, broken, home, accelerator=True)


def broken(pace: Pace) -> Tried:
    raise RuntimeError("a mistake in the space")


@pytest.mark.parametrize("kind", InputKind)
def test_processors_try_nothing(kind: InputKind, home: Home) -> None:
    machine = Machine(0.1, 0.01)
    assert choose_pace("any", kind, 1e6, machine, home, accelerator=False) == PLAIN
    assert machine.asked == []


def test_images_are_made_ahead_for_a_graphics_card(home: Home) -> None:
    machine = Machine(0.1, 0.05)
    assert choose_pace("cnn", InputKind.IMAGE, 10.0, machine, home, accelerator=True) == Pace(prefetch=2)
    assert choose_pace("cnn", InputKind.IMAGE, 900.0, machine, home, accelerator=True) == Pace(
        prefetch=2, jit_compile=True
    )


@pytest.mark.parametrize(
    ("half", "expected"), [(0.02, HALF), (0.2, XLA), (FloatingPointError("The loss became nan"), XLA)]
)
def test_half_precision_is_kept_where_it_is_faster_and_finite(
    half: float | Exception, expected: Pace, home: Home
) -> None:
    assert choose(home, Machine(0.1, 0.05, half=half)) == expected
    assert choose(home, Machine(0.1, 0.01)) == expected, "what was tried is kept"


@pytest.mark.parametrize("kind", [InputKind.TABLE, InputKind.SERIES, InputKind.FORECAST])
def test_numbers_in_units_of_their_own_keep_single_precision(kind: InputKind, home: Home) -> None:
    machine = Machine(0.1, 0.05, half=0.001)
    assert choose_pace("rows", kind, 600.0, machine, home, accelerator=True) == XLA
    assert HALF not in machine.asked


def test_what_is_always_compiled_has_no_choice_of_it(home: Home) -> None:
    """On JAX. Single and half precision are compared."""
    asked: list[Pace] = []

    def machine(pace: Pace) -> Tried:
        asked.append(pace)
        return Tried(compile_seconds=20.0, step_seconds=0.02 if pace.policy else 0.05)

    found = choose_pace("cnn", InputKind.TEXT, 600.0, machine, home, accelerator=True, always_compiled=True)
    assert asked == [Pace(), Pace(policy="mixed_bfloat16")] and found == asked[1]


def test_each_prior_says_why() -> None:
    assert {prior.accelerator for prior in PRIORS} == {True, False}
    assert all(prior.why.endswith(".") for prior in PRIORS)
