"""What the pages say of the serving benchmarks, before and after they were measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import serving_tables, tables
from benchmarks.serving_methods import METHODS, OURS


def write(folder: Path, name: str, figures: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cell = {
        "bench": folder.name, "cell": name, "figures": figures, "measured_on": "2026-01-02", "load_at_start": 0.1,
        "machine": {"cpu": "cpu", "cores": 2, "memory_gb": 4, "system": "Linux"}, "versions": {"python": "3.11"},
        "files": ["benchmarks/cells.py"], "files_sha256": "old",
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(cell))


def closed(over_bare: float) -> dict[str, Any]:
    one = {"p50_ms": 1.5, "p99_ms": 3.0, "per_second": 700.0, "others_share": 0.0}
    ratios = {"p50_c1": over_bare, "per_second_c1": 1.0, "per_second_c8": 1.0, "per_second_c32": 0.85}
    return {
        "rounds": 3, "seconds_each": 2.5, "engine": "onnxruntime", "guards": ["a guard"], "generator_cores": 0.2,
        "methods": {name: {"c1": one, "c8": one, "c32": one} for name in METHODS},
        "ratios": {name: ratios for name in METHODS if name != OURS},
    }  # fmt: skip


def opened(goodput: float) -> dict[str, Any]:
    step = {
        "offered_per_second": 100.0, "goodput_per_second": 50.0, "goodput_of_capacity": goodput, "p50_ms": 1.0,
        "p99_ms": 2.0, "refused_share": 0.5, "refusal_p50_ms": 1.0, "refusal_p99_ms": 30.0, "unanswered": 0,
        "generator_late_p99_ms": 0.1, "generator_cores": 0.1, "p99_over_unloaded": 2.0,
    }  # fmt: skip
    steps = {"capacity": {"per_second": 50.0}, "x0.1": step, "x0.5": step, "x1": step, "x2": step, "x4": step}
    return {"rounds": 2, "methods": {OURS: steps, "bare": steps}}


def test_what_was_not_measured_says_so(tmp_path: Path) -> None:
    lines = serving_tables.target_lines(tmp_path)
    assert len(lines) == 10 and all(line.endswith("| not measured |") for line in lines)
    assert "SERVING" not in tables.page(tmp_path) and lines[0] in tables.page(tmp_path)


def test_targets_say_in_how_many_cases_they_were_reached(tmp_path: Path) -> None:
    folder = tmp_path / "serving"
    write(folder, "closed-cnn-json", closed(1.1))
    write(folder, "closed-encoder-json", closed(1.4))
    write(folder, "open-cnn-json", opened(0.95))
    write(folder, "ready", {"methods": {OURS: {"starts": 5, "median_seconds": 4.2, "longest_seconds": 5.0}}})
    told = [line.split("|")[2].strip() for line in serving_tables.target_lines(folder)]
    assert told[0] == "in 1 of 2 cases: 1.10 times to 1.40 times"
    assert told[1] == "yes, 0.85 times" and told[2] == "no, 0.85 times"
    assert told[5] == "yes, 95%" and told[6] == "yes, 2.0 times" and told[7] == "yes, 30 ms"
    assert told[8] == "not measured" and told[9] == "no, 4.2 s"


def test_the_page_shows_every_method_and_what_is_stale(tmp_path: Path) -> None:
    folder = tmp_path / "serving"
    write(folder, "closed-cnn-json", closed(1.1))
    write(folder, "open-cnn-json", opened(0.95))
    write(folder, "settings-cnn", {"tried": {"bare": {"inline": [1.0, 2.0]}}, "chosen": {"bare": "inline"}})
    write(folder, "generator", {"c1_per_second": 9000})
    text = tables.page(tmp_path)
    for method in METHODS.values():
        assert f"| cnn-json | {method.title} |" in text
    assert "inline (used)" in text and "| c1 per second | 9000 |" in text and "Guards that were on: a guard." in text
    assert "Stale: closed-cnn-json, generator, open-cnn-json, settings-cnn." in text


@pytest.mark.parametrize("bench", ["faults", "serving_faults"])
def test_faults_stand_on_their_own_page(tmp_path: Path, bench: str) -> None:
    write(tmp_path / bench, "stops", {"stops": 20, "kept": "yes"})
    assert "| stops (stale) | 20 | yes |" in tables.reliability_page(tmp_path)
    assert "| stops (stale)" not in tables.page(tmp_path)
