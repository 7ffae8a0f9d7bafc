"""Networks for rows of a table: embedded categories and encoded numbers, then layers that see all of them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import keras
import numpy as np

from records.data import DataSpec, InputKind
from records.spec import ColumnKind, Slot
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.space import Space

NUM_BINS = 16
"""Of a piecewise linear encoding."""
NUM_FREQUENCIES = 16
MOST_ENCODED = 4096
"""Elements that the encoded numbers may have together; with more columns they stay plain."""
LARGEST_EMBEDDING = 50
BATCH_SIZES = (64, 128, 256, 512, 1024, 2048)
STEPS_PER_EPOCH = 150
"""That a batch size should leave: a pass over a million rows in small batches takes minutes."""
USUAL_STEPS = 6000
"""After which a table of thousands of rows is learnt."""
FEW, VERY_FEW = 10_000, 2000
"""Training rows below which a network needs help against learning them by heart."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return declare(hp, spec, "mlp")


def declare(hp: Any, spec: DataSpec, family: str) -> dict[str, Any]:
    """The hyperparameters of these networks and of their training, under names that begin with `family`."""
    usual = next((size for size in BATCH_SIZES if spec.num_train <= size * STEPS_PER_EPOCH), BATCH_SIZES[-1])
    batch_size = hp.Choice(f"{family}/batch_size", list(BATCH_SIZES), default=usual)
    epochs = _epochs(spec.num_train, batch_size)
    return {
        # tables are learnt by narrower networks than pictures; 1024 pays from a hundred thousand rows on
        "width": hp.Int(f"{family}/width", 64, 1024, step=2, sampling="log", default=256),
        "depth": hp.Int(f"{family}/depth", 1, 6, default=2),
        # with a shortcut around each layer deep networks train as shallow ones do (He 2016)
        "residual": hp.Boolean(f"{family}/residual", default=False),
        "norm": hp.Choice(f"{family}/norm", ["none", "batch", "layer"], default="none"),
        "dropout_rate": hp.Float(f"{family}/dropout_rate", 0.0, 0.6, default=_usual_dropout(spec)),
        # times the rule of thumb 1.6 n^0.56 for n categories (fast.ai)
        "embedding_factor": hp.Choice(f"{family}/embedding_factor", [0.5, 1.0, 2.0], default=1.0),
        # networks are bad at functions that jump; bins and waves give them the steps (Gorishniy 2022), where there are
        # rows to learn the steps from: accuracy on 625 rows of Titanic 0.80 plain, 0.75 piecewise
        "numbers": hp.Choice(
            f"{family}/numbers",
            ["plain", "piecewise", "periodic"],
            default="plain" if spec.num_train < VERY_FEW else "piecewise",
        ),
        # how fast the waves are: too fast ones overfit, too slow ones are straight lines
        "frequency": hp.Float(f"{family}/frequency", 0.05, 2.0, sampling="log", default=0.3),
        "optimizer": hp.Choice(f"{family}/optimizer", ["adamw", "sgd"], default="adamw"),
        "learning_rate": hp.Float(f"{family}/learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3),
        "weight_decay": hp.Float(f"{family}/weight_decay", 1e-4, 0.5, sampling="log", default=1e-2),
        "label_smoothing": hp.Choice(f"{family}/label_smoothing", [0.0, 0.05, 0.1], default=0.0),
        "batch_size": batch_size,
        "max_epochs": epochs,
        "patience": max(6, epochs // 4),
        "flip": False,
        "crop_fraction": 0.0,
    }


def _usual_dropout(spec: DataSpec) -> float:
    """A number's error suffers from the noise that dropout leaves in it (diamonds: RMSE 543 without, 631 with 0.2),
    except where rows are few (wine: 0.69 without, 0.66 with 0.2 to 0.4)."""
    if spec.num_train < FEW:
        return 0.3
    return 0.2 if spec.labels else 0.0


def _epochs(num_train: int, batch_size: int) -> int:
    """Passes that make about `USUAL_STEPS`, from 16 to 100: small tables are learnt by heart."""
    steps = max(1, -(-num_train // batch_size))
    return int(np.clip(round(USUAL_STEPS / steps), 16, 100))


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Takes `<float32>[batch, width]` as `records.spec.TableLayout` describes it. Columns of texts are not read.

    Raises:
        ValueError: An unknown norm or encoding of numbers.
    """
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="row")
    features = columns_as_features(values, inputs, spec.table.slots)
    x = hidden_layers(values, features)
    return keras.Model(inputs, heads.build(task, spec, x, values["dropout_rate"]), name="mlp")


def columns_as_features(values: dict[str, Any], inputs: keras.KerasTensor, slots: Sequence[Slot]) -> keras.KerasTensor:
    """`<float32>[batch, features]` of the columns of numbers, dates and categories.

    Args:
        values: Of `choices`.
        inputs: `<float32>[batch, width]`.
        slots: Where the columns lie in it.
    """
    numbers = [slot.start for slot in slots if slot.kind is ColumnKind.NUMBER]
    flags = [slot.start + 1 for slot in slots if slot.kind is ColumnKind.NUMBER and slot.stop > slot.start + 1]
    dates = [place for slot in slots if slot.kind is ColumnKind.DATE for place in range(slot.start, slot.stop)]
    parts = []
    if numbers:
        parts.append(_encoded(values, _taken(inputs, numbers), len(numbers)))
    if flags or dates:
        parts.append(_taken(inputs, flags + dates))
    parts += _embedded(values, inputs, [slot for slot in slots if slot.kind is ColumnKind.CATEGORY])
    return keras.layers.Concatenate(name="columns")(parts) if len(parts) > 1 else parts[0]


def hidden_layers(values: dict[str, Any], x: keras.KerasTensor) -> keras.KerasTensor:
    """`depth` layers of `width`, `<float32>[batch, width]`."""
    width, rate = values["width"], values["dropout_rate"]
    for i in range(values["depth"]):
        before = x
        if values["residual"] and i:
            x = _norm(values["norm"])(x)
            x = keras.layers.Dense(width, activation="relu")(x)
            x = keras.layers.Dropout(rate)(x)
            x = keras.layers.Add()([before, keras.layers.Dense(width)(x)])
        else:
            x = keras.layers.Dense(width)(x)
            x = keras.layers.ReLU()(_norm(values["norm"])(x))
            x = keras.layers.Dropout(rate)(x) if i < values["depth"] - 1 else x  # the head has its own
    return x


def embedding_size(num_categories: int, factor: float = 1.0) -> int:
    """Elements that one of so many categories becomes.

    >>> [embedding_size(n) for n in (2, 10, 100, 1000)]
    [2, 6, 21, 50]
    """
    return max(1, min(LARGEST_EMBEDDING, round(factor * 1.6 * num_categories**0.56)))


def _taken(inputs: keras.KerasTensor, places: Sequence[int]) -> keras.KerasTensor:
    """These elements of each row; a slice where they lie together."""
    first, last = places[0], places[-1]
    if list(places) == list(range(first, last + 1)):
        return inputs[:, first : last + 1]
    return keras.ops.take(inputs, list(places), axis=1)


def _embedded(values: dict[str, Any], inputs: keras.KerasTensor, slots: Sequence[Slot]) -> list[keras.KerasTensor]:
    """Columns with embeddings of the same size share one table, so that a thousand columns make a few layers."""
    groups: dict[int, list[Slot]] = {}
    for slot in slots:
        groups.setdefault(embedding_size(slot.size - 2, values["embedding_factor"]), []).append(slot)
    parts = []
    for size, group in sorted(groups.items()):
        sizes = np.array([slot.size for slot in group], np.int32)
        offsets = np.cumsum(sizes, dtype=np.int32) - sizes
        codes = keras.ops.cast(_taken(inputs, [slot.start for slot in group]), "int32")
        codes = keras.ops.minimum(keras.ops.maximum(codes, 0), sizes - 1) + offsets
        # a code that training never shows keeps what it starts with, so that has to be little
        start = keras.initializers.RandomNormal(stddev=0.05)
        table = keras.layers.Embedding(int(sizes.sum()), size, embeddings_initializer=start, name=f"embedding_{size}")
        parts.append(keras.layers.Flatten()(table(codes)))
    return parts


def _encoded(values: dict[str, Any], numbers: keras.KerasTensor, count: int) -> keras.KerasTensor:
    encoding = values["numbers"]
    if encoding not in ("plain", "piecewise", "periodic"):
        raise ValueError(f"`mlp/numbers` must be plain, piecewise or periodic. Received: {encoding!r}.")
    if encoding == "piecewise" and count * NUM_BINS <= MOST_ENCODED:
        return piecewise(numbers)
    if encoding == "periodic" and count * NUM_FREQUENCIES <= MOST_ENCODED:
        return periodic(numbers, count, values["frequency"])
    return numbers


def piecewise(numbers: keras.KerasTensor) -> keras.KerasTensor:
    """How much of each bin lies below the number: 1 for bins below it, 0 for those above (Gorishniy 2022, "PLE").

    Numbers come as standard normal scores, so the bins' edges are the normal's quantiles, whatever the data is.

    Args:
        numbers: `<float32>[batch, count]`.

    Returns:
        `<float32>[batch, count * NUM_BINS]`.
    """
    inner = [NormalDist().inv_cdf(i / NUM_BINS) for i in range(1, NUM_BINS)]
    edges = np.array([-2.5, *inner, 2.5], np.float32)
    least, most = np.zeros(NUM_BINS, np.float32), np.ones(NUM_BINS, np.float32)
    least[0], most[-1] = -5.0, 5.0  # the outermost bins go on beyond their edge
    x = (keras.ops.expand_dims(numbers, -1) - edges[:-1]) / np.diff(edges)
    x = keras.ops.minimum(keras.ops.maximum(x, least), most)
    return keras.layers.Flatten(name="piecewise")(x)


def periodic(numbers: keras.KerasTensor, count: int, frequency: float) -> keras.KerasTensor:
    """Sines and cosines of learnt frequencies, mixed by a small layer for each column (Gorishniy 2022, "PLR").

    Args:
        numbers: `<float32>[batch, count]`.
        count: Number of columns.
        frequency: Standard deviation of the frequencies at the start.

    Returns:
        `<float32>[batch, count * NUM_FREQUENCIES]`.
    """
    start = keras.initializers.RandomNormal(stddev=2.0 * np.pi * frequency)
    waves = keras.layers.EinsumDense(
        "bf,fk->bfk", (count, NUM_FREQUENCIES), kernel_initializer=start, name="frequencies"
    )(numbers)
    waves = keras.ops.concatenate([keras.ops.sin(waves), keras.ops.cos(waves)], axis=-1)
    mixed = keras.layers.EinsumDense(
        "bfk,fkd->bfd", (count, NUM_FREQUENCIES), bias_axes="fd", activation="relu", name="waves"
    )(waves)
    return keras.layers.Flatten(name="periodic")(mixed)


def _norm(name: str) -> keras.layers.Layer:
    if name == "batch":
        # Keras' default of 0.99 needs thousands of steps before validation sees sound averages
        return keras.layers.BatchNormalization(momentum=0.9)
    if name == "layer":
        return keras.layers.LayerNormalization()
    if name == "none":
        return keras.layers.Identity()
    raise ValueError(f"`mlp/norm` must be none, batch or layer. Received: {name!r}.")


def _fits(spec: DataSpec) -> bool:
    return any(slot.kind is not ColumnKind.TEXT for slot in spec.table.slots)


MLP = Space(
    name="mlp",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.TABLE}),
    fits=_fits,
)
