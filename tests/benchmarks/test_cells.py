"""The benchmarks' harness: nothing is measured twice for nothing, and nothing old is passed off as new."""

import json
import socket
from pathlib import Path

import pytest

from benchmarks import cells, tables
from benchmarks.cells import Cell


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    monkeypatch.setattr(cells, "ROOT", tmp_path)
    monkeypatch.setattr(cells, "RESULTS", tmp_path / "results")
    (tmp_path / "code.py").write_text("1")
    calls = iter(range(1, 100))
    return Cell(
        bench="prepare",
        name="small",
        measure=lambda: {"calls": next(calls), "seconds": 0.12345},
        files=("*.py",),
        packages=("numpy",),
    )


def figures(cell: Cell) -> dict[str, float]:
    return json.loads(cell.path.read_text())["figures"]


def test_cell_is_measured_once_until_its_files_change(cell: Cell, tmp_path: Path) -> None:
    for _ in range(2):
        cells.run([cell], [])
    assert figures(cell)["calls"] == 1
    (tmp_path / "code.py").write_text("2")
    assert cells.standing(cell.path) == "stale"
    cells.run([cell], ["--list"])
    assert figures(cell)["calls"] == 1
    cells.run([cell], ["small"])
    assert figures(cell)["calls"] == 2
    cells.run([cell], ["--again"])
    assert figures(cell)["calls"] == 3


def test_unknown_cell_names_the_known_ones(cell: Cell, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cells.run([cell], ["large"])
    assert "no such cell: large; known: small" in capsys.readouterr().err


def test_failed_cell_leaves_no_result(cell: Cell) -> None:
    def fail() -> dict[str, float]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cells.measure(Cell(bench="prepare", name="small", measure=fail, files=("*.py",)))
    assert not cell.path.exists()


def test_code_that_changes_meanwhile_is_not_measured(cell: Cell, tmp_path: Path) -> None:
    def edit() -> dict[str, float]:
        (tmp_path / "code.py").write_text("3")
        return {"calls": 1}

    with pytest.raises(SystemExit, match="changed meanwhile"):
        cells.measure(Cell(bench="prepare", name="small", measure=edit, files=("*.py",)))
    assert not cell.path.exists()


def test_result_says_with_what_it_was_measured_but_not_where(cell: Cell) -> None:
    result = cells.measure(cell)
    assert result["versions"].keys() == {"python", "numpy"}
    assert result["machine"]["cores"] >= 1 and result["machine"]["cpu"]
    assert socket.gethostname() not in cell.path.read_text()


def test_page_shows_every_cell_and_marks_stale_ones(cell: Cell, tmp_path: Path) -> None:
    cells.measure(cell)
    page = tables.page(cells.RESULTS)
    assert "## Preparing images\n" in page and "| cell | calls | seconds |" in page and "| small | 1 | 0.123 |" in page
    assert "Measured on: " in page
    (tmp_path / "code.py").write_text("2")
    assert "| small (stale) |" in tables.page(cells.RESULTS)
