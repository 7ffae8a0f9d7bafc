"""docs/serving.md says what the code does."""

import dataclasses
from pathlib import Path

import pytest
import typer.main

from pipelines.cli import app
from serving.limits import Limits
from serving.observing.metrics import Metrics
from serving.observing.observer import REASONS
from serving.routes import ROUTES
from serving.serve import DRAIN_SECONDS
from serving.served import Served

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("path", ROUTES)
def test_each_route_is_named_with_whether_it_asks_for_a_token(path: str) -> None:
    route = ROUTES[path]
    assert [f"`{route.method} {path}`", "yes" if route.open else "no"] in ROWS


@pytest.mark.parametrize("field", dataclasses.fields(Limits), ids=lambda field: field.name)
def test_each_limit_is_named_with_its_default(field: "dataclasses.Field[object]") -> None:
    value = getattr(Limits(), field.name)
    told = "none" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:g}"
    assert [f"`{field.name}`", told] in [row[:2] for row in ROWS]


def test_each_metric_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    lines = Metrics().text(Served()).decode().splitlines()
    names = {line.split()[2] for line in lines if line.startswith("# TYPE")} - {"_created"}
    named = {row[0].strip("`") for row in ROWS}
    assert {name for name in names if not name.endswith("_created")} <= named


def test_each_flag_is_named_with_its_variable() -> None:
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    flags = [[f"`{one.opts[0]}`", f"`{one.envvar}`"] for one in command.params if one.envvar]
    assert len(flags) == 6 and all(row in ROWS for row in flags)


def test_the_time_to_finish_is_right() -> None:
    assert f"up to {DRAIN_SECONDS} seconds" in PAGE


def test_each_reason_is_named_with_its_status() -> None:
    assert all(f"`{reason}` {status}" in PAGE for status, reason in REASONS.items())
