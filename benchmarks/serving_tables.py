"""The sections of the serving benchmarks, and which of their targets were reached. Called by `benchmarks.tables`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving_methods import METHODS, OURS

Figures = dict[str, Any]
NOT_MEASURED = "not measured"
PEERS = ("bentoml", "mlserver", "litserve")


def target_lines(folder: Path) -> list[str]:
    """Lines of the table of targets; what was not measured says so."""
    cells = read(folder)
    closed = [cells[name] for name in cells if name.startswith("closed-")]
    opened = [cells[name] for name in cells if name.startswith("open-")]
    steps = [one["methods"][OURS][step] for one in opened for step in ("x2", "x4")]
    refusals = [step["refusal_p99_ms"] for step in steps if step["refusal_p99_ms"] is not None]
    lines = {
        "serving: the median latency at concurrency 1 is at most 1.25 times a bare application's": _most(
            [one["ratios"]["bare"]["p50_c1"] for one in closed], 1.25, "{:.2f} times"
        ),
        "serving: at concurrency 32 at least 0.8 times its requests a second": _least(
            [one["ratios"]["bare"]["per_second_c32"] for one in closed], 0.8, "{:.2f} times"
        ),
        **{
            f"serving: at concurrency 32 at least twice those of {METHODS[peer].title}": _least(
                [one["ratios"][peer]["per_second_c32"] for one in closed], 2.0, "{:.2f} times"
            )
            for peer in PEERS
        },
        "serving: at 2 and 4 times its capacity it answers at least 90 % of capacity": _least(
            [step["goodput_of_capacity"] for step in steps], 0.9, "{:.0%}"
        ),
        "serving: there, the 99th percentile is at most 3 times the unloaded one": _most(
            [step["p99_over_unloaded"] for step in steps], 3.0, "{:.1f} times"
        ),
        "serving: there, a refusal takes at most 100 ms (99th percentile)": _most(refusals, 100.0, "{:.0f} ms"),
        "serving: a worker takes at most 200 MB with a small model": _most(
            [cells["memory"]["methods"][OURS]["worker_rss_mb"]] if "memory" in cells else [], 200.0, "{:.0f} MB"
        ),
        "serving: ready within 3 s of its start": _most(
            [cells["ready"]["methods"][OURS]["median_seconds"]] if "ready" in cells else [], 3.0, "{:.1f} s"
        ),
    }
    return [f"| {target} | {reached} |" for target, reached in lines.items()]


def _most(values: Sequence[float], limit: float, shown: str) -> str:
    return _told(values, lambda value: value <= limit, shown)


def _least(values: Sequence[float], limit: float, shown: str) -> str:
    return _told(values, lambda value: value >= limit, shown)


def _told(values: Sequence[float], reached: Callable[[float], bool], shown: str) -> str:
    """Whether all of them, and from where to where they lie."""
    if not values:
        return NOT_MEASURED
    good = sum(map(reached, values))
    span = shown.format(min(values))
    if shown.format(max(values)) != span:
        span += f" to {shown.format(max(values))}"
    if good == len(values):
        return f"yes, {span}"
    return f"no, {span}" if good == 0 else f"in {good} of {len(values)} cases: {span}"


def read(folder: Path) -> dict[str, Figures]:
    """The figures of every finished cell, by its name."""
    cells = {}
    for path in sorted(folder.glob("*.json")):
        cells[path.stem] = json.loads(path.read_text("utf-8"))["figures"]
    return cells


def tables(folder: Path) -> list[str]:
    """Markdown: one table for each kind of cell, as far as there are any."""
    cells = read(folder)
    parts = []
    for prefix, make in (("closed-", _closed), ("open-", _opened), ("settings-", _settings)):
        chosen = {name.removeprefix(prefix): cells[name] for name in cells if name.startswith(prefix)}
        if chosen:
            parts += [*make(chosen), ""]
    for name, make_one in (("memory", _plain), ("ready", _plain), ("generator", _generator)):
        if name in cells:
            parts += [*make_one(name, cells[name]), ""]
    return parts


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = [f"### {title}", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return [*lines, *(f"| {' | '.join(_shown(value) for value in row)} |" for row in rows)]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return "" if value is None else str(value)


def _closed(cells: dict[str, Figures]) -> list[str]:
    head = ["network and payload", "server", "p50 ms at 1", "p99", "a second", "p50 ms at 8", "a second"]
    head += ["p50 ms at 32", "p99", "a second", "Kerasmith's p50 at 1 over it", "Kerasmith's requests at 32 over it"]
    rows = []
    for cell, figures in cells.items():
        for name, one in figures["methods"].items():
            ratios = figures["ratios"].get(name, {})
            c1, c8, c32 = one["c1"], one["c8"], one["c32"]
            row = [cell, METHODS[name].title, c1["p50_ms"], c1["p99_ms"], c1["per_second"], c8["p50_ms"]]
            row += [c8["per_second"], c32["p50_ms"], c32["p99_ms"], c32["per_second"]]
            rows.append([*row, ratios.get("p50_c1"), ratios.get("per_second_c32")])
    cores = max(figures["generator_cores"] for figures in cells.values())
    note = f"Medians of {min(figures['rounds'] for figures in cells.values())} rounds in turn. The load generator took "
    engines = ", ".join(sorted({f"{cell.rpartition('-')[0]} {figures['engine']}" for cell, figures in cells.items()}))
    guards = "; ".join(next(iter(cells.values()))["guards"])
    notes = [f"{note}at most {cores:g} of a core. Engines of Kerasmith: {engines}.", f"Guards that were on: {guards}."]
    return [*_table("Closed loop: 1, 8 and 32 connections", head, rows), "", *notes]


def _opened(cells: dict[str, Figures]) -> list[str]:
    head = ["network and payload", "server", "load", "offered a second", "answered a second", "of capacity", "p50 ms"]
    head += ["p99", "p99 over unloaded", "refused", "p99 ms of a refusal", "without a reply", "generator late p99 ms"]
    keys = ("offered_per_second", "goodput_per_second", "goodput_of_capacity", "p50_ms", "p99_ms", "p99_over_unloaded")
    keys += ("refused_share", "refusal_p99_ms", "unanswered", "generator_late_p99_ms")
    rows = []
    for cell, figures in cells.items():
        for name, steps in figures["methods"].items():
            for step, one in steps.items():
                if step != "capacity":
                    rows.append([cell, METHODS[name].title, step[1:] + "×", *(one[key] for key in keys)])
    note = "Load as a multiple of the server's own capacity; a latency counts from the moment that a request was due."
    return [*_table("Open loop: more than it can take", head, rows), "", note]


def _settings(cells: dict[str, Figures]) -> list[str]:
    rows = [
        [network, METHODS[name].title, variant + (" (used)" if figures["chosen"][name] == variant else ""), *rates]
        for network, figures in cells.items()
        for name, variants in figures["tried"].items()
        for variant, rates in variants.items()
    ]
    return _table("Settings of the peers", ["network", "server", "setting", "a second at 1", "a second at 32"], rows)


def _plain(name: str, figures: Figures) -> list[str]:
    titles = {"memory": "Memory after load, small network", "ready": "Seconds until it is ready, small network"}
    keys = list(next(iter(figures["methods"].values())))
    rows = [[METHODS[method].title, *(one[key] for key in keys)] for method, one in figures["methods"].items()]
    return _table(titles[name], ["server", *(key.replace("_", " ") for key in keys)], rows)


def _generator(name: str, figures: Figures) -> list[str]:
    rows = [[key.replace("_", " "), value] for key, value in figures.items()]
    return _table("The load generator against a server that answers without looking", ["figure", "value"], rows)
