"""What an evaluation says in sentences: comparisons, calibration, coverage, and what perfect scores do not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipelines.reporting.kinds import FEW, floor_words
from pipelines.reporting.wording import clean, count, interval, less_is_better, metric_title, number, plural, signed
from records.bundle import Average, Manifest
from records.evaluation import Comparison, Evaluation, Figure
from records.spec import DataSpec
from records.task import Decision

BASELINES = {
    "majority": ("a model that always answers the most frequent class", "the most frequent class"),
    "mean": ("a model that always answers the mean of the training examples", "the mean"),
    "seasonal_naive": ("the values of one season before", "the values of one season before"),
}
"""What each is called, at length and in short; the floor depends on the kind of data."""
MOST_COSTS = 10
"""Costs that are named."""


class Standing(StrEnum):
    """How a model compares with a baseline, as far as the interval of the difference tells."""

    BETTER = "better"
    UNCLEAR = "unclear"
    WORSE = "worse"
    SAME = "same"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A comparison in words."""

    standing: Standing
    short: str
    """Better than the floor."""
    detail: str
    """The sentence with the figures."""


def verdicts(evaluation: Evaluation, space: str, kind: str = "") -> list[Verdict]:
    """Each comparison in words, the one that matters most first.

    Args:
        evaluation: Holds the comparisons.
        space: Of the model; the floor is not compared with itself.
        kind: Of the input; tells what the floor is.
    """
    comparisons = sorted(evaluation.comparisons, key=lambda c: space == c.baseline == "floor")
    told = [_verdict(comparison, evaluation, space, kind) for comparison in comparisons]
    if not any(comparison.baseline == "floor" for comparison in comparisons):
        detail = "The floor baseline gave no result in this run, so there is no comparison with it."
        told.append(Verdict(standing=Standing.UNCLEAR, short="No floor", detail=detail))
    return told


def _verdict(comparison: Comparison, evaluation: Evaluation, space: str, kind: str) -> Verdict:
    named = comparison.baseline
    name, short = (floor_words(kind), "the floor") if named == "floor" else BASELINES.get(named, (named, named))
    if named == space == "floor":
        itself = name.replace("the floor baseline", "the floor baseline itself")
        detail = f"It is {itself}: the search found nothing that scored better."
        return Verdict(standing=Standing.SAME, short="Not better than the floor", detail=detail)
    detail = (
        f"{metric_title(comparison.metric)} {number(evaluation.metrics[comparison.metric].value)} against "
        f"{number(comparison.baseline_value)} of {name}: a paired difference of "
        f"{_difference(comparison.metric, comparison.difference)}."
    )
    detail = detail[0].upper() + detail[1:]
    if comparison.better:
        return Verdict(standing=Standing.BETTER, short=f"Better than {short}", detail=detail)
    if comparison.difference.high < 0:
        return Verdict(standing=Standing.WORSE, short=f"Worse than {short}", detail=detail)
    if comparison.difference.low > 0:
        detail += f" But {plural(evaluation.num_clusters or 0, 'group')} of test examples can show nothing for certain."
    else:
        detail += " The interval does not lie above 0."
    return Verdict(standing=Standing.UNCLEAR, short=f"Not shown to be better than {short}", detail=detail)


def _difference(metric: str, figure: Figure) -> str:
    widest = max(abs(figure.low), abs(figure.high))
    told = f"{signed(figure.value)} (95 % interval {signed(figure.low, widest)} to {signed(figure.high, widest)}"
    return told + ("; + means less, which is better)" if less_is_better(metric) else ")")


def calibration(evaluation: Evaluation) -> str:
    """The calibration error in words; empty where there is none."""
    error = evaluation.calibration_error
    if error is None:
        return ""
    points = 100 * error.value
    return (
        f"The probability of the top class and how often it is right differ by {points:.1f} percentage points on "
        f"average (expected calibration error {number(error.value)}, {interval(error)}, 15 bins)."
    )


def coverage(evaluation: Evaluation, quantiles: Sequence[float]) -> str:
    """How far a forecast's range can be believed; empty where there is none."""
    figure = evaluation.metrics.get("coverage")
    if figure is None or len(quantiles) < 2:
        return ""
    low, high = quantiles[0], quantiles[-1]
    told = (
        f"Between its {low:g} and its {high:g} quantile should lie {_percent(high - low)} of the true values; "
        f"{_percent(figure.value)} do (95 % interval {_percent(figure.low)} to {_percent(figure.high)})."
    )
    if figure.high < high - low:
        return f"{told} The range is too narrow."
    return f"{told} The range is too wide." if figure.low > high - low else told


def decision_sentences(decision: Decision, labels: Sequence[str], objective: str) -> list[str]:
    """How probabilities become an answer, where it is not simply the most likely class."""
    if decision.threshold is not None:
        by = metric_title("f1_macro" if objective == "roc_auc" else objective)
        return [
            f"It answers {clean(labels[1])} from a probability of {number(decision.threshold)} on, instead of one "
            f"half: on the validation split that gives the better {by}."
        ]
    if decision.costs is None:
        return []
    named = [
        f"{clean(labels[i])} answered as {clean(labels[j])} costs {cost:g}"
        for i, row in enumerate(decision.costs)
        for j, cost in enumerate(row)
        if i != j and cost != 1.0
    ]
    if not named:
        return ["It answers the class with the least expected cost, where every mistake costs 1."]
    more = f", and {count(len(named) - MOST_COSTS)} more such" if len(named) > MOST_COSTS else ""
    listed = ", ".join(named[:MOST_COSTS]) + more
    return [f"It answers the class with the least expected cost: {listed}; any other mistake costs 1."]


def average_sentences(average: Average | None, objective: str) -> list[str]:
    """Which trials were averaged, what that gained, and which of them were fitted again; nothing for one network."""
    if average is None:
        return []
    parts = [f"trial {part.trial} ({clean(part.space)}) counts {_percent(part.weight)}" for part in average.parts]
    told = [
        f"It is the average of {len(parts)} networks: {', '.join(parts)}.",
        f"On {plural(average.num_examples, 'example')} that none of them was fitted on, the average has "
        f"{metric_title(objective)} {number(average.score)}, and the best trial alone {number(average.single_score)}. "
        "The average was chosen by these same examples, which flatters it.",
    ]
    if all(part.refitted for part in average.parts):
        return [*told, "Then each was fitted again on training and validation examples together."]
    for part in average.parts:
        again = "was fitted again on training and validation examples together."
        told.append(f"Trial {part.trial} {again if part.refitted else f'keeps its weights. {clean(part.note)}'}")
    return told


def fits_sentence(fits: int) -> str:
    """That one trial was fitted several times; empty where it was not."""
    if fits < 2:
        return ""
    return f"It is the average of {fits} networks with the same settings, fitted from different seeds."


def role(manifest: Manifest, winner: int, trial: int) -> str:
    """What a trial is to the model; empty for most."""
    if manifest.average is None:
        return "the model" if trial == winner else ""
    weights = {part.trial: part.weight for part in manifest.average.parts}
    return f"{_percent(weights[trial])} of the model" if trial in weights else ""


def metric_note(name: str, manifest: Manifest, spec: DataSpec) -> str:
    """What to know about a figure that stands in a table; empty for most."""
    told = ["what the search improved"] if name == manifest.objective else []
    if name in ("rmse", "mae") and spec.target:
        told.append(f"in the unit of {clean(spec.target)}")
    if name in ("mase", "pinball"):
        told.append("relative to the values of one season before, in training")
    if name == "coverage" and len(manifest.quantiles) > 1:
        told.append(f"should be {manifest.quantiles[-1] - manifest.quantiles[0]:g}")
    return "; ".join([*told, "less is better"] if less_is_better(name) else told)


def certainty_note(evaluation: Evaluation) -> str:
    """What a perfect score, or a test split of few groups, does and does not say; empty for any other.

    Resampling a test split without a mistake gives an interval without width. The exact bound is 1 - 0.05^(1/n).
    """
    clusters = evaluation.num_clusters
    if clusters is not None and clusters < FEW:
        return (
            f"{plural(evaluation.num_examples, 'test example')} are only {plural(clusters, 'group')}, of examples that "
            "are not independent of each other. With so few, intervals are rough and may be too narrow."
        )
    accuracy = evaluation.metrics.get("accuracy")
    if accuracy is None or accuracy.value < 1.0:
        return ""
    bound = 1.0 - 0.05 ** (1.0 / max(1, clusters or evaluation.num_examples))
    return (
        f"There was no mistake among {plural(evaluation.num_examples, 'test example')}. That is compatible with an "
        f"error rate of up to {100 * bound:.2g} % (exact one-sided 95 % bound), which the bootstrap cannot see."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share < 0.995 or share == 1.0 else f"{100 * share:.1f} %"
