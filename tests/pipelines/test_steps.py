"""Steps that share a call are the steps that they would be alone, and they share it only where they are short."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from pipelines.steps import MOST_STEPS, Batch, StepsPerCall, train_function


def make_view(jit_compile: bool = False, dropout_rate: float = 0.3) -> keras.Model:
    """With what has a state of its own: dropout's random numbers, and running averages."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((7,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(6, activation="relu")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dropout(dropout_rate)(x)))
    model.compile(keras.optimizers.AdamW(0.1), "mse", jit_compile=jit_compile)
    model.optimizer.build(model.trainable_variables)
    return model


def make_batches() -> list[Batch]:
    """Of two sizes, as at the end of a pass."""
    random = np.random.default_rng(2)
    sizes = (8, 8, 8, 5, 8, 8, 5, 5)
    return [(random.normal(size=(n, 7)).astype("f"), random.normal(size=(n, 3)).astype("f")) for n in sizes]


RATES = [0.01 * (i + 1) for i in range(8)]


def state(view: keras.Model) -> list[np.ndarray]:
    return [np.asarray(keras.ops.convert_to_numpy(v)) for v in (*view.variables, *view.optimizer.variables)]


def trained(per_call: int, jit_compile: bool = False, dropout_rate: float = 0.3) -> tuple[list[np.ndarray], float]:
    view, batches = make_view(jit_compile, dropout_rate), make_batches()
    train, loss = train_function(view, batches[0], jit_compile), 0.0
    for start in range(0, len(batches), per_call):
        loss = float(train(batches[start : start + per_call], RATES[start : start + per_call]))
    return state(view), loss


@pytest.mark.parametrize("per_call", [2, 3, 8])
def test_the_same_is_learnt_bit_for_bit(per_call: int) -> None:
    (expected, loss), (found, together) = trained(1), trained(per_call)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert together == loss


def test_it_is_what_keras_learns_step_by_step() -> None:
    view, losses = make_view(), []
    for (inputs, targets), rate in zip(make_batches(), RATES, strict=True):
        view.optimizer.learning_rate = rate
        losses.append(float(view.train_on_batch(inputs, targets)))
    found, loss = trained(8)
    for one, other in zip(found, state(view), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    sizes = [len(inputs) for inputs, _ in make_batches()]
    assert loss == pytest.approx(np.average(losses, weights=sizes), rel=1e-4), "the mean since the metrics were reset"


@pytest.mark.slow
def test_xla_learns_the_same_but_for_rounding() -> None:
    """Without dropout, for which it draws other numbers."""
    (expected, _), (found, _) = trained(8, dropout_rate=0.0), trained(8, jit_compile=True, dropout_rate=0.0)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def after(seconds_of_step: float, batch: Batch | None = None, calls: int = 5) -> int:
    """Steps that share a call after some calls, the first of which took ten seconds."""
    per_call, seconds = StepsPerCall(), 10.0
    given = batch or (np.zeros((8, 7), np.float32), np.zeros((8, 3), np.float32))
    per_call.taken([given], seconds)
    for _ in range(calls):
        seconds += seconds_of_step * per_call.steps
        per_call.taken([given] * per_call.steps, seconds)
    return per_call.steps


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1e-9, MOST_STEPS), (0.001, MOST_STEPS), (0.01, 5), (0.04, 1), (1.0, 1)]
)
def test_short_steps_share_a_call(seconds: float, expected: int) -> None:
    assert after(seconds) == pytest.approx(expected, abs=1)


def test_the_first_call_tells_nothing_and_large_batches_share_none() -> None:
    assert after(0.001, calls=0) == 1
    assert after(0.001, (np.zeros((64, 224, 224, 3), np.uint8), np.zeros((64, 3), np.float32))) <= 3


def test_another_backend_takes_them_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    told: Callable[[], str] = lambda: "another"  # noqa: E731
    monkeypatch.setattr(keras.backend, "backend", told)
    view, batches = make_view(), make_batches()
    train_function(view, batches[0], False)(batches, RATES)
    for one, other in zip(state(view), trained(8)[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
