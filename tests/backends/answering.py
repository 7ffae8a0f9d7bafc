"""Run on JAX: `python -m tests.backends.answering FOLDER NAME KIND NAME KIND ...` builds, trains and saves spaces.

For each space a folder `NAME, KIND` with the network, an input, the answer, and `error.txt` where something raised.
"""

import dataclasses
import json
import sys
import time
import traceback
from pathlib import Path

from pipelines.backend import keep_tensorflow_out

keep_tensorflow_out()

import keras  # noqa: E402
import numpy as np  # noqa: E402

from pipelines.steps import predict_function, train_function  # noqa: E402
from records.data import DataSpec  # noqa: E402
from search_spaces import heads  # noqa: E402
from search_spaces.catalog import SPACES  # noqa: E402
from search_spaces.space import Space, read  # noqa: E402
from tests.search_spaces.specs import SPECS, inputs_for, loss_targets_for, task_of  # noqa: E402

NUM_ANSWERED = 3


def given_spec(space: Space, spec: DataSpec, values: dict) -> DataSpec:  # type: ignore[type-arg]
    """What `build` is given. The encoder is not run: each of its operations would be compiled by itself."""
    if space.encoder is None:
        return spec
    inputs = inputs_for(spec)
    features = space.encoder(values, spec).compute_output_spec(keras.KerasTensor(inputs.shape, inputs.dtype))
    return dataclasses.replace(spec, input_shape=tuple(features.shape[1:]), dtype="float32")


def moved(model: keras.Model) -> None:
    """Leaves no weight at its initial value, statistics and last layer included."""
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(np.asarray(weight) * 0.9 + 0.01 * rng.random(weight.shape))


def check(name: str, kind: str, folder: Path) -> None:
    """Builds a space at its defaults; keeps the network and an answer; trains two steps; loads it again."""
    space, spec = SPACES[name], SPECS[kind]
    keras.utils.set_random_seed(1)
    values = read(space, {}, spec)
    given = given_spec(space, spec, values)
    model = space.build(values, given, task_of(spec))
    moved(model)
    inputs = inputs_for(given, NUM_ANSWERED)
    predict = predict_function(model, inputs)
    answer = np.asarray(predict(inputs))
    model.save(folder / "model.keras")
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "answer.npy", answer)
    again = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    for ours, theirs in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs), err_msg=theirs.path)
    train_two_steps(model, given, spec)
    assert not np.array_equal(np.asarray(predict(inputs)), answer), "training changed no prediction"


def train_two_steps(model: keras.Model, given: DataSpec, spec: DataSpec) -> None:
    view, from_logits = heads.training_view(model)
    view.compile(keras.optimizers.Adam(1e-2), heads.HEADS[spec.task].loss(spec, from_logits))
    view.optimizer.build(view.trainable_variables)
    batch = inputs_for(given, 8), loss_targets_for(spec, 8)
    before = [np.array(weight) for weight in model.trainable_weights]
    # a last layer that starts at 0 passes no gradient on in the first step
    loss = float(train_function(view, batch, jit_compile=False)([batch, batch], [1e-2, 1e-2]))
    assert np.isfinite(loss)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert not np.array_equal(np.asarray(weight), old), weight.path


def main(folder: Path, pairs: list[str]) -> None:
    for name, kind in zip(pairs[::2], pairs[1::2], strict=True):
        own, began = folder / f"{name}, {kind}", time.perf_counter()
        own.mkdir()
        try:
            check(name, kind, own)
        except Exception:
            (own / "error.txt").write_text(traceback.format_exc(), "utf-8")
        (own / "seconds.txt").write_text(f"{time.perf_counter() - began:.1f}", "utf-8")
        keras.utils.clear_session()
    loaded = sorted({module.split(".")[0] for module in sys.modules})
    (folder / "modules.json").write_text(json.dumps({"backend": keras.backend.backend(), "loaded": loaded}), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
