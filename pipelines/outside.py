"""What a trial said of examples that it had not seen: kept, so that trials can be averaged and compared afterwards."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from store.files import write_atomically, writing

OUTSIDE = "outside.npz"


def save_outside(folder: Path, rows: np.ndarray, predictions: np.ndarray) -> None:
    """Writes both, whole or not at all.

    Args:
        folder: Of the trial.
        rows: `<int64>[examples]`, of the prepared arrays, each at most once.
        predictions: `<float32>[examples, ...]`, of these rows.

    Raises:
        StoreError: The disk is full, or the folder cannot be written.
    """
    order = np.argsort(rows)
    buffer = io.BytesIO()
    np.savez(buffer, rows=np.asarray(rows, np.int64)[order], predictions=np.asarray(predictions, np.float32)[order])
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / OUTSIDE, buffer.getvalue())


def load_outside(folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows of the prepared arrays `<int64>[examples]`, ascending, and a trial's predictions of them.

    None of these rows was the trial's network fitted on: the validation split, or, where examples are few and the trial
    was not stopped, all examples that may be fitted on. `None` where the trial left none.
    """
    if not (folder / OUTSIDE).is_file():
        return None
    with np.load(folder / OUTSIDE, allow_pickle=False) as saved:
        return saved["rows"], saved["predictions"]
