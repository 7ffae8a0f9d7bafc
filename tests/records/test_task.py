"""What is improved where nobody said, and what is refused."""

import pytest

from records.config import RunConfig
from records.errors import ConfigError
from records.task import METRICS, TASKS, default_metric, get_task


@pytest.mark.parametrize("name", TASKS)
def test_a_task_improves_only_what_it_reports(name: str) -> None:
    task = TASKS[name]
    assert task.objective in task.objectives
    assert set(task.objectives) <= set(task.metrics) <= set(METRICS)


@pytest.mark.parametrize(
    ("task", "counts", "metric"),
    [
        ("classification", (50, 50), "accuracy"),
        ("classification", (50, 13), "accuracy"),
        ("classification", (50, 12), "roc_auc"),
        ("classification", (50, 40, 12), "f1_macro"),
        ("classification", (), "accuracy"),
        ("regression", (), "rmse"),
        ("forecasting", (), "mase"),
    ],
)
def test_the_metric_suits_the_classes(task: str, counts: tuple[int, ...], metric: str) -> None:
    assert default_metric(task, counts) == metric


def test_a_metric_of_another_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no metric 'mase' for regression. Known: rmse, mae, r2"):
        get_task("regression", "mase")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"kind": "sound"}, "`kind` must be one of image, text, series, table, forecast"),
        ({"task": "ranking"}, "`task` must be one of classification, regression, forecasting"),
        ({"horizon": 0}, "`horizon` must lie between 1 and"),
        ({"quantiles": (0.9, 0.5)}, "`quantiles` must rise"),
        ({"quantiles": (0.1, 0.9)}, "must hold 0.5"),
        ({"max_tokens": 2}, "`max-tokens` must lie between 4 and 512"),
        ({"validation_fraction": 0.7}, "must lie between 0 and 0.5"),
    ],
)
def test_wishes_out_of_range_are_refused(wish: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError, match=message):
        RunConfig(data="x", **wish)
