from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipelines import serve_command
from pipelines.cli import app
from records.errors import ConfigError
from serving.settings import ServeOptions


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the command gave to `serving.serve.serve`, without anything being served."""
    calls: list[Any] = []

    def serve(home: Any, ref: Any, host: str, port: int, workers: int, on_ready: Any, options: ServeOptions) -> None:
        calls.append((ref, host, port, workers, options))

    monkeypatch.setattr("serving.serve.serve", serve)
    return calls


def test_flags_become_options(asked: list[Any]) -> None:
    flags = ["--host", "0.0.0.0", "--port", "8080", "--workers", "4", "--tokens-file", "t", "--max-concurrent", "9"]
    flags += ["--max-body-mb", "2.5", "--coverage", "0.9", "--abstain-below", "0.6", "--log-requests"]
    assert CliRunner().invoke(app, ["serve", "photos:3", *flags]).exit_code == 0
    options = ServeOptions(
        tokens_file=Path("t"),
        max_concurrent=9,
        max_body_megabytes=2.5,
        coverage=0.9,
        abstain_below=0.6,
        log_requests=True,
    )
    assert asked == [("photos:3", "0.0.0.0", 8080, 4, options)]


def test_variables_do_what_flags_do(asked: list[Any]) -> None:
    variables = {"KERASMITH_LOG_REQUESTS": "1", "KERASMITH_MAX_CONCURRENT": "7", "KERASMITH_TOKENS_FILE": "t"}
    assert CliRunner().invoke(app, ["serve"], env=variables).exit_code == 0
    expected = ServeOptions(tokens_file=Path("t"), max_concurrent=7, log_requests=True)
    assert asked == [(None, "127.0.0.1", 3000, 1, expected)]


@pytest.mark.parametrize("flag", [["--coverage", "1"], ["--abstain-below", "-0.1"], ["--max-concurrent", "0"]])
def test_what_cannot_be_is_told_before_a_model_is_looked_for(flag: list[str]) -> None:
    result = CliRunner().invoke(app, ["serve", "ghost", *flag])
    assert isinstance(result.exception, ConfigError) and "must lie between" in str(result.exception)


def test_where_tokens_are_asked_for_the_line_to_type_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERASMITH_TOKENS", raising=False)
    line = serve_command._line("http://127.0.0.1:3000", Path("tokens"))
    assert line == "curl -H 'Authorization: Bearer TOKEN' http://127.0.0.1:3000/describe"
