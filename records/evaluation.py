"""How good a candidate is, on examples that nothing was chosen by."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Figure(BaseModel):
    """A measured value with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float


class ClassFigures(BaseModel):
    """One class on the test split."""

    model_config = ConfigDict(frozen=True)

    label: str
    support: int
    """Test examples of this class."""
    precision: Figure
    recall: Figure
    f1: Figure


class Comparison(BaseModel):
    """Candidate minus baseline on the same examples, with the interval of the paired difference."""

    model_config = ConfigDict(frozen=True)

    baseline: str
    """"floor" (the search's first trial), "majority" (always the most frequent class), "mean" (always the training
    split's mean) or "seasonal_naive" (the values of one season ago)."""
    metric: str
    baseline_value: float
    difference: Figure
    """In the metric's own unit; where less is better the sign is turned, so that positive always means better."""
    better: bool
    """True when the whole interval lies above 0, and test examples are independent or of six groups at least."""


class Coverage(BaseModel):
    """How often sets of classes, or intervals, held what was true: they are made as large as `asked` needs."""

    model_config = ConfigDict(frozen=True)

    asked: float
    """The share that should be inside."""
    found: Figure
    """The share that was, with the 95 % interval of a binomial share (Wilson 1927). Examples of one group, and steps of
    one forecast, count as one observation."""
    num_scores: int
    """Examples that the size was found on."""
    mean_size: float
    """Classes in a set; the width of an interval, in the target's unit."""


class Evaluation(BaseModel):
    """The one reading of the test split."""

    model_config = ConfigDict(frozen=True)

    split: str = "test"
    num_examples: int
    objective: str
    metrics: dict[str, Figure]
    per_class: tuple[ClassFigures, ...] = ()
    comparisons: tuple[Comparison, ...]
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows: the true class; columns: the predicted one."""
    calibration_error: Figure | None = None
    """Classification: expected calibration error of the top class, 15 equal-width bins (Guo et al. 2017)."""
    conformal: Coverage | None = None
    """`None`: there were too few examples to find sets or intervals on."""
    intervals: str = "95 % percentile bootstrap, 2000 resamples of the test examples"
    num_clusters: int | None = None
    """Groups of examples that were resampled together, where examples are not independent; `None`: each by itself."""
    per_step: tuple[Figure, ...] = ()
    """Forecasting: the mean absolute error of each step of the horizon."""
    worst: tuple[str, ...] = ()
    """Ids of the examples that were most confidently wrong, or furthest off, at most ten."""
