"""Small windows of every shape, and networks on them that hold nothing at its initial value."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from records.data import DataSpec, InputKind
from records.spec import ForecastLayout
from records.task import get_task
from search_spaces import heads
from search_spaces.space import Space, read

TASK = get_task("forecasting")


def make_spec(
    history: int = 11,
    horizon: int = 5,
    season: int = 3,
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.8, 0.9),
    past: tuple[str, ...] = ("wind",),
    known: tuple[str, ...] = ("sine", "cosine"),
) -> DataSpec:
    layout = ForecastLayout(
        history=history, horizon=horizon, season=season, quantiles=quantiles, past=past, known=known
    )
    return DataSpec(
        kind=InputKind.FORECAST,
        input_shape=(history + horizon, 1 + len(past) + len(known) + 3),
        dtype="float32",
        task="forecasting",
        num_train=100,
        layout=layout,
    )


def windows(spec: DataSpec, count: int = 3, seed: int = 0) -> np.ndarray:
    """As preparing writes them; every step was observed."""
    layout = spec.forecast
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, *spec.input_shape)).astype(np.float32)
    inputs[:, layout.history :, : 1 + len(layout.past)] = 0
    inputs[:, :, -3] = np.arange(layout.history + layout.horizon) < layout.history
    inputs[:, :, -2] = rng.normal(100, 10, (count, 1))
    inputs[:, :, -1] = rng.uniform(1, 5, (count, 1))
    return inputs


def naive(inputs: np.ndarray, spec: DataSpec) -> np.ndarray:
    """`<float32>[n, horizon]`, step by step."""
    layout = spec.forecast
    season = layout.season if layout.season <= layout.history else 1
    steps = [layout.history - season + step % season for step in range(layout.horizon)]
    return inputs[:, steps, 0] * inputs[:, :1, -1] + inputs[:, :1, -2]


def build(space: Space, spec: DataSpec, **chosen: Any) -> keras.Model:
    """The network with these values, the other ones at their defaults."""
    values = {f"{space.name}/{name}": value for name, value in chosen.items()}
    return space.build(read(space, values, spec), spec, TASK)


def shaken(model: keras.Model, by: float = 0.1) -> keras.Model:
    """Every weight moved at random."""
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(np.asarray(weight) + by * rng.normal(size=weight.shape))
    return model


def check_exported_alike(model: keras.Model, spec: DataSpec, folder: Path) -> None:
    """Saved and loaded, and exported, it gives the same answers, for one window and for many."""
    import onnxruntime

    inputs = windows(spec, 12)
    expected = np.asarray(model(inputs))
    model.save(folder / "model.keras")
    again = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(again.predict_on_batch(inputs), expected, rtol=1e-4)
    view = heads.export_view(again)
    view(inputs)
    view.export(folder / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    # a batch as long as the horizon, or as many as the quantiles, must not be taken for another axis
    for count in (1, 4, 5, 12):
        prediction, embedding = session.run(None, {session.get_inputs()[0].name: inputs[:count]})
        np.testing.assert_allclose(prediction, expected[:count], rtol=1e-4)
        np.testing.assert_allclose(np.asarray(model(inputs[:count])), expected[:count], rtol=1e-4)
        assert embedding.ndim == 2 and len(embedding) == count
