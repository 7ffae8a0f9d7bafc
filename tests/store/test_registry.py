"""Which models there are."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from records.errors import ConfigError
from store.registry import Registry, check_name


def test_versions_count_up_for_each_name(registry: Registry) -> None:
    first = registry.register("shirts", "b1", "r1", "c1", {"accuracy": 0.875})
    assert (first.ref, first.checksum, first.run_id, first.summary) == ("shirts:1", "c1", "r1", {"accuracy": 0.875})
    assert registry.register("digits", "b2", "r2", "c2").ref == "digits:1"
    assert registry.register("shirts", "b3", "r3", "c3").ref == "shirts:2"
    assert [model.ref for model in registry.versions()] == ["shirts:2", "digits:1", "shirts:1"]
    assert [model.ref for model in registry.versions("shirts")] == ["shirts:2", "shirts:1"]
    assert registry.bundle_ids() == {"b1", "b2", "b3"}


def test_registering_a_bundle_again_changes_nothing(registry: Registry) -> None:
    first = registry.register("shirts", "b1", "r1", "c1", {"accuracy": 0.875})
    assert registry.register("shirts", "b1", "r1", "c1", {"accuracy": 0.5}) == first
    assert registry.versions() == [first]


@pytest.mark.parametrize(("name", "checksum"), [("digits", "c1"), ("shirts", "other")])
def test_a_bundle_does_not_become_another_one(registry: Registry, name: str, checksum: str) -> None:
    registry.register("shirts", "b1", "r1", "c1")
    with pytest.raises(ValueError, match="Bundle b1 is shirts:1 with checksum c1 already. Received: "):
        registry.register(name, "b1", "r1", checksum)


def test_resolve_finds_a_version_the_newest_of_a_name_and_the_newest_of_all(registry: Registry) -> None:
    for name, bundle in (("shirts", "b1"), ("shirts", "b2"), ("digits", "b3")):
        registry.register(name, bundle, "r", "c")
    assert registry.resolve("shirts:1").bundle_id == "b1"
    assert registry.resolve("shirts").bundle_id == "b2"
    assert registry.resolve(None).bundle_id == "b3"


@pytest.mark.parametrize(
    "ref", ["cats", "shirts:9", "shirts:", "shirts:01", "shirts:x", ":1", "", "Shirts", "shirts:1:1"]
)
def test_resolve_of_an_unknown_model_lists_what_there_is(registry: Registry, ref: str) -> None:
    for name, bundle in (("shirts", "b1"), ("shirts", "b2"), ("digits", "b3")):
        registry.register(name, bundle, "r", "c")
    expected = f"There is no model {ref!r}. Expected NAME or NAME:VERSION. Known: digits:1, shirts:2 and older."
    with pytest.raises(ConfigError) as caught:
        registry.resolve(ref)
    assert str(caught.value) == expected


def test_resolve_without_any_model_says_how_to_make_one(registry: Registry) -> None:
    with pytest.raises(ConfigError, match="No model is registered yet. Make one: kerasmith run DATA."):
        registry.resolve(None)


def test_a_registered_model_is_there_for_the_next_process(engine: Engine, registry: Registry) -> None:
    model = registry.register("shirts", "b1", "r1", "c1", {"größe": [1, None, 0.1]})
    engine.dispose()
    assert Registry(engine).resolve("shirts:1") == model


@pytest.mark.parametrize("name", ["a", "0-9_b", "x" * 63])
def test_check_name_gives_the_name_back(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Shirts", "-a", "_a", "a b", "a:1", "a/b", "x" * 64, "größe", "a\n", "a-", "a_", str(Path("..") / "a")]
)
def test_a_name_that_is_none_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(ConfigError, match="at most 63 lower-case letters, digits, - and _, and begins and ends"):
        registry.register(name, "b1", "r1", "c1")
    assert registry.versions() == []
