"""Which source a request means, and what every source must give."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.datasets.catalog import SOURCES, open_source, source_named
from records.config import RunConfig
from records.data import Source
from tests.pictures import write_folder


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (RunConfig(data="digits"), "digits"),
        (RunConfig(data="tfds:mnist"), "tfds"),
        (RunConfig(data="photos"), "folder"),
        (RunConfig(data="./digits"), "folder"),
        (RunConfig(data="digits", source="my.py:load"), "custom"),
    ],
)
def test_request_names_its_source(config: RunConfig, name: str) -> None:
    assert source_named(config) == name
    assert name in SOURCES


def check_source(source: Source) -> None:
    examples, again = list(source.examples()), list(source.examples())
    assert examples
    assert [example.id for example in examples] == [example.id for example in again]
    assert len({example.id for example in examples}) == len(examples)
    assert all(isinstance(example.label, str) and example.label for example in examples)
    assert source.num_examples in (None, len(examples))
    assert source.labels is None or {example.label for example in examples} <= set(source.labels)
    assert source.name and "/" not in source.name


def test_sources_keep_the_contract(tmp_path: Path) -> None:
    check_source(open_source(RunConfig(data="digits")))
    check_source(open_source(RunConfig(data=str(write_folder(tmp_path / "pets", {"cat": 2, "dog": 2})))))
    (tmp_path / "mine.py").write_text("def load():\n    yield b'1', 'a'\n    yield b'2', 'b'\n")
    check_source(open_source(RunConfig(data="x", source=f"{tmp_path / 'mine.py'}:load")))


def test_digits_are_spread_over_all_grey_levels() -> None:
    examples = list(open_source(RunConfig(data="digits")).examples())
    assert len(examples) == 1797
    assert examples[0].raw.shape == (8, 8) and examples[0].raw.dtype == np.uint8
    assert (min(e.raw.min() for e in examples), max(e.raw.max() for e in examples)) == (0, 255)
