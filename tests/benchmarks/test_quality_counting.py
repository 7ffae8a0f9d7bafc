"""Wins, means and intervals of the comparison with others, counted as they are."""

import json
from pathlib import Path

import pytest

from benchmarks import quality_counting, tables
from benchmarks.quality_counting import compare, interval


def test_interval_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    for right, count in ((0, 5), (5, 5), (437, 500), (9123, 10_000)):
        expected = binomtest(right, count).proportion_ci(method="wilson")
        assert interval(right, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def figures(dataset: str, method: str, seed: int, accuracy: float) -> dict[str, object]:
    return {
        "dataset": dataset,
        "method": method,
        "seed": seed,
        "accuracy": accuracy,
        "test_examples": 1000,
        "budget_seconds": 180.0,
        "seconds": 171.0,
        "trials": 7,
        "peak_memory_mb": 900,
        "split": "made",
        "versions": {"keras": "3"} if method == "hyperband" else {},
    }


def results() -> list[dict[str, object]]:
    ours = {("a", 0): 0.9, ("a", 1): 0.8, ("b", 0): 0.5, ("b", 1): 0.5, ("c", 0): 0.7}
    theirs = {("a", 0): 0.8, ("a", 1): 0.85, ("b", 0): 0.6, ("b", 1): 0.4, ("d", 0): 0.1}
    return [figures(name, "ours", seed, value) for (name, seed), value in ours.items()] + [
        figures(name, "hyperband", seed, value) for (name, seed), value in theirs.items()
    ]


def test_wins_are_counted_by_dataset_and_by_pair() -> None:
    datasets, pairs, difference = compare(results(), "ours", "hyperband")
    assert datasets == [1, 1, 0] and pairs == [2, 0, 2]  # c and d have no pair
    assert difference == pytest.approx(0.0125)
    assert compare(results(), "ours", "autokeras") == ([0, 0, 0], [0, 0, 0], None)


def test_table_shows_means_the_best_and_the_wins() -> None:
    lines = quality_counting.table(results(), {"ours": "Ours", "hyperband": "Theirs"}, ["ours"])
    assert "| test accuracy, % | seconds | Ours | Theirs |" in lines
    row = next(line for line in lines if line.startswith("| a |"))
    assert row.startswith("| a | 180 | **85.0 (82.7 to 87.1) [80.0, 90.0]** | 82.5 (")
    assert next(line for line in lines if line.startswith("| c |")).endswith("| **70.0 (67.1 to 72.8)** |  |")
    assert any("Ours against Theirs: higher on 1 datasets, equal on 1, lower on 0" in line for line in lines)
    assert "| Ours | 95 | 7 | 900 |" in lines and "- Theirs: keras 3." in lines


def test_page_has_one_table_for_all_cells(tmp_path: Path) -> None:
    folder = tmp_path / "search_quality"
    folder.mkdir()
    machine = {"cpu": "Chip", "cores": 2, "memory_gb": 8, "system": "Linux"}
    for number, one in enumerate(results()):
        cell = {"figures": one, "machine": machine, "measured_on": "2026-01-02", "load_at_start": 0.1}
        (folder / f"{number}.json").write_text(json.dumps(cell | {"files": [], "files_sha256": "old"}))
    page = tables.page(tmp_path)
    assert "## The search against others\n" in page and "| a | 180 |" in page
    assert "10 cells, 10 of them stale, measured 2026-01-02 to 2026-01-02 on Chip, 2 cores, 8 GB" in page
