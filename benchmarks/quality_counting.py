"""Intervals, means over seeds and wins of `search_quality`, and its tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

NORMAL_95 = 1.959964
Figures = dict[str, Any]


def interval(right: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, 1927), also sound for few examples and shares near 0 and 1.

    Args:
        right: Successes; a mean over seeds may be no whole number.
        count: Of what, at least 1.
    """
    share, square = right / count, NORMAL_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL_95 / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def by_pair(figures: Sequence[Figures]) -> dict[tuple[str, str], dict[int, Figures]]:
    """`(dataset, method)` to seed to figures."""
    found: dict[tuple[str, str], dict[int, Figures]] = {}
    for one in figures:
        found.setdefault((one["dataset"], one["method"]), {})[one["seed"]] = one
    return found


def compare(figures: Sequence[Figures], method: str, other: str) -> tuple[list[int], list[int], float | None]:
    """Paired by dataset and seed; a pair that lacks one side is left out.

    Returns:
        Datasets on which the mean of `method` is higher, equal and lower; the same counts of pairs; and the mean
        difference of accuracy over the datasets, `None` where there is no pair.
    """
    found = by_pair(figures)
    datasets, pairs, differences = [0, 0, 0], [0, 0, 0], []
    for name in dict.fromkeys(name for name, _ in found):
        ours, theirs = found.get((name, method), {}), found.get((name, other), {})
        seeds = sorted(ours.keys() & theirs.keys())
        if not seeds:
            continue
        gains = [ours[seed]["accuracy"] - theirs[seed]["accuracy"] for seed in seeds]
        for gain in gains:
            pairs[_outcome(gain)] += 1
        differences.append(statistics.fmean(gains))
        datasets[_outcome(differences[-1])] += 1
    return datasets, pairs, statistics.fmean(differences) if differences else None


def _outcome(gain: float) -> int:
    """0 for a gain, 1 for none, 2 for a loss; accuracies have four places."""
    return 1 if abs(gain) < 5e-5 else 0 if gain > 0 else 2


def table(figures: Sequence[Figures], titles: dict[str, str], ours: Sequence[str]) -> list[str]:
    """Markdown: accuracies by dataset and method, then wins, then what the programs took.

    Args:
        figures: Of the finished cells.
        titles: Of the methods, in the order of the columns.
        ours: The methods that the others are compared with.
    """
    found = by_pair(figures)
    there = [method for method in titles if any(key[1] == method for key in found)]
    names = sorted({name for name, _ in found})
    head = ["test accuracy, %", "seconds", *(titles[method] for method in there)]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for name in names:
        cells = [_accuracy(list(found.get((name, method), {}).values())) for method in there]
        seconds = max(one["budget_seconds"] for key, seeds in found.items() if key[0] == name for one in seeds.values())
        best = max((value for value, _ in cells), default=-1.0)
        shown = [f"**{text}**" if value == best and text else text for value, text in cells]
        lines.append(f"| {' | '.join([name, f'{seconds:.0f}', *shown])} |")
    wins = [line for one in ours if one in there for line in _wins(figures, titles, one, there, ours)]
    return [*lines, "", *wins, "", *_taken(found, titles, there), "", *_remarks(found, titles, there)]


def _accuracy(seeds: Sequence[Figures]) -> tuple[float, str]:
    """The mean, and as words: mean, interval of the test examples, lowest and highest seed."""
    if not seeds:
        return -1.0, ""
    values = [100 * one["accuracy"] for one in seeds]
    mean, count = statistics.fmean(values), seeds[0]["test_examples"]
    low, high = interval(mean / 100 * count, count)
    spread = f" [{min(values):.1f}, {max(values):.1f}]" if len(values) > 1 else ""
    return mean, f"{mean:.1f} ({100 * low:.1f} to {100 * high:.1f}){spread}"


def _wins(
    figures: Sequence[Figures], titles: dict[str, str], method: str, there: Sequence[str], ours: Sequence[str]
) -> list[str]:
    lines = []
    for other in there:
        if other in ours:
            continue
        datasets, pairs, difference = compare(figures, method, other)
        if difference is not None:
            lines.append(
                f"- {titles[method]} against {titles[other]}: higher on {datasets[0]} datasets, equal on "
                f"{datasets[1]}, lower on {datasets[2]}; of the pairs of one dataset and seed {pairs[0]}, "
                f"{pairs[1]} and {pairs[2]}; on average {100 * difference:+.1f} points."
            )
    return lines


def _taken(found: dict[tuple[str, str], dict[int, Figures]], titles: dict[str, str], there: Sequence[str]) -> list[str]:
    lines = ["| what it took | latest end, % of the time | median trials | peak memory, MB |", f"|{' --- |' * 4}"]
    for method in there:
        cells = [one for key, seeds in found.items() if key[1] == method for one in seeds.values()]
        late = max(100 * one["seconds"] / one["budget_seconds"] for one in cells)
        trials = statistics.median(one["trials"] for one in cells)
        lines.append(f"| {titles[method]} | {late:.0f} | {trials:g} | {max(one['peak_memory_mb'] for one in cells)} |")
    return lines


def _remarks(
    found: dict[tuple[str, str], dict[int, Figures]], titles: dict[str, str], there: Sequence[str]
) -> list[str]:
    """The splits, and the versions of the peers."""
    splits = {key[0]: one["split"] for key, seeds in found.items() for one in seeds.values()}
    lines = [f"- {name}: {split}" for name, split in sorted(splits.items())]
    for method in there:
        versions = {
            f"{package} {version}"
            for key, seeds in found.items()
            if key[1] == method
            for one in seeds.values()
            for package, version in one["versions"].items()
        }
        if versions:
            lines.append(f"- {titles[method]}: {', '.join(sorted(versions))}.")
    return lines
