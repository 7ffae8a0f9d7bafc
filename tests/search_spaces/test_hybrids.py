"""Convolutions before or beside recurrence and attention, and deep recurrent stacks: padding, saving, exporting."""

from pathlib import Path

import keras
import numpy as np
import pytest

from records.task import get_task
from search_spaces import heads, sequence_blocks
from search_spaces.convolution_recurrent import CONVOLUTION_RECURRENT
from search_spaces.recurrent import RECURRENT
from search_spaces.space import Space, read
from tests.search_spaces.test_sequences import (
    SPECS,
    check_one_step_changes_every_weight,
    check_predictions,
    make_inputs,
    predict,
)

FORMS: dict[str, tuple[Space, dict[str, object]]] = {
    "default": (CONVOLUTION_RECURRENT, {}),
    "attention": (CONVOLUTION_RECURRENT, {"mixer": "attention", "num_blocks": 1, "stride": 2, "num_heads": 2}),
    "both, deep": (CONVOLUTION_RECURRENT, {"mixer": "both", "num_blocks": 3, "stride": 2, "cell": "lstm"}),
    "side by side": (CONVOLUTION_RECURRENT, {"arrangement": "parallel", "norm": "layer", "bidirectional": False}),
    "attention beside": (CONVOLUTION_RECURRENT, {"arrangement": "parallel", "mixer": "attention", "norm": "none"}),
    "stack": (RECURRENT, {"num_layers": 3, "residual": True, "layer_norm": True, "input_dropout_rate": 0.3}),
    "halved twice": (RECURRENT, {"num_convolutions": 2, "num_layers": 2, "residual": True, "bidirectional": False}),
}


def build(form: str, kind: str) -> keras.Model:
    """With weights that are not at their initial values."""
    (space, values), spec = FORMS[form], SPECS[kind]
    given = {f"{space.name}/{name}": value for name, value in values.items()}
    network = space.build(read(space, given, spec), spec, get_task(spec.task))
    rng = np.random.default_rng(3)
    for weight in network.weights:
        if "seed" not in weight.path:
            weight.assign(np.asarray(weight) * 0.9 + 0.01 * rng.random(weight.shape))
    return network


PAIRS = [
    (form, kind)
    for form in FORMS
    for kind in (("text", "series") if FORMS[form][0] is CONVOLUTION_RECURRENT else ("series", "forecast"))
]
FAST = [("default", "text"), ("both, deep", "series"), ("attention beside", "series"), ("stack", "series"),
        ("halved twice", "forecast")]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "kind"), [pair if pair in FAST else pytest.param(*pair, marks=pytest.mark.slow) for pair in PAIRS]
)
def test_padding_changes_nothing_and_every_weight_learns(form: str, kind: str, tmp_path: Path) -> None:
    network, spec = build(form, kind), SPECS[kind]
    predictions = predict(network, make_inputs(spec))
    check_predictions(spec, predictions)
    if kind != "forecast":
        for padding in (1, 6):  # a stride of two meets even and odd numbers of steps
            padded = predict(network, make_inputs(spec, padding=padding))
            np.testing.assert_allclose(padded, predictions, atol=1e-5)
        assert np.isfinite(predict(network, np.zeros((2, *spec.input_shape), spec.dtype))).all()
        assert np.ptp(predictions, axis=0).max() > 1e-4
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(predict(again, make_inputs(spec)), predictions, atol=1e-5)
    check_one_step_changes_every_weight(network, spec)


@pytest.mark.slow
@pytest.mark.parametrize("form", [form for form in FORMS if form != "default"])
def test_what_is_exported_answers_alike_at_every_length(form: str, tmp_path: Path) -> None:
    import onnxruntime

    network, spec = build(form, "series"), SPECS["series"]
    view = heads.export_view(network)
    view(make_inputs(spec))
    view.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for count, padding in ((3, 0), (1, 0), (5, 6)):
        inputs = make_inputs(spec, count, padding)
        prediction = session.run(None, {session.get_inputs()[0].name: inputs})[0]
        np.testing.assert_allclose(prediction, predict(network, inputs), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 7, 8])
def test_a_strided_convolution_sees_every_strideth_step(stride: int, steps: int) -> None:
    tensors = keras.Input((None, 2)), keras.Input((None, 1))
    network = keras.Model(tensors, sequence_blocks.convolve(*tensors, 3, 5, stride, "none"))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, steps, 2)).astype(np.float32)
    length = max(1, steps - 2)
    mask = (np.arange(steps) < length).astype(np.float32)[None, :, None]
    kernel, bias = (np.asarray(weight) for weight in network.weights)
    padded = np.pad((x * mask)[0], ((2, 2), (0, 0)))
    centres = range(0, steps, stride)
    expected = np.stack([np.einsum("ic,ico->o", padded[t : t + 5], kernel) + bias for t in centres])
    real = np.array([mask[0, t : t + stride].max() for t in centres])[:, None]
    y, found = (np.asarray(one)[0] for one in network([x * mask, mask]))
    np.testing.assert_array_equal(found, real)
    np.testing.assert_allclose(y, np.maximum(expected, 0.0) * real, atol=1e-5)


def test_a_dropped_channel_is_dropped_at_every_step() -> None:
    """Gal 2016: so the mean of a sequence's inputs is either 0 or all there."""
    layer = next(layer for layer in build("stack", "series").layers if isinstance(layer, keras.layers.SpatialDropout1D))
    dropped = np.asarray(layer(np.ones((4, 9, 200), np.float32), training=True))
    assert (dropped == dropped[:, :1]).all() and 0.2 < (dropped[:, 0] == 0).mean() < 0.4


@pytest.mark.parametrize(("name", "value"), [("mixer", "pooling"), ("arrangement", "stacked"), ("norm", "group")])
def test_an_unknown_choice_is_refused(name: str, value: str) -> None:
    spec, space = SPECS["series"], CONVOLUTION_RECURRENT
    with pytest.raises(ValueError, match=f"`convolution_recurrent/{name}` must be one of .* Received: '{value}'"):
        space.build(read(space, {f"{space.name}/{name}": value}, spec), spec, get_task("classification"))
