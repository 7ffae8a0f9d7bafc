"""A user's own function, and each way it can go wrong."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.datasets.catalog import open_source
from records.config import RunConfig
from records.data import Example, Split
from records.errors import ConfigError, DataError
from tests.pictures import picture, write


def examples(tmp_path: Path, code: str, data: str = "pictures") -> list[Example]:
    file = tmp_path / "mine.py"
    file.write_text("from pathlib import Path\nimport numpy as np\nimage = np.zeros((5, 6, 3), np.uint8)\n" + code)
    source = open_source(RunConfig(data=data, source=f"{file}:load"))
    assert source.fingerprint is None
    return list(source.examples())


def test_tuples_and_mappings_of_every_kind(tmp_path: Path) -> None:
    write(tmp_path / "a.png", picture(0))
    code = (
        "from PIL import Image\n"
        "def load(folder):\n"
        "    yield folder / 'a.png', 'cat'\n"
        "    yield str(folder / 'a.png'), np.int64(3), 'val'\n"
        "    yield b'bytes', True, None, 'patient 7'\n"
        "    yield {'image': image, 'label': 'dog', 'split': 'test', 'group': 5, 'id': 'x'}\n"
        "    yield [Image.fromarray(image).convert('P'), 'dog']\n"
    )
    first, second, third, fourth, fifth = examples(tmp_path, code, str(tmp_path))
    assert first.raw == tmp_path / "a.png" == second.raw and first.label == "cat"
    assert (first.id, second.id, third.id) == (str(first.raw), f"{first.raw}#1", "000002")
    assert second.label == "3" and second.split is Split.VALIDATION
    assert third.label == "True" and third.split is None and third.group == "patient 7"
    assert (fourth.id, fourth.split, fourth.group) == ("x", Split.TEST, "5")
    assert isinstance(fifth.raw, np.ndarray) and fifth.raw.shape == (5, 6, 3)


def test_function_may_take_nothing_and_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_mine.py").write_text("LABEL = 'near'\n")
    code = "import neighbour_of_mine\ndef load():\n    return [(image, neighbour_of_mine.LABEL)]\n"
    assert [example.label for example in examples(tmp_path, code)] == ["near"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def load(): return 5", "returned no examples. Expected .*Received: int"),
        ("def load(): return {'a': 1}", "returned no examples"),
        ("def load(): yield image", "no example. Expected .*Received: ndarray"),
        ("def load(): yield (image,)", "Received: tuple of 1"),
        ("def load(): yield {'image': image, 'lable': 'a'}", "Received: image, lable"),
        ("def load(): yield image, 'cat', 'holidays'", "unknown split in example 0.*Received: 'holidays'"),
        ("def load(): yield 7, 'cat'", "no image in example 0.*Received: int"),
        ("def load(): yield image, 1.5", "no label in example 0.*Received: float 1.5"),
        ("def load(): yield image, None", "Received: NoneType None"),
        ("def load():\n    yield image, 'a'\n    raise OSError('gone')", "failed after 1 examples: OSError: gone"),
        ("def load(): raise KeyError('x')", "failed: KeyError: 'x'"),
        ("def load(): return [{'image': image, 'label': 'a', 'id': '1'}] * 2", "two examples with the id '1'"),
    ],
)
def test_bad_examples_are_told_with_file_and_function(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        examples(tmp_path, code)
    assert "mine.py:load" in str(caught.value)


def test_bad_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no function 'load'. It has: other, third."):
        examples(tmp_path, "def other(): ...\ndef third(): ...\ndef _own(): ...\n")
    with pytest.raises(ConfigError, match="cannot be imported: SyntaxError"):
        examples(tmp_path, "def load(:")
    with pytest.raises(ConfigError, match="There is no file nowhere.py"):
        open_source(RunConfig(data="x", source="nowhere.py:load"))
    with pytest.raises(ConfigError, match="must be file.py:function. Received: 'mine.py'"):
        open_source(RunConfig(data="x", source="mine.py"))
