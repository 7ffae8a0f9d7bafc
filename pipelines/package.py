"""From a candidate to a registered bundle. The registry's row comes last: until then there is no model.

Killed anywhere before that row, a run leaves at most garbage in BentoML's store, which the next run removes.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.backend import libraries
from pipelines.evaluate import TestReading, predict_rows
from pipelines.export import compare_engines, export_litert, export_onnx, fastest, save_keras
from pipelines.export_child import engines_elsewhere, exports_here
from pipelines.graph import has_accelerator
from pipelines.precision import exact
from records.bundle import (
    CARD,
    CODEC,
    MANIFEST,
    REFERENCE,
    REPORT,
    SAMPLE_ANSWER,
    SAMPLE_REQUEST,
    Engine,
    Manifest,
)
from records.candidate import Candidate
from records.data import InputKind, Prepared, Split
from records.errors import BundleError
from records.registry import ModelVersion
from records.task import Decision, Task
from records.trial import Run
from serving.bundle import ModelBundle, open_bundle, verify, write_checksums
from serving.engines import ENGINES
from serving.honesty.conformal import Scores, save_scores
from serving.model_store import put
from serving.parsing.bodies import parse_request
from store.files import writing
from store.home import Home
from store.registry import Registry

PACKAGES = ("kerasmith", "keras", *libraries(), "keras-tuner", "optuna", "onnx", "onnxruntime", "bentoml", "numpy")
NUM_COMPARED = 32
NUM_REFERENCE = 512
"""Validation examples whose embeddings and predictions the bundle keeps, to compare traffic with."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """Everything that goes into a bundle."""

    run: Run
    task: Task
    candidate: Candidate
    prepared: Prepared
    reading: TestReading
    decision: Decision
    write_papers: Callable[[Manifest], tuple[str, str]]
    """From the manifest to the report's HTML and the card's Markdown."""
    scores: Scores | None = None
    """What the bundle finds sets and intervals by."""


def package(parts: Package, home: Home, registry: Registry) -> tuple[ModelVersion, Manifest]:
    """Writes the bundle, checks that it answers as training did, stores it, and registers it last.

    Raises:
        BundleError: No engine gives what training gave, or the bundle does not reproduce its own sample.
        StoreError: The disk is full.
    """
    bundle_id = uuid.uuid4().hex[:16]
    folder = home.run_folder(parts.run.id) / f"bundle-{bundle_id}"
    try:
        with writing(folder):
            folder.mkdir(parents=True)
            manifest = _write(parts, folder, bundle_id)
            checksum = write_checksums(folder)
        _check(folder, checksum)
        put(home, parts.run.name, bundle_id, folder)
        return registry.register(parts.run.name, bundle_id, parts.run.id, checksum, _summary(manifest)), manifest
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(parts: Package, folder: Path, bundle_id: str) -> Manifest:
    rows = np.asarray(parts.prepared.indices[Split.VALIDATION])
    sample = parts.prepared.inputs[rows[:NUM_COMPARED]]
    model = save_keras(parts.candidate.model, folder)
    with exact(has_accelerator()):
        expected = predict_rows(model, parts.prepared, rows[:NUM_COMPARED])
    if exports_here():
        failures = export_onnx(model, folder, sample), export_litert(model, folder, sample)
        engines = compare_engines(folder, sample, expected, *failures)
    else:
        engines = engines_elsewhere(folder, sample, expected)
    (folder / CODEC).write_text(json.dumps(parts.prepared.codec, indent=1), "utf-8")
    manifest = _manifest(parts, folder, bundle_id, engines)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), "utf-8")
    bundle = open_bundle(folder)
    try:
        _write_sample(parts.prepared, bundle)
        _write_reference(parts, rows[:NUM_REFERENCE], bundle)
    finally:
        bundle.close()
    if parts.scores is not None:
        save_scores(folder, parts.scores)
    report, card = parts.write_papers(manifest)
    (folder / REPORT).write_text(report, "utf-8")
    (folder / CARD).write_text(card, "utf-8")
    return manifest


def _manifest(parts: Package, folder: Path, bundle_id: str, engines: list[Engine]) -> Manifest:
    chosen = fastest(engines)
    spec, trial = parts.prepared.spec, parts.candidate.trial
    return Manifest(
        name=parts.run.name,
        bundle_id=bundle_id,
        run_id=parts.run.id,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        kerasmith_version=metadata.version("kerasmith"),
        task=parts.task.name,
        objective=parts.task.objective,
        input_kind=spec.kind.value,
        input_shape=spec.input_shape,
        input_dtype=spec.dtype,
        labels=spec.labels,
        target=spec.target,
        decision=parts.decision,
        quantiles=spec.forecast.quantiles if spec.kind is InputKind.FORECAST else (),
        engine=chosen.name,
        engines=tuple(engines),
        space=parts.candidate.space,
        values=trial.values,
        average=parts.candidate.average,
        calibration=parts.candidate.calibration,
        fits=parts.candidate.fits,
        num_parameters=parts.candidate.model.count_params(),
        size_bytes=(folder / ENGINES[chosen.name].file).stat().st_size,
        packages={name: metadata.version(name) for name in PACKAGES},
        data_fingerprint=parts.prepared.fingerprint,
        num_examples={split.value: len(rows) for split, rows in parts.prepared.indices.items()},
        evaluation=parts.reading.evaluation,
    )


def _write_sample(prepared: Prepared, bundle: ModelBundle) -> None:
    """A request that works as printed, made of a validation example, and the answer that it gets."""
    row = prepared.sample_row if prepared.sample else int(prepared.indices[Split.VALIDATION][0])
    sample = prepared.sample or {"image": base64.b64encode(png(prepared.inputs[row])).decode()}
    request = json.dumps({"inputs": [sample]})
    raws = parse_request("application/json", b"", request.encode(), prepared.spec.kind).raws
    if not np.array_equal(bundle.codec.encode(raws[0]), prepared.inputs[row]):
        raise BundleError("The codec makes another array of a raw example than preparing did. Nothing was registered.")
    (bundle.folder / SAMPLE_REQUEST).write_text(request, "utf-8")
    answers = bundle.predict(raws)
    saved = {"predictions": [answer.model_dump(exclude_none=True) for answer in answers]}
    (bundle.folder / SAMPLE_ANSWER).write_text(json.dumps(saved), "utf-8")


def _write_reference(parts: Package, rows: np.ndarray, bundle: ModelBundle) -> None:
    """Embeddings and predictions on validation examples: what the network's traffic looked like when it was made."""
    outputs = [bundle.engine.run(parts.prepared.inputs[rows[i : i + 32]]) for i in range(0, len(rows), 32)]
    np.savez(
        bundle.folder / REFERENCE,
        predictions=np.concatenate([prediction for prediction, _ in outputs]).astype(np.float32),
        embeddings=np.concatenate([embedding for _, embedding in outputs]).astype(np.float32),
        validation_predictions=np.asarray(parts.candidate.validation_predictions, np.float32),
        validation_targets=np.asarray(parts.candidate.validation_targets),
        label_counts=np.asarray(parts.prepared.spec.label_counts, np.int64),
    )


def _check(folder: Path, checksum: str) -> None:
    verify(folder, checksum)
    bundle = open_bundle(folder)
    try:
        if not bundle.reproduces_sample():
            raise BundleError("The bundle does not give the answer to its own sample request. Nothing was registered.")
    finally:
        bundle.close()


def _summary(manifest: Manifest) -> dict[str, object]:
    chosen = next(engine for engine in manifest.engines if engine.name == manifest.engine)
    return {
        "objective": manifest.objective,
        "figure": manifest.evaluation.metrics[manifest.objective].model_dump(),
        "better_than": [one.baseline for one in manifest.evaluation.comparisons if one.better],
        "space": manifest.space,
        "engine": manifest.engine,
        "latency_ms": chosen.latency_ms,
        "size_bytes": manifest.size_bytes,
        "num_classes": len(manifest.labels),
        "task": manifest.task,
        "input_kind": manifest.input_kind,
    }


def png(image: np.ndarray) -> bytes:
    """A prepared image `<uint8>[height, width, channels]` as a PNG, which loses nothing."""
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, format="PNG")
    return buffer.getvalue()
