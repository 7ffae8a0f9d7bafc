import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.errors import ConfigError
from serving.settings import ServeOptions, Settings

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
PATH = TEXT.map(lambda text: Path("/", text))
OPTIONS = st.builds(
    ServeOptions,
    tokens_file=st.none() | PATH,
    max_concurrent=st.none() | st.integers(1, 10_000),
    max_body_megabytes=st.none() | st.floats(0.001, 10_000),
    coverage=st.none() | st.floats(0.5, 0.999),
    abstain_below=st.none() | st.floats(0, 1),
    log_requests=st.booleans(),
)
SETTINGS = st.builds(
    Settings,
    folder=PATH,
    ref=TEXT,
    checksum=st.none() | TEXT,
    workers=st.integers(1, 64),
    feedback_folder=st.none() | PATH,
    failure_file=st.none() | PATH,
    options=OPTIONS,
)


@given(settings=SETTINGS)
def test_settings_survive_the_environment(settings: Settings) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.environ", settings.to_environment())
        assert Settings.from_environment() == settings


def test_every_field_is_handed_on() -> None:
    folder = Path("/a")
    everything = Settings(
        folder=folder,
        ref="tiny:1",
        checksum="c",
        workers=2,
        feedback_folder=folder,
        failure_file=folder,
        options=ServeOptions(
            tokens_file=folder,
            max_concurrent=5,
            max_body_megabytes=1.5,
            coverage=0.9,
            abstain_below=0.0,
            log_requests=True,
        ),
    )
    fields = len(Settings.__dataclass_fields__) - 1 + len(ServeOptions.__dataclass_fields__)
    assert len(everything.to_environment()) == fields
    assert everything.to_environment()["KERASMITH_ABSTAIN_BELOW"] == "0.0"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("KERASMITH_MAX_CONCURRENT", "many", "KERASMITH_MAX_CONCURRENT must be a number. Received: 'many'"),
        ("KERASMITH_MAX_CONCURRENT", "2.5", "must be a whole number. Received: '2.5'"),
        ("KERASMITH_MAX_CONCURRENT", "0", "`max-concurrent` must lie between 1 and 10000. Received: 0"),
        ("KERASMITH_MAX_BODY_MB", "-1", "`max-body-mb` must lie between"),
        ("KERASMITH_COVERAGE", "1", "`coverage` must lie between 0.5 and 0.999. Received: 1"),
        ("KERASMITH_ABSTAIN_BELOW", "nan", "`abstain-below` must lie between 0 and 1. Received: nan"),
        ("KERASMITH_WORKERS", "inf", "must be a whole number"),
    ],
)
def test_a_value_that_cannot_be_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv("KERASMITH_MODEL_FOLDER", "/a")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message):
        Settings.from_environment()


def test_limits_follow_the_options() -> None:
    usual = ServeOptions().limits()
    assert (usual.max_concurrent, usual.max_body_bytes) == (64, 32_000_000)
    limits = ServeOptions(max_concurrent=3, max_body_megabytes=400).limits()
    assert (limits.max_concurrent, limits.max_body_bytes) == (3, 400_000_000)
    assert limits.max_held_bytes >= 2 * limits.max_body_bytes and math.isfinite(limits.body_seconds)


def test_paths_are_made_absolute_for_processes_that_stand_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options: Any = ServeOptions(tokens_file=Path("tokens"))
    settings = Settings(folder=Path("bundle"), ref="a", feedback_folder=Path("told"), options=options).absolute()
    assert settings.folder == tmp_path / "bundle" and settings.feedback_folder == tmp_path / "told"
    assert settings.options.tokens_file == tmp_path / "tokens"
    assert Settings(folder=tmp_path, ref="a").absolute() == Settings(folder=tmp_path, ref="a")
