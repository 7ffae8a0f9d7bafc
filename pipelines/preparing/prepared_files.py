"""The files of a prepared dataset."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.preparing.facts import SPLITS
from records.data import DataSpec, Finding, InputKind, Prepared, Severity, Understood
from records.errors import StoreError

FORMAT = 1
"""Raised when files or their meaning change: what an older program prepared is then prepared again."""
INPUTS = "inputs.bin"
TARGETS = "targets.npy"
CODES = "splits.npy"
METADATA = "metadata.json"


def save(prepared: Prepared, codes: np.ndarray) -> None:
    """Writes everything but the inputs into `prepared.folder`, the metadata last.

    Args:
        prepared: What is described.
        codes: `<int8>[examples]`: position of each example's split in `SPLITS`, or -1.
    """
    metadata = {
        "format": FORMAT,
        "fingerprint": prepared.fingerprint,
        "num_examples": len(prepared.ids),
        "spec": asdict(prepared.spec),
        "codec": prepared.codec,
        "ids": prepared.ids,
        "findings": [asdict(finding) for finding in prepared.findings],
        "understood": [asdict(one) for one in prepared.understood],
    }
    for name, array in ((TARGETS, prepared.targets), (CODES, codes)):
        with (prepared.folder / name).open("wb") as file:
            np.save(file, array, allow_pickle=False)
            _sync(file)
    with (prepared.folder / METADATA).open("w", encoding="ascii") as text:
        json.dump(metadata, text)
        _sync(text)


def load_prepared(folder: Path) -> Prepared:
    """The dataset that was prepared in `folder`; its inputs are mapped, not read.

    Raises:
        StoreError: A file is missing, cut short, or of another format.
    """
    try:
        metadata = json.loads((folder / METADATA).read_text("ascii"))
        if metadata["format"] != FORMAT:
            raise ValueError(f"format {metadata['format']}")
        spec = _spec(metadata["spec"])
        shape = (metadata["num_examples"], *spec.input_shape)
        if (folder / INPUTS).stat().st_size != np.prod(shape, dtype=np.int64) * np.dtype(spec.dtype).itemsize:
            raise ValueError(f"{INPUTS} is cut short")
        inputs = np.memmap(folder / INPUTS, dtype=spec.dtype, mode="r", shape=shape)
        targets = np.load(folder / TARGETS, allow_pickle=False)
        codes = np.load(folder / CODES, allow_pickle=False)
        if not len(targets) == len(codes) == len(metadata["ids"]) == shape[0]:
            raise ValueError("its files do not belong together")
        return Prepared(
            fingerprint=metadata["fingerprint"],
            folder=folder,
            spec=spec,
            codec=metadata["codec"],
            inputs=inputs,
            targets=targets,
            ids=tuple(metadata["ids"]),
            indices=indices(codes),
            findings=tuple(_finding(saved) for saved in metadata["findings"]),
            understood=tuple(Understood(**saved) for saved in metadata["understood"]),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise StoreError(
            f"The prepared dataset in {folder} is damaged ({error}). Delete the folder; the next run prepares it again."
        ) from error


def indices(codes: np.ndarray) -> dict[Any, np.ndarray]:
    """Rows of each split, `<int64>[split size]`."""
    return {split: np.flatnonzero(codes == code).astype(np.int64) for code, split in enumerate(SPLITS)}


def _spec(saved: dict[str, Any]) -> DataSpec:
    return DataSpec(
        kind=InputKind(saved["kind"]),
        input_shape=tuple(saved["input_shape"]),
        dtype=saved["dtype"],
        labels=tuple(saved["labels"]),
        label_counts=tuple(saved["label_counts"]),
    )


def _finding(saved: dict[str, Any]) -> Finding:
    return Finding(**{**saved, "severity": Severity(saved["severity"]), "examples": tuple(saved["examples"])})


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
