import pytest

from pipelines.duration import parse_duration
from pipelines.names import model_name
from records.config import RunConfig
from records.data import InputKind, Source
from records.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("2 m", 120)]
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "fast", "10x", "m10", "-5m", "10m 5"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a duration. Expected for instance 90s, 10m or 1h30m."):
        parse_duration(text)


def source(name: str) -> Source:
    return Source(name=name, kind=InputKind.IMAGE, fingerprint=None, examples=lambda: iter(()))


@pytest.mark.parametrize(
    ("data", "name"), [("My Photos (2024)", "my-photos-2024"), ("___", "model"), ("x" * 80, "x" * 63), ("ÄÖ", "model")]
)
def test_model_is_named_after_its_data(data: str, name: str) -> None:
    assert model_name(RunConfig(data="x"), source(data)) == name


def test_a_given_name_is_taken_as_it_is_or_refused() -> None:
    assert model_name(RunConfig(data="x", name="defects"), source("y")) == "defects"
    with pytest.raises(ConfigError, match="A model's name"):
        model_name(RunConfig(data="x", name="Defects!"), source("y"))
