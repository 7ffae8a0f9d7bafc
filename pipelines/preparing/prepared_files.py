"""The files of a prepared dataset."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.preparing.draft import Draft
from pipelines.preparing.facts import SPLITS, RowIds
from records.data import DataSpec, Finding, InputKind, Prepared, Severity, Understood
from records.errors import StoreError
from records.spec import ColumnKind, ForecastLayout, Layout, SeriesLayout, Slot, TableLayout, TextLayout

FORMAT = 2
"""Raised when files or their meaning change: what an older program prepared is then prepared again."""
INPUTS = "inputs.bin"
TARGETS = "targets.npy"
CODES = "splits.npy"
SCALES = "scales.npy"
CLUSTERS = "clusters.npy"
NUMBERS = "row_numbers.npy"
METADATA = "metadata.json"
LAYOUTS: dict[str, Any] = {layout.__name__: layout for layout in (TextLayout, SeriesLayout, ForecastLayout)}


def save(draft: Draft, folder: Path, fingerprint: str, understood: tuple[Understood, ...]) -> None:
    """Writes everything but the inputs into `folder`, the metadata last.

    Args:
        draft: What was prepared.
        folder: Where its inputs lie.
        fingerprint: Of source and request.
        understood: What the source told of itself.
    """
    arrays = {TARGETS: draft.targets, CODES: draft.codes, SCALES: draft.scales, CLUSTERS: draft.clusters}
    ids: Any = list(draft.ids)
    if isinstance(draft.ids, RowIds):
        arrays[NUMBERS], ids = draft.ids.numbers, draft.ids.word
    metadata = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "num_examples": len(draft.ids),
        "spec": asdict(draft.spec),
        "layout": type(draft.spec.layout).__name__,
        "codec": draft.codec.to_json(),
        "ids": ids,
        "sample": draft.sample,
        "sample_row": draft.sample_row,
        "findings": [asdict(finding) for finding in draft.findings],
        "understood": [asdict(one) for one in (*understood, *draft.understood)],
    }
    for name, array in arrays.items():
        if array is not None:
            with (folder / name).open("wb") as file:
                np.save(file, array, allow_pickle=False)
                _sync(file)
    with (folder / METADATA).open("w", encoding="ascii") as text:
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
        spec = _spec(metadata["spec"], metadata["layout"])
        shape = (metadata["num_examples"], *spec.input_shape)
        if (folder / INPUTS).stat().st_size != np.prod(shape, dtype=np.int64) * np.dtype(spec.dtype).itemsize:
            raise ValueError(f"{INPUTS} is cut short")
        inputs = np.memmap(folder / INPUTS, dtype=spec.dtype, mode="r", shape=shape)
        names = (TARGETS, CODES, SCALES, CLUSTERS, NUMBERS)
        targets, codes, scales, clusters, numbers = (_load(folder / name) for name in names)
        ids = metadata["ids"] if numbers is None else RowIds(numbers, metadata["ids"])
        if any(a is not None and len(a) != shape[0] for a in (targets, codes, scales, clusters, ids)):
            raise ValueError("its files do not belong together")
        return Prepared(
            fingerprint=metadata["fingerprint"],
            folder=folder,
            spec=spec,
            codec=metadata["codec"],
            inputs=inputs,
            targets=targets,
            ids=ids,
            indices=indices(codes),
            scales=scales,
            clusters=clusters,
            sample=metadata["sample"],
            sample_row=metadata["sample_row"],
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


def _load(path: Path) -> Any:
    return np.load(path, allow_pickle=False) if path.exists() or path.name in (TARGETS, CODES) else None


def _spec(saved: dict[str, Any], layout: str) -> DataSpec:
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in saved.items()}
    values |= {"kind": InputKind(saved["kind"]), "layout": _layout(saved["layout"], layout)}
    return DataSpec(**values)


def _layout(saved: dict[str, Any] | None, name: str) -> Layout | None:
    if saved is None:
        return None
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()}
    if name == TableLayout.__name__:
        slots = tuple(Slot(**{**slot, "kind": ColumnKind(slot["kind"])}) for slot in values["slots"])
        return TableLayout(slots=slots, tokenizer=values["tokenizer"])
    return LAYOUTS[name](**values)


def _finding(saved: dict[str, Any]) -> Finding:
    return Finding(**{**saved, "severity": Severity(saved["severity"]), "examples": tuple(saved["examples"])})


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
