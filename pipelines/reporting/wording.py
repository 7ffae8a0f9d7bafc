"""How figures, names and verdicts are said to a person: the same in the report, the card and the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from records.bundle import Manifest
from records.evaluation import Comparison, Evaluation, Figure
from records.task import METRICS, Direction
from records.trial import Trial, TrialState

BASELINES = {
    "floor": ("the floor baseline, a linear model on small pixels", "the floor"),
    "majority": ("a model that always answers the most frequent class", "the most frequent class"),
}
"""What each is called, at length and in short."""
FEW_TEST_EXAMPLES = 20
"""Below this a class's figures say little, however narrow their intervals look."""
_WRONG_WAY = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
"""They turn the direction of the text that follows."""


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


def clean(text: object) -> str:
    """Text from data on one line, without characters that steer a terminal or turn the direction of writing."""
    kept = ("\ufffd" if _is_control(c) else c for c in " ".join(str(text).split()))
    return "".join(c for c in kept if c not in _WRONG_WAY)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


def number(value: float) -> str:
    """Three decimals: 0.914."""
    return f"{value:.3f}"


def signed(value: float) -> str:
    """With its sign, a real minus: +0.031, −0.004."""
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def interval(figure: Figure) -> str:
    """0.893 to 0.933."""
    return f"{number(figure.low)} to {number(figure.high)}"


def count(value: float) -> str:
    """12,345."""
    return f"{value:,.0f}"


def plural(value: int, one: str, many: str = "") -> str:
    """1 image, 2 images, 12,345 classes."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """0.4 s, 12 s, 3 min 20 s, 1 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def milliseconds(value: float) -> str:
    """0.17 ms, 2.1 ms, 38 ms."""
    return f"{value:.2f} ms" if value < 1 else f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def size(num_bytes: float) -> str:
    """3.4 MB, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 999.5:
            return f"{num_bytes:.0f} {unit}" if unit == "B" or num_bytes >= 99.5 else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} TB"


def metric_title(name: str) -> str:
    """What a person calls the metric."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


def setting_name(name: str) -> str:
    """`cnn/learning_rate` is the learning rate."""
    return clean(name.rpartition("/")[2].replace("_", " "))


def setting_value(value: Any) -> str:
    """Yes and no for booleans, at most three significant digits for fractions."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else clean(value)


def settings(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Hyperparameters as a person reads them."""
    return [(setting_name(name), setting_value(value)) for name, value in values.items()]


def ranked(trials: Sequence[Trial], objective: str) -> list[Trial]:
    """Completed trials, the best first; among equals the earlier."""
    done = [trial for trial in trials if trial.state is TrialState.COMPLETED and trial.score is not None]
    sign = -1.0 if METRICS[objective].direction is Direction.MAX else 1.0
    return sorted(done, key=lambda trial: (sign * (trial.score or 0.0), trial.number))


def verdicts(evaluation: Evaluation, space: str) -> list[Verdict]:
    """Each comparison in words, the one that matters most first.

    Args:
        evaluation: Holds the comparisons.
        space: Of the model; the floor is not compared with itself.
    """
    comparisons = sorted(evaluation.comparisons, key=lambda c: space == c.baseline == "floor")
    told = [_verdict(comparison, evaluation, space) for comparison in comparisons]
    if not any(comparison.baseline == "floor" for comparison in comparisons):
        detail = "The floor baseline gave no result in this run, so there is no comparison with it."
        told.append(Verdict(standing=Standing.UNCLEAR, short="No floor", detail=detail))
    return told


def _verdict(comparison: Comparison, evaluation: Evaluation, space: str) -> Verdict:
    name, short = BASELINES.get(comparison.baseline, (comparison.baseline, comparison.baseline))
    if comparison.baseline == space == "floor":
        detail = "It is the floor baseline itself: the search found nothing that scored better."
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
    detail += " The interval does not lie above 0."
    return Verdict(standing=Standing.UNCLEAR, short=f"Not shown to be better than {short}", detail=detail)


def _difference(metric: str, figure: Figure) -> str:
    told = f"{signed(figure.value)} (95 % interval {signed(figure.low)} to {signed(figure.high)}"
    return told + (")" if METRICS[metric].direction is Direction.MAX else "; + means less, which is better)")


def calibration(evaluation: Evaluation) -> str:
    """The calibration error in words."""
    error = evaluation.calibration_error
    points = 100 * error.value
    return (
        f"The probability of the top class and how often it is right differ by {points:.1f} percentage points on "
        f"average (expected calibration error {number(error.value)}, {interval(error)}, 15 bins)."
    )


def certainty_note(evaluation: Evaluation) -> str:
    """What a perfect score does and does not say; empty for any other.

    Resampling a test split without a mistake gives an interval without width. The exact bound is 1 - 0.05^(1/n).
    """
    accuracy = evaluation.metrics.get("accuracy")
    if accuracy is None or accuracy.value < 1.0:
        return ""
    bound = 1.0 - 0.05 ** (1.0 / max(1, evaluation.num_examples))
    return (
        f"There was no mistake among {plural(evaluation.num_examples, 'test example')}. That is compatible with an "
        f"error rate of up to {100 * bound:.2g} % (exact one-sided 95 % bound), which the bootstrap cannot see."
    )


def limitations(manifest: Manifest, source_name: str) -> list[str]:
    """What a reader must not conclude from the figures."""
    evaluation = manifest.evaluation
    few = [c.label for c in evaluation.per_class if c.support < FEW_TEST_EXAMPLES]
    told = [
        f"The figures hold for data like {clean(source_name)}. Images from elsewhere (another camera, place, season) "
        "can be answered worse, and nothing here measures how much.",
        f"It knows {plural(len(manifest.labels), 'class', 'classes')} and always answers with one of them, "
        "also for an image of something else.",
        f"It sees {input_sentence(manifest)}: what is lost at that size cannot be told apart.",
        "The intervals cover the choice of test examples. They do not cover another seed, another split, "
        "or labels that are wrong.",
    ]
    if few:
        names = ", ".join(clean(label) for label in few[:8]) + (f" and {len(few) - 8} more" if len(few) > 8 else "")
        told.append(
            f"Fewer than {FEW_TEST_EXAMPLES} test examples: {names}. An interval of such a class is too narrow, "
            "most of all one that is 0 or 1 without any width."
        )
    return told


def input_sentence(manifest: Manifest) -> str:
    """What one input is, once the codec has read it."""
    if manifest.input_kind != "image":
        return f"{manifest.input_kind} of shape {' × '.join(map(str, manifest.input_shape))}"
    height, width, channels = manifest.input_shape
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    return f"images of {width} × {height} pixels, {colour}"


def next_commands(name: str) -> tuple[tuple[str, str], ...]:
    """What a person would type next: what it does, and the command."""
    return (
        ("Serve it over HTTP", f"kerasmith serve {name}"),
        ("Ask it about a picture", f"kerasmith predict {name} picture.jpg"),
        ("See what was tried", "kerasmith runs"),
    )
