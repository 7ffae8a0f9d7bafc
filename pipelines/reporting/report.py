"""The report of a run: one HTML file that needs nothing else, no network and no script."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from pipelines.reporting import charts, wording
from records.bundle import Manifest
from records.data import DataSpec, Finding, Prepared, Split, Understood
from records.trial import Run, Trial, TrialState

TEMPLATES = Path(__file__).parent / "templates"
MOST_SHOWN = 30
"""Classes that a table shows at once; the others are folded away."""
MOST_CONFUSIONS = 10
LARGEST_PICTURE = 160


@dataclass(frozen=True)
class Mistake:
    """A test example that was answered wrongly."""

    pixels: np.ndarray
    """`<uint8>[height, width, channels]` or `[height, width]`."""
    true: str
    predicted: str
    probability: float
    """Of the predicted class."""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """Everything that the report and the card tell."""

    manifest: Manifest
    run: Run
    trials: tuple[Trial, ...]
    winner: int
    """Number of the trial that became the model."""
    spec: DataSpec
    source_name: str
    class_counts: Mapping[str, tuple[int, ...]]
    """Examples of each class, per split: `count_classes` gives it."""
    findings: tuple[Finding, ...] = ()
    understood: tuple[Understood, ...] = ()
    left_out: tuple[str, ...] = ()
    """A sentence for each thing that could not be tried, and what it may cost."""
    refitted: bool = False
    refit_note: str = ""
    """Why it was not fitted again; empty when it was."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of each step, in their order."""
    mistakes: tuple[Mistake, ...] = ()
    """The most confident ones first."""
    commands: tuple[tuple[str, str], ...] = ()
    """What to type next: what it does, and the command."""


def count_classes(prepared: Prepared) -> dict[str, tuple[int, ...]]:
    """Examples of each class in each split, in the order train, validation, test."""
    targets, num_classes = np.asarray(prepared.targets), prepared.spec.num_classes
    return {
        split.value: tuple(np.bincount(targets[np.asarray(prepared.indices[split])], minlength=num_classes).tolist())
        for split in Split
        if split in prepared.indices
    }


def render_report(facts: ReportFacts) -> str:
    """The whole HTML document. Text from the data is escaped wherever it stands."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.globals["w"] = wording
    manifest = facts.manifest
    evaluation = manifest.evaluation
    return environment.get_template("report.html.j2").render(
        facts=facts,
        manifest=manifest,
        evaluation=evaluation,
        objective=evaluation.metrics[manifest.objective],
        verdicts=wording.verdicts(evaluation, manifest.space),
        scale=_scale(facts),
        classes=_fold(_class_rows(facts)),
        confusions=confusions(facts),
        confusion_plot=charts.confusion_plot(evaluation, manifest.labels),
        mistakes=[(mistake, _picture(mistake.pixels)) for mistake in facts.mistakes],
        leaders=_fold(wording.ranked(facts.trials, manifest.objective)),
        failed=[trial for trial in facts.trials if trial.state is not TrialState.COMPLETED],
        learning_plot=charts.learning_plot(facts.trials, manifest.objective, facts.winner),
        search_plot=charts.search_plot(facts.trials, manifest.objective, facts.winner),
        counts=_fold(_count_rows(facts)),
        most_examples=max([1, *next(iter(facts.class_counts.values()), ())]),
        chosen=next(engine for engine in manifest.engines if engine.name == manifest.engine),
        limitations=wording.limitations(manifest, facts.source_name),
    )


def _finalize(value: Any) -> Any:
    """Cleans text from the data before it is escaped; what is markup already, and numbers, stay."""
    return wording.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _scale(facts: ReportFacts) -> list[dict[str, Any]]:
    """Rows of the headline's small plot: positions are shares of its width."""
    evaluation, objective = facts.manifest.evaluation, facts.manifest.objective
    ours = evaluation.metrics[objective]
    others = [c for c in evaluation.comparisons if c.baseline != facts.manifest.space]
    # log-loss has no upper end: the worst of the values takes that place
    end = 1.0 if objective != "log_loss" else 1.1 * max([ours.high, *(c.baseline_value for c in others)])
    rows = [{"name": "this model", "value": ours.value, "low": ours.low / end, "high": ours.high / end, "own": True}]
    for comparison in others:
        short = {"floor": "linear floor", "majority": "most frequent class"}.get(
            comparison.baseline, comparison.baseline
        )
        rows.append({"name": short, "value": comparison.baseline_value, "low": 0.0, "high": 0.0, "own": False})
    for row in rows:
        row["at"] = min(1.0, max(0.0, float(row["value"]) / end)) if end else 0.0  # type: ignore[arg-type]
    return rows


def _class_rows(facts: ReportFacts) -> list[Any]:
    """In the order of the classes; the weakest first where some will be folded away."""
    rows = list(facts.manifest.evaluation.per_class)
    return rows if len(rows) <= MOST_SHOWN else sorted(rows, key=lambda row: row.f1.value)


def _count_rows(facts: ReportFacts) -> list[tuple[str, list[int]]]:
    """The examples of each class in each split."""
    splits = list(facts.class_counts.values())
    return [(label, [counts[i] for counts in splits]) for i, label in enumerate(facts.spec.labels)]


def _fold(rows: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What is shown at once, and what is folded away."""
    shown = len(rows) if len(rows) <= MOST_SHOWN else MOST_SHOWN // 2
    return list(rows[:shown]), list(rows[shown:])


def confusions(facts: ReportFacts) -> list[tuple[str, str, int, float]]:
    """The most frequent mistakes: true class, answered class, how often, and as a share of the true class."""
    labels = facts.manifest.labels
    cells = [
        (labels[i], labels[j], cell, cell / sum(line))
        for i, line in enumerate(facts.manifest.evaluation.confusion)
        for j, cell in enumerate(line)
        if cell and i != j
    ]
    return sorted(cells, key=lambda cell: (-cell[2], -cell[3]))[:MOST_CONFUSIONS]


def _picture(pixels: np.ndarray) -> str:
    """A PNG as a data URI, at most 160 pixels wide and high."""
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    image = Image.fromarray(np.ascontiguousarray(flat, dtype=np.uint8))
    image.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
