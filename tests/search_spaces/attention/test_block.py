"""Each switch of the block against numpy, written from the papers' equations."""

from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

from search_spaces.attention import positions
from search_spaces.attention.attending import attend, unseen_steps
from search_spaces.attention.block import Block, encode
from search_spaces.attention.feed_forward import feed_forward, hidden_units
from search_spaces.attention.norms import branch, norm
from search_spaces.attention.presets import PRESETS
from tests.search_spaces.attention import reference

WIDTH, STEPS, LENGTHS = 24, 13, (13, 6, 1)
BASIC = PRESETS["xiong_2020"]


def example(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`[3, 13, 24]`, and a mask of sequences of 13, 6 and 1 steps."""
    rng = np.random.default_rng(seed)
    mask = (np.arange(STEPS)[None, :, None] < np.array(LENGTHS)[:, None, None]).astype(np.float32)
    return rng.normal(size=(3, STEPS, WIDTH)).astype(np.float32), mask


def shake(network: keras.Model) -> keras.Model:
    """Weights of which none is 0 or 1, so that each counts."""
    rng = np.random.default_rng(7)
    for weight in network.weights:
        weight.assign(np.asarray(weight) + 0.2 * rng.normal(size=weight.shape))
    return network


def network_of(block: Block, num_blocks: int = 2) -> keras.Model:
    x, mask = keras.Input((None, WIDTH)), keras.Input((None, 1))
    return shake(keras.Model([x, mask], encode(x, block, num_blocks, most_steps=9, mask=mask)))


def expected(network: keras.Model, block: Block, x: np.ndarray, mask: np.ndarray, num_blocks: int = 2) -> np.ndarray:
    switches = {
        name: value
        for name, value in asdict(block).items()
        if name not in ("use_bias", "expansion_ratio", "dropout_rate", "stochastic_depth_rate")
    }
    switches["num_key_value_heads"] = block.num_key_value_heads or block.num_heads
    weights = reference.weights_of(network)
    pairs = zip(x.astype(np.float64), mask[:, :, 0], strict=True)
    return np.stack([reference.encode(row, seen, weights, num_blocks=num_blocks, **switches) for row, seen in pairs])


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=name)
        for name, block in {
            **PRESETS,
            "post-norm, rms": replace(BASIC, pre_norm=False, rms_norm=True),
            "no positions": replace(BASIC, positions="none"),
            "learnt": replace(BASIC, positions="learnt"),
            "multi-query": replace(BASIC, num_key_value_heads=1),
            "grouped, causal": replace(BASIC, num_key_value_heads=2, causal=True),
            "rotary, every head its own": replace(BASIC, positions="rotary", causal=True),
            "modern, causal": replace(PRESETS["modern_2023"], causal=True, expansion_ratio=4.0),
        }.items()
    ],
)
def test_a_network_of_blocks_is_the_papers(block: Block) -> None:
    x, mask = example()
    network = network_of(block)
    found = np.asarray(network([x, mask], training=False)) * mask
    np.testing.assert_allclose(found, expected(network, block, x, mask) * mask, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("num_heads", [2, 4])
@pytest.mark.parametrize("num_key_value_heads", [1, 2])
@pytest.mark.parametrize("rotary_embedding", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_the_papers(
    num_heads: int, num_key_value_heads: int, rotary_embedding: bool, causal: bool
) -> None:
    values, mask = example()
    x, given = keras.Input((None, WIDTH)), keras.Input((None, 1))
    coordinates, size = positions.steps_of(x), WIDTH // num_heads
    y = attend(
        x,
        num_heads=num_heads,
        num_key_value_heads=num_key_value_heads,
        use_bias=True,
        name="a",
        unseen=unseen_steps(x, given, causal=causal, shared=num_heads // num_key_value_heads),
        rotations=(
            positions.rotation(coordinates, size, num_heads),
            positions.rotation(coordinates, size, num_key_value_heads),
        )
        if rotary_embedding
        else None,
    )
    network = shake(keras.Model([x, given], y))
    found, weights = np.asarray(network([values, mask])), reference.weights_of(network)
    for row in range(3):
        wanted = reference.attention(
            values[row].astype(np.float64),
            mask[row, :, 0],
            weights,
            "a",
            num_heads=num_heads,
            num_key_value_heads=num_key_value_heads,
            rotary_embedding=rotary_embedding,
            causal=causal,
        )
        np.testing.assert_allclose(found[row], wanted, atol=1e-5)


@pytest.mark.parametrize("name", PRESETS)
def test_a_later_step_never_changes_an_earlier_answer_of_a_decoder(name: str) -> None:
    x, _ = example()
    mask = np.ones((3, STEPS, 1), np.float32)
    network = network_of(replace(PRESETS[name], causal=True))
    before = np.asarray(network([x, mask]))
    x[:, 8:] *= -2.0
    after = np.asarray(network([x, mask]))
    np.testing.assert_allclose(after[:, :8], before[:, :8], atol=1e-6)
    assert np.abs(after[:, 8:] - before[:, 8:]).max() > 0.1
    whole = network_of(PRESETS[name])
    assert np.abs(np.asarray(whole([x, mask]))[:, :8] - np.asarray(whole([example()[0], mask]))[:, :8]).max() > 1e-3


@pytest.mark.parametrize("name", PRESETS)
def test_what_stands_at_padding_changes_nothing(name: str) -> None:
    x, mask = example()
    network = network_of(PRESETS[name])
    before = np.asarray(network([x, mask])) * mask
    after = np.asarray(network([x + 50.0 * (1.0 - mask), mask])) * mask
    np.testing.assert_allclose(after, before, atol=1e-6)
    assert np.isfinite(np.asarray(network([x, np.zeros_like(mask)]))).all()  # nothing to see at all


def test_sinusoids_are_the_papers() -> None:
    x = keras.Input((None, WIDTH))
    waves = np.asarray(keras.Model(x, positions.sinusoidal(positions.steps_of(x), WIDTH))(example()[0]))
    np.testing.assert_allclose(waves, reference.sinusoidal(STEPS, WIDTH)[None], atol=1e-5)


def test_waves_of_a_grid_know_row_and_column() -> None:
    x = keras.Input((None, None, WIDTH))
    network = keras.Model(x, positions.sinusoidal(positions.grid_of(x), WIDTH))
    waves = np.asarray(network(np.zeros((2, 3, 5, WIDTH), np.float32)))[0].reshape(3, 5, WIDTH)
    table = reference.sinusoidal(5, WIDTH // 2)
    for row in range(3):
        for column in range(5):
            np.testing.assert_allclose(
                waves[row, column], np.concatenate([table[row], table[column]]), atol=1e-5, err_msg=f"{row}, {column}"
            )


def test_rotated_vectors_know_their_distance_alone() -> None:
    """Su 2021, equation 11, and the rotation itself."""
    steps, size, heads = 9, 8, 2
    x = keras.Input((None, heads * size))
    by = positions.rotation(positions.steps_of(x), size, heads)
    y = positions.rotate(keras.layers.Reshape((-1, size))(x), by)
    network = keras.Model(x, keras.layers.Reshape((-1, heads, size))(y))
    query, key = np.random.default_rng(0).normal(size=(2, heads * size)).astype(np.float32)
    queries, keys = (np.asarray(network(np.tile(one, (1, steps, 1))))[0] for one in (query, key))
    for head in range(heads):
        own = query.reshape(heads, size)[head].astype(np.float64)
        for step in range(steps):
            np.testing.assert_allclose(queries[step, head], reference.rotated(own, step), atol=1e-5)
        products = queries[:, head] @ keys[:, head].T
        for distance in range(-steps + 1, steps):
            assert np.ptp(np.diagonal(products, distance)) < 1e-5
        assert np.ptp(products) > 0.1


@pytest.mark.parametrize("activation", ["relu", "gelu", "swiglu"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_feed_forward_is_the_papers(activation: str, use_bias: bool) -> None:
    x = keras.Input((None, WIDTH))
    y = feed_forward(x, activation=activation, expansion_ratio=3.0, use_bias=use_bias, name="f")
    network = shake(keras.Model(x, y))
    wanted = reference.feed_forward(example()[0].astype(np.float64), reference.weights_of(network), "f", activation)
    np.testing.assert_allclose(np.asarray(network(example()[0])), wanted, atol=1e-5)
    assert len(network.weights) == (3 if activation == "swiglu" else 2) * (1 + use_bias)


def test_a_gate_costs_no_weights() -> None:
    """Shazeer 2020, section 2: two thirds of the units."""
    counts = [hidden_units(96, name, 4.0) * (3 if name == "swiglu" else 2) for name in ("relu", "gelu", "swiglu")]
    assert counts == [768, 768, 768]


@pytest.mark.parametrize(("rms_norm", "use_bias"), [(True, False), (False, True), (False, False)])
def test_norms_are_the_papers(rms_norm: bool, use_bias: bool) -> None:
    x = keras.Input((None, WIDTH))
    network = shake(keras.Model(x, norm(x, rms_norm=rms_norm, use_bias=use_bias, name="n")))
    rows = 3.0 + 2.0 * example()[0]
    weights = reference.weights_of(network)["n"]
    wanted = [reference.norm(one.astype(np.float64), weights, rms_norm) for one in rows]
    np.testing.assert_allclose(np.asarray(network(rows)), wanted, atol=1e-5)
    assert len(weights) == 1 + use_bias


def test_stochastic_depth_leaves_out_whole_examples() -> None:
    x = keras.Input((None, WIDTH))
    network = keras.Model(x, branch(x, 0.0, 0.25))
    ones = np.ones((4000, 2, WIDTH), np.float32)
    found = np.asarray(network(ones, training=True))
    kept = found[:, 0, 0] > 0
    np.testing.assert_allclose(found, np.where(kept, 1 / 0.75, 0.0)[:, None, None] * ones, rtol=1e-6)
    assert 0.7 < kept.mean() < 0.8
    np.testing.assert_array_equal(np.asarray(network(ones[:3], training=False)), ones[:3])


def test_later_blocks_are_left_out_more_often() -> None:
    x = keras.Input((None, WIDTH))
    network = keras.Model(x, encode(x, replace(BASIC, stochastic_depth_rate=0.2), 4, most_steps=9))
    rates = [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    np.testing.assert_allclose(rates, [0.05, 0.05, 0.1, 0.1, 0.15, 0.15, 0.2, 0.2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": "alibi"}, "`positions` must be one of .*rotary, none. Received: 'alibi'"),
        ({"activation": "tanh"}, "`activation` must be one of gelu, relu, swiglu. Received: 'tanh'"),
        ({"num_key_value_heads": 3}, "`num_key_value_heads` must divide the 4 heads. Received: 3"),
        ({"num_heads": 5}, "`num_heads` must divide the width of 24. Received: 5"),
        ({"num_heads": 8, "positions": "rotary"}, "need a width that is a multiple of 2. Received: 3"),
    ],
)
def test_a_block_that_cannot_be_is_refused(change: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=message):
        encode(keras.Input((None, WIDTH)), replace(BASIC, **change), 1, most_steps=9)


@pytest.mark.parametrize("name", ["vaswani_2017", "modern_2023"])
def test_half_precision_counts_as_far_as_full(name: str) -> None:
    """Steps of a sequence are counted in the graph: bfloat16 has no 257."""
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(1, 300, WIDTH)).astype(np.float32), np.ones((1, 300, 1), np.float32)
    full = network_of(PRESETS[name], 1)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = network_of(PRESETS[name], 1)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(full.get_weights())
    found, wanted = (np.asarray(keras.ops.cast(net([x, mask]), "float32")) for net in (half, full))
    assert np.abs(found - wanted)[:, -30:].mean() < 0.05 * np.abs(wanted).mean()
