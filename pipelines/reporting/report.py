"""The report of a run: one HTML file that needs nothing else, no network and no script."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from pipelines.reporting import charts, charts_numbers, kinds, states, verdicts, wording
from pipelines.reporting.course import course
from pipelines.reporting.facts import Mistake, ReportFacts
from pipelines.reporting.mattered import mattered, meaning
from pipelines.reporting.sureness import sureness_sentences
from records.spec import InputKind
from records.trial import TrialState

TEMPLATES = Path(__file__).parent / "templates"
MOST_SHOWN = 30
"""Classes that a table shows at once; the others are folded away."""
MOST_CONFUSIONS = 10
LARGEST_PICTURE = 160
SCALE_NAMES = {
    "majority": "most frequent class",
    "mean": "mean",
    "seasonal_naive": "one season before",
}
"""Of baselines beside the headline's small plot."""


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
    environment.globals |= {"w": wording, "say": verdicts, "kinds": kinds, "told": states}
    manifest, evaluation = facts.manifest, facts.manifest.evaluation
    return environment.get_template("report.html.j2").render(
        facts=facts,
        manifest=manifest,
        evaluation=evaluation,
        objective=evaluation.metrics[manifest.objective],
        verdicts=verdicts.verdicts(evaluation, manifest.space, manifest.input_kind),
        decided=verdicts.decision_sentences(manifest.decision, manifest.labels, manifest.objective),
        sure=sureness_sentences(manifest),
        scale=_scale(facts),
        classes=_fold(_class_rows(facts)),
        confusions=confusions(facts),
        plots=_plots(facts),
        mistakes=[(mistake, _picture(mistake)) for mistake in facts.mistakes],
        leaders=_fold(wording.ranked(facts.trials, manifest.objective)),
        failed=[trial for trial in facts.trials if not trial.scored],
        early=any(trial.state is TrialState.PRUNED for trial in facts.trials),
        course=course(facts.trials),
        mattered=mattered(facts.trials, manifest.objective),
        meaning=meaning(manifest.objective),
        counts=_fold(_count_rows(facts)),
        most_examples=max([1, *next(iter(facts.class_counts.values()), ())]),
        chosen=next(engine for engine in manifest.engines if engine.name == manifest.engine),
        limitations=kinds.limitations(manifest, facts.spec, facts.source_name),
    )


def _finalize(value: Any) -> Any:
    """Cleans text from the data before it is escaped; what is markup already, and numbers, stay."""
    return wording.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _plots(facts: ReportFacts) -> dict[str, Any]:
    """Those that the task and the kind of data have; an empty one where there is nothing to plot."""
    manifest = facts.manifest
    search = (facts.trials, manifest.objective, facts.winner)
    drawn: dict[str, Any] = dict.fromkeys(("confusion", "predicted", "steps", "windows"), "")
    drawn |= {"learning": charts.learning_plot(*search), "search": charts.search_plot(*search)}
    if manifest.labels:
        drawn["confusion"] = charts.confusion_plot(manifest.evaluation, manifest.labels)
    if facts.pairs is not None:
        drawn["predicted"] = charts_numbers.predicted_plot(facts.pairs, facts.spec.target)
    if manifest.evaluation.per_step:
        drawn["steps"] = charts_numbers.step_plot(manifest.evaluation.per_step)
        drawn["windows"] = [charts_numbers.window_plot(window, facts.spec.target) for window in facts.windows]
    return drawn


def _scale(facts: ReportFacts) -> list[dict[str, Any]]:
    """Rows of the headline's small plot: positions are shares of its width."""
    evaluation, objective = facts.manifest.evaluation, facts.manifest.objective
    ours = evaluation.metrics[objective]
    others = [c for c in evaluation.comparisons if c.baseline != facts.manifest.space]
    end = 1.0
    if wording.less_is_better(objective):  # has no upper end: the worst of the values takes that place
        end = 1.1 * max([ours.high, *(c.baseline_value for c in others)]) or 1.0
    low, high = _share(ours.low, end), _share(ours.high, end)
    rows = [{"name": "this model", "value": ours.value, "low": low, "high": high, "own": True}]
    floor = "season before" if facts.spec.kind is InputKind.FORECAST else "linear floor"
    for comparison in others:
        name = SCALE_NAMES.get(comparison.baseline, floor)
        rows.append({"name": name, "value": comparison.baseline_value, "low": 0.0, "high": 0.0, "own": False})
    for row in rows:
        row["at"] = _share(float(row["value"]), end)  # type: ignore[arg-type]
    return rows


def _share(value: float, end: float) -> float:
    return min(1.0, max(0.0, value / end))


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


def _picture(mistake: Mistake) -> Markup | str:
    """An image as a PNG in a data URI, at most 160 pixels wide and high; a series as a plot; empty for all else."""
    if mistake.series is not None:
        return charts_numbers.series_plot(mistake.series)
    if mistake.pixels is None:
        return ""
    pixels = mistake.pixels
    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    image = Image.fromarray(np.ascontiguousarray(flat, dtype=np.uint8))
    image.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
