"""From a csv to trained networks: a table whose answer is no sum over its columns."""

import csv
from pathlib import Path

import keras
import numpy as np
import pytest

from pipelines.batches import TrainingData
from pipelines.datasets.tables.reading import read as read_table
from pipelines.metrics import Truth, score
from pipelines.preparing.draft import Draft
from pipelines.preparing.facts import TEST, TRAIN, VALIDATION
from pipelines.preparing.table import prepare_table
from pipelines.train import train
from records.config import RunConfig
from records.data import InputKind, Source
from records.task import get_task
from records.trial import Verdict
from search_spaces.floor import FLOOR
from search_spaces.space import Space, read
from search_spaces.tabular import MLP


def write_table(path: Path, count: int = 1500) -> Path:
    """The price of a thing rises with its size in Rome and falls with it elsewhere, and jumps where it is new."""
    rng = np.random.default_rng(0)
    size, age, town = rng.normal(50, 20, count), rng.integers(0, 60, count), rng.choice(["Oslo", "Rome"], count)
    price = np.where(town == "Rome", 1, -1) * (size - 50) + 40 * (age < 10) + rng.normal(size=count)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["size", "age", "town", "price", "dear"])
        for row in zip(size.round(2), age, town, price.round(2), np.where(price > 15, "yes", "no"), strict=True):
            writer.writerow(row)
    return path


def trained(space: Space, draft: Draft, inputs: np.ndarray) -> float:
    """The objective on the test split."""
    task = get_task(draft.spec.task)
    values = read(space, {}, draft.spec)
    keras.utils.set_random_seed(0)
    model = space.build(values, draft.spec, task)
    data = TrainingData(
        inputs=inputs,
        truth=Truth(targets=draft.targets),
        spec=draft.spec,
        train_rows=np.flatnonzero(draft.codes == TRAIN),
        validation_rows=np.flatnonzero(draft.codes == VALIDATION),
    )
    train(model, space.recipe(values), data, task, lambda report: Verdict.CONTINUE, 120.0)
    rows = np.flatnonzero(draft.codes == TEST)
    answers = np.asarray(model.predict_on_batch(inputs[rows]))
    return score(task, Truth(targets=draft.targets[rows]), answers)[task.objective]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "other"), [("price", "dear"), ("dear", "price")])
def test_network_learns_what_the_floor_cannot(target: str, other: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / "things.csv")
    source = Source(name="things", kind=InputKind.TABLE, fingerprint=None, frame=lambda: read_table(path))
    config = RunConfig(data=str(path), target=target, ignore=(other,))
    draft = prepare_table(source, config, tmp_path / "inputs.bin", lambda done, total: None)
    inputs = np.memmap(tmp_path / "inputs.bin", np.float32, "r", shape=(len(draft.codes), *draft.spec.input_shape))
    floor, found = trained(FLOOR, draft, inputs), trained(MLP, draft, inputs)
    if target == "price":
        assert found < 6.0 < 15.0 < floor  # the price's standard deviation is 25
    else:
        assert found > 0.93 > 0.87 > floor
