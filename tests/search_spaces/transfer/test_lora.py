"""Low-rank adaptation changes nothing until it is trained, then two thin matrices alone, and leaves no trace."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from search_spaces import heads
from search_spaces.bert import Bert, block, mean
from search_spaces.finetuned_text import FINETUNED_TEXT, LORA, LORA_RATE
from search_spaces.space import read
from search_spaces.text_backbones import text_backbone_available
from search_spaces.transfer.lora import add_lora
from tests.search_spaces.specs import SPECS, inputs_for, task_of

RANK, ALPHA, WIDTH, STEPS = 3, 6.0, 12, 7
SIZES = Bert(vocabulary=29, max_tokens=16, width=WIDTH, hidden=20, num_blocks=2, num_heads=3)


def blocks() -> keras.Model:
    states = keras.Input((None, WIDTH + 1), name="states")
    x, mask = states[:, :, :-1], states[:, :, -1:]
    for number in range(SIZES.num_blocks):
        x = block(SIZES, number, x, mask)
    return keras.Model(states, mean(x, mask), name="top")


def states(count: int = 5) -> np.ndarray:
    made = np.random.default_rng(0).normal(size=(count, STEPS, WIDTH + 1)).astype(np.float32)
    made[..., -1] = 1.0
    made[0, -2:] = 0.0
    return made


def run(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(inputs))


def weights(model: keras.Model) -> dict[str, np.ndarray]:
    return {weight.path: keras.ops.convert_to_numpy(weight).copy() for weight in model.weights}


@pytest.fixture
def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    return blocks()


def trained(network: keras.Model) -> keras.Model:
    add_lora(network, RANK, ALPHA)
    network.compile(keras.optimizers.Adam(0.05), "mse")
    for _ in range(3):
        network.train_on_batch(states(), np.ones((5, WIDTH), np.float32))
    return network


def test_an_untrained_adaptation_changes_nothing(network: keras.Model) -> None:
    before = run(network, states())
    names = add_lora(network, RANK, ALPHA)
    assert names == ["block_0_query", "block_0_value", "block_1_query", "block_1_value"]
    np.testing.assert_array_equal(run(network, states()), before)


def test_only_two_thin_matrices_of_each_projection_are_learnt(network: keras.Model) -> None:
    before, answer = weights(network), run(network, states())
    trained(network)
    learnt = {weight.path for weight in network.trainable_weights}
    # 2 blocks, query and value, A [12, 3] and B [3, 12]
    assert sum(weight.size for weight in weights(network).values()) - sum(w.size for w in before.values()) == 288
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == 2 * 2 * RANK * (WIDTH + WIDTH)
    after = weights(network)
    for path, old in before.items():
        assert path not in learnt
        np.testing.assert_array_equal(after[path], old, err_msg=path)
    assert all(np.any(after[path] != 0) for path in learnt)
    assert np.abs(run(network, states()) - answer).max() > 0.1


def merged_by_hand(network: keras.Model) -> keras.Model:
    """Equation 3 in numpy, in a network that never heard of the adaptation."""
    plain = blocks()
    for layer in plain.layers:
        if not layer.weights:
            continue
        values = network.get_layer(layer.name).get_weights()
        if len(values) == 4:
            kernel, bias, a, b = values
            values = [kernel + ALPHA / RANK * a.astype(np.float64) @ b, bias]
        layer.set_weights(values)
    return plain


def test_merged_saved_and_exported_networks_answer_like_the_adapted_one(network: keras.Model, tmp_path: Path) -> None:
    inputs = states()
    expected = run(trained(network), inputs)
    merged = merged_by_hand(network)
    np.testing.assert_allclose(run(merged, inputs), expected, atol=1e-5)

    network.save(tmp_path / "top.keras")
    again = keras.saving.load_model(tmp_path / "top.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(run(again, inputs), expected, atol=1e-5)
    kernels = [model.get_layer("block_1_value").get_weights()[0] for model in (again, merged)]
    np.testing.assert_allclose(*kernels, atol=1e-6)  # the file holds the sum, and no thin matrix

    view = keras.Model(network.input, network.output)
    view(inputs)
    view.export(tmp_path / "top.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "top.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_network_without_such_layers_is_refused() -> None:
    inputs = keras.Input((3,))
    plain = keras.Model(inputs, keras.layers.Dense(2, name="hidden")(inputs), name="plain")
    with pytest.raises(ValueError, match="plain has no layer whose name ends in query or value"):
        add_lora(plain, RANK, ALPHA)


@pytest.mark.skipif(text_backbone_available() is not None, reason=str(text_backbone_available()))
def test_the_space_adapts_a_pretrained_network_at_a_rate_of_its_own() -> None:
    spec = SPECS["pretrained text"]
    given = {"finetuned_text/num_trained": 1, "finetuned_text/method": LORA, "finetuned_text/lora_rank": 4}
    values, usual = read(FINETUNED_TEXT, given, spec), read(FINETUNED_TEXT, {"finetuned_text/num_trained": 1}, spec)
    assert values["learning_rate"] == LORA_RATE * usual["learning_rate"]
    assert (values["lora_rank"], usual["lora_rank"]) == (4, 0)
    states = dataclasses.replace(spec, input_shape=(11, 385), dtype="float32")
    adapted, plain = (FINETUNED_TEXT.build(each, states, task_of(spec)) for each in (values, usual))
    head = 384 * spec.num_classes + spec.num_classes
    assert sum(int(np.prod(weight.shape)) for weight in adapted.trainable_weights) == 2 * 4 * (384 + 384) + head
    assert len(plain.trainable_weights) == 16 + 2
    inputs = inputs_for(states)
    views = [keras.Model(each.input, each.get_layer(heads.EMBEDDING).output) for each in (adapted, plain)]
    np.testing.assert_array_equal(*(run(view, inputs) for view in views))
