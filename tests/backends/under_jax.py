"""What holds of the steps on JAX. Collected by `test_under_jax.py` alone, in a process of its own."""

import itertools

import keras
import numpy as np
import pytest

from pipelines.jax_steps import fill_up
from pipelines.optimizers import make_optimizer
from pipelines.precision import computing_in
from pipelines.steps import Batch, predict_batch, predict_function, train_function
from records.trial import Recipe

RATES = [0.01 * (i + 1) for i in range(8)]


def make_view(optimizer: keras.optimizers.Optimizer | None = None, batch_norm: bool = True) -> keras.Model:
    """With what has a state of its own: dropout's random numbers, and running averages."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((7,))
    x = keras.layers.Dense(6, activation="relu")(inputs)
    if batch_norm:
        x = keras.layers.Dropout(0.3)(keras.layers.BatchNormalization()(x))
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    model.compile(optimizer or keras.optimizers.AdamW(0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def make_batches(sizes: tuple[int, ...] = (8, 8, 8, 5, 8, 8, 5, 5)) -> list[Batch]:
    random = np.random.default_rng(2)
    return [(random.normal(size=(n, 7)).astype("f"), random.normal(size=(n, 3)).astype("f")) for n in sizes]


def state(view: keras.Model) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v)) for v in (*view.variables, *view.optimizer.variables)]


def trained(per_call: int, view: keras.Model | None = None, batches: list[Batch] | None = None) -> list[np.ndarray]:
    view, batches = view or make_view(), batches or make_batches()
    train = train_function(view, batches[0], jit_compile=False)
    for start in range(0, len(batches), per_call):
        train(batches[start : start + per_call], RATES[start : start + per_call])
    return state(view)


def assert_equal(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_jax_computes() -> None:
    assert keras.backend.backend() == "jax"


@pytest.mark.parametrize("per_call", [2, 3, 8])
def test_the_same_is_learnt_bit_for_bit_however_many_steps_share_a_call(per_call: int) -> None:
    assert_equal(trained(per_call), trained(1))


def test_what_was_kept_of_variables_goes_on_bit_for_bit() -> None:
    """Weights, running averages, the states of random generators, and the optimizer's variables."""
    expected, batches = trained(1), make_batches()
    first = make_view()
    train_function(first, batches[0], False)(batches[:3], RATES[:3])
    kept = state(first)
    second = make_view()
    train = train_function(second, batches[0], False)
    train(batches[:1], [0.5])  # as `warm_up` spoils them
    for variable, value in zip((*second.variables, *second.optimizer.variables), kept, strict=True):
        variable.assign(value)
    train(batches[3:], RATES[3:])
    names = [variable.path for variable in (*second.variables, *second.optimizer.variables)]
    for name, one, other in zip(names, state(second), expected, strict=True):
        if "loss" not in name:  # the mean of the loss is no part of a checkpoint
            np.testing.assert_array_equal(one, other, err_msg=name)


def test_it_is_what_keras_learns_step_by_step() -> None:
    batches, view, losses = make_batches((8,) * 8), make_view(), []
    for (inputs, targets), rate in zip(batches, RATES, strict=True):
        view.optimizer.learning_rate = rate
        losses.append(float(view.train_on_batch(inputs, targets)))
    ours = make_view()
    loss = float(train_function(ours, batches[0], False)(batches, RATES))
    for one, other in zip(state(ours), state(view), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert loss == pytest.approx(np.mean(losses), rel=1e-4), "the mean since the metrics were reset"


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_smaller_batch_is_filled_up_without_changing_its_mean(size: int) -> None:
    whole, part = make_batches((8,))[0], make_batches((size,))[0]
    filled, alone = make_view(batch_norm=False), make_view(batch_norm=False)
    train_function(filled, whole, False)([part], [0.1])
    train_function(alone, part, False)([part], [0.1])
    for one, other in zip(filled.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_arrays_are_filled_up_from_their_first_row_on() -> None:
    np.testing.assert_array_equal(fill_up(np.arange(3), 8), [0, 1, 2, 0, 1, 2, 0, 1])
    assert len(fill_up(np.arange(9), 8)) == 9


def test_weights_that_were_read_are_not_overwritten_by_later_steps() -> None:
    """The steps take the memory of the old values; the best weights so far are kept as arrays."""
    view, batches = make_view(), make_batches()
    train = train_function(view, batches[0], False)
    train(batches[:2], RATES[:2])
    read = view.get_weights()
    copied = [value.copy() for value in read]
    train(batches[2:], RATES[2:])
    assert_equal(read, copied)
    assert not np.array_equal(view.get_weights()[0], read[0])


def test_arrays_that_were_assigned_are_not_overwritten_by_later_steps() -> None:
    """A variable may use the memory of an array that is assigned to it; each fold begins from the same arrays."""
    view, batches = make_view(), make_batches()
    train = train_function(view, batches[0], False)
    initial = [np.array(keras.ops.convert_to_numpy(variable)) for variable in view.variables]
    copied = [value.copy() for value in initial]
    for variable, value in zip(view.variables, initial, strict=True):
        variable.assign(value)
    train(batches, RATES)
    assert_equal(initial, copied)
    assert not np.array_equal(view.get_weights()[0], initial[0])


def test_predictions_do_not_depend_on_how_many_are_asked_for_together() -> None:
    view, inputs = make_view(), make_batches((70,))[0][0]
    predict, expected = predict_function(view, inputs[:8]), view.predict_on_batch(inputs)
    for size in (5, 70, 33, 1):
        np.testing.assert_allclose(np.asarray(predict(inputs[:size])), expected[:size], atol=1e-6)
        np.testing.assert_allclose(predict_batch(view, inputs[:size], 70), expected[:size], atol=1e-6)


def test_half_precision_is_of_the_training_alone() -> None:
    batches, view = make_batches(), make_view(batch_norm=False)
    exact = make_view(batch_norm=False)
    train_function(exact, batches[0], False)(batches, RATES)
    train_function(view, batches[0], False, "mixed_bfloat16")(batches, RATES)
    differences = [np.abs(a - b).max() for a, b in zip(view.get_weights(), exact.get_weights(), strict=True)]
    assert 1e-6 < max(differences) < 0.1
    assert {weight.dtype for weight in view.weights} == {"float32"}
    assert {layer.compute_dtype for layer in view.layers} == {"float32"}
    assert view.predict_on_batch(batches[0][0]).dtype == np.float32
    with pytest.raises(RuntimeError), computing_in("mixed_bfloat16", view):
        assert view.layers[1].compute_dtype == "bfloat16"
        raise RuntimeError
    assert view.layers[1].compute_dtype == "float32"


@pytest.mark.parametrize(("optimizer", "ema"), list(itertools.product(["adamw", "sgd", "lion", "muon"], [0.0, 0.9])))
def test_every_optimizer_of_a_recipe_learns(optimizer: str, ema: float) -> None:
    recipe = Recipe(
        learning_rate=0.01,
        weight_decay=0.1,
        batch_size=8,
        max_epochs=3,
        patience=3,
        optimizer=optimizer,
        ema_decay=ema,
        clip_norm=1.0,
        l1_decay=0.01,
    )
    view = make_view(make_optimizer(recipe))
    before = [value.copy() for value in view.get_weights()]
    found = trained(3, view)
    assert all(np.isfinite(value).all() for value in found)
    assert not any(np.array_equal(a, b) for a, b in zip(before[:2], view.get_weights()[:2], strict=True))
