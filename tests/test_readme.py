"""The words are part of it: what README and CONTRIBUTING say is there, and their code works as printed."""

import re
from pathlib import Path

import pytest

from pipelines.datasets.catalog import open_source
from records.config import RunConfig
from serving.routes import ROUTES
from tests.test_cli import write_images

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_source_of_the_readme_works(tmp_path: Path) -> None:
    (code,) = [block for block in PYTHON if "def load" in block]
    (tmp_path / "my.py").write_text(code)
    write_images(tmp_path / "photos", "cat", "dog", count=2)
    lines = [f"{label}/{i}.png,{label}" for label in ("cat", "dog") for i in range(2)]
    (tmp_path / "photos" / "labels.csv").write_text("\n".join(lines))
    config = RunConfig(data=str(tmp_path / "photos"), source=f"{tmp_path / 'my.py'}:load")
    assert sorted(example.label for example in open_source(config).examples()) == ["cat", "cat", "dog", "dog"]


def test_the_call_of_the_readme_names_what_exists() -> None:
    from pipelines.run import Outcome, run

    (code,) = [block for block in PYTHON if "run(" in block]
    compile(code, "README.md", "exec")
    assert callable(run) and {"model", "manifest"} <= set(Outcome.__dataclass_fields__)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_files_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = re.findall(r"[\w./-]+/[\w.-]+\.(?:py|md|toml)\b", text) + re.findall(r"\]\(([\w./-]+)\)", text)
    tops = {path.name for path in ROOT.iterdir()}
    ours = [path for path in named if path.split("/")[0] in tops and "<" not in path]
    assert ours
    for path in ours:
        assert (ROOT / path).exists(), path


def test_routes_that_the_readme_names_are_served() -> None:
    served = set(ROUTES) | {"/livez", "/readyz", "/metrics"}
    for path in re.findall(r"`(?:GET |POST )?(/[a-z.]+)`", README):
        assert path in served, path


def test_changelog_is_about_this_version() -> None:
    from importlib import metadata

    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in changelog or f"## [{metadata.version('kerasmith')}]" in changelog


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("0*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


OTHER_PROGRAMS = ("page_server.py", "serve.py", "launch.py", "crew.py", "manifests.py")
"""Files whose flags are those of programs that they call, or of a Dockerfile."""


def test_flags_that_are_named_exist() -> None:
    """In the README, and in every sentence that tells a person what to type."""
    import typer.main

    from pipelines.cli import app

    commands = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    known = {option for command in commands for parameter in command.params for option in parameter.opts}
    known |= {"--help", "--debug"}
    known |= {"--data-binary", "--data-raw", "--no-deps", "--logdir"}  # other programs'
    for folder in ("pipelines", "serving", "search_spaces", "records", "ui", "store"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name in OTHER_PROGRAMS:
                continue
            for flag in re.findall(r"[\"'` ](--[a-z][a-z-]+)(?!.*var\()", path.read_text("utf-8")):
                assert flag in known, f"{path.relative_to(ROOT)} names {flag}"
    for flag in re.findall(r"(--[a-z][a-z-]+)", README):
        assert flag in known, flag
