"""A made-up run that looks like a real one, for what is shown to people."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.reporting.facts import Mistake, ReportFacts
from records.bundle import Engine, Manifest
from records.data import DataSpec, Finding, InputKind, Severity, Understood
from records.evaluation import ClassFigures, Comparison, Evaluation, Figure
from records.trial import EpochReport, Run, RunState, Trial, TrialResult, TrialState

CLOTHES = ("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt")
VALUES = {
    "frozen_backbone": {
        "frozen_backbone/backbone": "efficientnet_lite0",
        "frozen_backbone/resolution": 192,
        "frozen_backbone/hidden_units": 128,
        "frozen_backbone/dropout_rate": 0.3142,
        "frozen_backbone/optimizer": "adamw",
        "frozen_backbone/learning_rate": 0.0012345,
        "frozen_backbone/batch_size": 32,
    },
    "cnn": {"cnn/filters": 32, "cnn/num_blocks": 3, "cnn/norm": "batch", "cnn/flip": True, "cnn/learning_rate": 0.002},
    "floor": {},
}


def _around(value: float, width: float = 0.03) -> Figure:
    return Figure(value=value, low=max(0.0, value - width), high=min(1.0, value + width))


def _evaluation(labels: tuple[str, ...], support: int, objective: str, perfect: bool, margin: float) -> Evaluation:
    random = np.random.default_rng(7)
    num_classes = len(labels)
    confusion = np.zeros((num_classes, num_classes), int)
    for i in range(num_classes):
        wrong = 0 if perfect else int(random.integers(0, support // 3 + 1))
        confusion[i, i] = support - wrong
        np.add.at(confusion[i], (i + random.integers(1, num_classes, wrong)) % num_classes, 1)
    accuracy = float(np.trace(confusion) / confusion.sum())
    found = np.diagonal(confusion) / support
    metrics = {
        "accuracy": Figure(value=1.0, low=1.0, high=1.0) if perfect else _around(accuracy, 0.021),
        "balanced_accuracy": _around(accuracy - 0.004, 0.024),
        "f1_macro": _around(accuracy - 0.011, 0.026),
        "roc_auc": _around(0.5 + accuracy / 2, 0.01),
        "log_loss": Figure(value=0.412, low=0.361, high=0.474),
    }
    ours = metrics[objective].value
    return Evaluation(
        num_examples=support * num_classes,
        objective=objective,
        metrics=metrics,
        per_class=tuple(
            ClassFigures(label=label, support=support, precision=_around(p), recall=_around(p, 0.06), f1=_around(p))
            for label, p in zip(labels, found, strict=True)
        ),
        comparisons=tuple(
            Comparison(
                baseline=name,
                metric=objective,
                baseline_value=ours - gain if objective != "log_loss" else ours + gain,
                difference=Figure(value=gain, low=gain - 0.03, high=gain + 0.03),
                better=gain > 0.03,
            )
            for name, gain in (("floor", margin), ("majority", min(0.6, ours)))
        ),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
        calibration_error=Figure(value=0.031, low=0.011, high=0.051),
        worst=("test/hat/0041.jpg",),
    )


def _trial(number: int, space: str, score: float, epochs: int) -> Trial:
    reports = tuple(
        EpochReport(
            epoch=i + 1,
            score=score - 0.5 * 0.6 ** (i + 1) + 0.004 * ((i * 7 + number) % 3),
            train_loss=1 / (i + 1),
            val_loss=1.2 / (i + 1),
            seconds=(i + 1) * (0.6 + 0.13 * number),
        )
        for i in range(epochs)
    )
    result = TrialResult(
        score=score,
        best_step=100,
        steps=120,
        planned_steps=120,
        steps_per_epoch=10,
        seconds=epochs * 1.3 + 2,
        train_seconds=epochs * 1.1,
        predict_seconds=0.002,
        num_parameters=12345,
        peak_memory_bytes=900_000_000,
    )
    state = TrialState.COMPLETED
    values = {**VALUES[space]}
    return Trial(
        run_id="3f2a9c01d7e4",
        number=number,
        space=space,
        values=values,
        state=state,
        seed=number,
        score=score,
        result=result,
        epochs=reports,
    )


def _trials(num_trials: int) -> tuple[Trial, ...]:
    spaces = ["floor", *(("frozen_backbone", "cnn")[i % 2] for i in range(num_trials - 1))]
    random = np.random.default_rng(3)
    base = {"floor": 0.52, "cnn": 0.74, "frozen_backbone": 0.88}
    completed = [
        _trial(i, space, round(base[space] + float(random.normal(0, 0.02)), 4), 4 + i % 9)
        for i, space in enumerate(spaces)
    ]
    failed = Trial(
        run_id="3f2a9c01d7e4",
        number=num_trials,
        space="cnn",
        values=VALUES["cnn"],
        state=TrialState.FAILED,
        seed=1,
        error="NotFinite: The loss became nan at step 40.\nTraceback: not for people",
    )
    return (*completed, failed)


@pytest.fixture
def make_facts() -> Callable[..., ReportFacts]:
    """Makes the facts of a run; classes, size and outcome can be chosen."""

    def make(
        labels: tuple[str, ...] = CLOTHES,
        support: int = 37,
        objective: str = "accuracy",
        perfect: bool = False,
        margin: float = 0.31,
        num_trials: int = 12,
        space: str = "frozen_backbone",
        **fields: Any,
    ) -> ReportFacts:
        trials = _trials(num_trials)
        winner = max((t for t in trials if t.space == space), key=lambda t: t.score or 0)
        counts = tuple(support * 5 - 7 * (i % 9) for i in range(len(labels)))
        manifest = Manifest(
            name="clothing-small",
            bundle_id="b7d0c4e1f2a39586",
            run_id="3f2a9c01d7e4",
            created_at="2026-11-21T10:11:12+00:00",
            kerasmith_version="0.1.0",
            task="classification",
            objective=objective,
            input_kind="image",
            input_shape=(160, 160, 3),
            input_dtype="uint8",
            labels=labels,
            engine="onnxruntime",
            engines=(
                Engine(name="onnxruntime", usable=True, max_difference=4.2e-8, latency_ms=7.93),
                Engine(name="keras", usable=True, max_difference=0.0, latency_ms=31.7),
            ),
            space=space,
            values=winner.values,
            num_parameters=3_413_024,
            size_bytes=13_672_011,
            packages={"kerasmith": "0.1.0", "keras": "3.15.1", "tensorflow": "2.21.0", "onnxruntime": "1.31.0"},
            data_fingerprint="f" * 64,
            num_examples={
                "train": sum(counts),
                "validation": support * len(labels),
                "test": support * len(labels),
            },
            evaluation=_evaluation(labels, support, objective, perfect, margin),
        )
        run = Run(
            id="3f2a9c01d7e4",
            name="clothing-small",
            state=RunState.COMPLETED,
            config={"data": "clothing/", "seed": 0, "budget_seconds": 600.0},
            task="classification",
            objective=objective,
            started_at="2026-11-21T10:01:00+00:00",
            ended_at="2026-11-21T10:10:20+00:00",
            model="clothing-small:2",
        )
        ramp = np.add.outer(np.arange(160), np.arange(160)).astype(np.uint8)
        given: dict[str, Any] = {
            "manifest": manifest,
            "run": run,
            "trials": trials,
            "winner": winner.number,
            "spec": DataSpec(
                kind=InputKind.IMAGE, input_shape=(160, 160, 3), dtype="uint8", labels=labels, label_counts=counts
            ),
            "source_name": "clothing_small_160",
            "class_counts": {
                "train": counts,
                "validation": (support,) * len(labels),
                "test": (support,) * len(labels),
            },
            "findings": (
                Finding(
                    code="near_duplicates_across_splits",
                    severity=Severity.WARNING,
                    what="14 images look the same as an image of the test split.",
                    done="They were left out of training.",
                    examples=("train/hat/0012.jpg", "train/shirt/0199.jpg"),
                    count=14,
                ),
                Finding(
                    code="imbalance",
                    severity=Severity.INFO,
                    what="The largest class has 5.1 times as many examples as the smallest.",
                    done="Nothing was changed; --metric balanced_accuracy weighs classes alike.",
                ),
            ),
            "understood": (
                Understood(
                    what="train/ is the train split, val/ is the validation split, test/ is the test split.",
                    override="--source",
                ),
            ),
            "left_out": ("The backbone MobileNetV2 was left out: its weights could not be downloaded.",),
            "refitted": True,
            "seconds": {"prepare": 8.1, "search": 431.0, "refit": 37.2, "evaluate": 6.4, "package": 17.9},
            "mistakes": tuple(
                Mistake(
                    pixels=np.stack([ramp, ramp.T[::-1], ramp // (i + 1)], -1),
                    true=labels[i % len(labels)],
                    predicted=labels[0],
                    probability=0.99,
                )
                for i in range(1, 5)
            ),
            "commands": (
                ("Serve it over HTTP:", "kerasmith serve clothing-small"),
                ("Ask it about a picture:", "kerasmith predict clothing-small photo.jpg"),
            ),
        }
        return ReportFacts(**given | fields)

    return make
