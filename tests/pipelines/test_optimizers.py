"""The recipe's optimizers, against numpy: their averages, their decay, and what they leave out."""

from typing import Any

import keras
import numpy as np
import pytest

from pipelines.graph import last_layer
from pipelines.optimizers import averages, make_optimizer
from records.trial import Recipe

OPTIMIZERS = ("adamw", "sgd", "lion", "muon")


def network() -> keras.Model:
    """Two matrices and a convolution, an embedding and a norm."""
    inputs = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(11, 8, name="token_vectors")(inputs)
    x = keras.layers.Conv1D(8, 3, name="convolution")(x)
    x = keras.layers.LayerNormalization()(keras.layers.GlobalAveragePooling1D()(x))
    x = keras.layers.Dense(9, name="hidden")(x)
    return keras.Model(inputs, keras.layers.Dense(4, name="logits")(x))


def steps(optimizer: keras.optimizers.Optimizer, start: np.ndarray, gradients: list[np.ndarray]) -> list[np.ndarray]:
    """What a matrix is after each step."""
    variable = keras.Variable(start, name="kernel")
    optimizer.build([variable])
    seen = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        seen.append(np.array(keras.ops.convert_to_numpy(variable)))
    return seen


def gradients(count: int = 25, scale: float = 1.0) -> list[np.ndarray]:
    return [scale * g for g in np.random.default_rng(0).normal(size=(count, 3, 5)).astype(np.float32)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_average_covers_a_tenth_of_the_steps_so_far(name: str) -> None:
    optimizer = make_optimizer(Recipe(optimizer=name, learning_rate=0.1, ema_decay=0.6))
    expected = np.zeros((3, 5), np.float32)
    for done, weights in enumerate(steps(optimizer, np.ones((3, 5), np.float32), gradients())):
        decay = min(0.6, done / (done + 9))
        expected = decay * expected + (1 - decay) * weights
    np.testing.assert_allclose(averages(optimizer)[0].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert averages(make_optimizer(Recipe(optimizer=name))) == []


def test_lion_is_the_papers() -> None:
    """Chen 2023, algorithm 2."""
    weights, momentum = np.full((3, 5), 0.5, np.float32), np.zeros((3, 5), np.float32)
    for gradient in gradients():
        weights = weights - 0.01 * 0.3 * weights - 0.01 * np.sign(0.9 * momentum + 0.1 * gradient)
        momentum = 0.99 * momentum + 0.01 * gradient
    optimizer = make_optimizer(Recipe(optimizer="lion", learning_rate=0.01, weight_decay=0.3))
    found = steps(optimizer, np.full((3, 5), 0.5, np.float32), gradients())[-1]
    np.testing.assert_allclose(found, weights, rtol=1e-4, atol=1e-6)


def test_muon_makes_every_direction_of_a_matrix_equally_long() -> None:
    """Liu 2025: the size of a step is 0.2 times the root of the longer side, in every direction."""
    optimizer = make_optimizer(Recipe(optimizer="muon", learning_rate=1.0))
    step = steps(optimizer, np.zeros((3, 5), np.float32), gradients(1))[0]
    sizes = np.linalg.svd(step, compute_uv=False) / (0.2 * 5**0.5)
    assert (sizes > 0.6).all() and (sizes < 1.3).all()  # five rounds of Newton and Schulz come so near to 1


def test_muon_leaves_embeddings_vectors_convolutions_and_the_last_layer_to_adam() -> None:
    model = network()
    optimizer = make_optimizer(Recipe(optimizer="muon", weight_decay=0.1), last_layer(model))
    optimizer.build(model.trainable_variables)
    turned = {v.path for v in model.trainable_variables if not optimizer._should_use_adamw(v)}
    assert turned == {"hidden/kernel"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_vectors_and_embeddings_are_not_decayed(name: str) -> None:
    model = network()
    optimizer = make_optimizer(Recipe(optimizer=name, weight_decay=0.3))
    optimizer.build(model.trainable_variables)
    decayed = {v.path.split("/")[-1] for v in model.trainable_variables if optimizer._use_weight_decay(v)}
    assert decayed == {"kernel"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_l1_decay_ends_at_zero(name: str) -> None:
    nothing = [np.zeros((3, 5), np.float32)] * 10
    start = np.linspace(-0.3, 0.3, 15).reshape(3, 5).astype(np.float32)
    optimizer = make_optimizer(Recipe(optimizer=name, learning_rate=0.1, l1_decay=0.2))
    after = steps(optimizer, start, nothing)
    np.testing.assert_allclose(after[0], np.sign(start) * np.maximum(np.abs(start) - 0.02, 0), atol=1e-6)
    np.testing.assert_allclose(after[-1], np.sign(start) * np.maximum(np.abs(start) - 0.2, 0), atol=1e-6)
    vector = keras.Variable(start, name="bias")
    optimizer = make_optimizer(Recipe(optimizer=name, learning_rate=0.1, l1_decay=0.2))
    optimizer.build([vector])
    optimizer.apply([keras.ops.zeros((3, 5))], [vector])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(vector), start)


def test_gradients_are_clipped_all_together() -> None:
    first, second = keras.Variable(np.zeros(4), name="kernel"), keras.Variable(np.zeros(9), name="bias")
    optimizer = make_optimizer(Recipe(optimizer="sgd", learning_rate=1.0, clip_norm=0.5))
    optimizer.build([first, second])
    optimizer.apply([keras.ops.ones(4) * 3.0, keras.ops.ones(9)], [first, second])
    moved = [np.array(keras.ops.convert_to_numpy(v)) for v in (first, second)]
    # the first step of Nesterov's momentum of 0.9 is 1.9 gradients long
    assert np.sqrt(sum(np.square(m).sum() for m in moved)) == pytest.approx(0.5 * 1.9, rel=1e-4)
    assert moved[0][0] == pytest.approx(3 * moved[1][0], rel=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_everything_off_is_keras_own(name: str) -> None:
    recipe = Recipe(optimizer=name, learning_rate=0.02, weight_decay=0.1)
    kinds: dict[str, Any] = {"adamw": keras.optimizers.AdamW, "lion": keras.optimizers.Lion}
    if name == "sgd":
        theirs = keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True, weight_decay=0.1)
    elif name == "muon":
        theirs = keras.optimizers.Muon(0.02, weight_decay=0.1, adam_weight_decay=0.1)
    else:
        theirs = kinds[name](0.02, weight_decay=0.1)
    start = np.ones((3, 5), np.float32)
    for one, other in zip(
        steps(make_optimizer(recipe), start, gradients()), steps(theirs, start, gradients()), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match="`optimizer` must be adamw, sgd, lion or muon. Received: 'rprop'"):
        make_optimizer(Recipe(optimizer="rprop"))
