"""Every file in examples/ works as its docstring says."""

from pathlib import Path

from pipelines.datasets.catalog import open_source
from records.config import RunConfig
from search_spaces.catalog import load_space
from tests.search_spaces.test_spaces import check_space, make_spec
from tests.test_cli import write_images

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_own_space_meets_the_contract(tmp_path: Path) -> None:
    space = load_space(f"{EXAMPLES / 'own_space.py'}:Separable")
    assert space.name == "Separable"
    check_space(space, make_spec(), tmp_path)


def test_own_source_reads_labels_and_splits(tmp_path: Path) -> None:
    write_images(tmp_path / "photos", "cat", "dog", count=2)
    lines = ["file,label,split", "cat/0.png,cat,train", "dog/0.png,dog,test", "dog/1.png,dog,"]
    (tmp_path / "photos" / "labels.csv").write_text("\n".join(lines))
    config = RunConfig(data=str(tmp_path / "photos"), source=f"{EXAMPLES / 'own_source.py'}:load")
    examples = list(open_source(config).examples())
    assert [(one.label, one.split and one.split.value) for one in examples] == [
        ("cat", "train"),
        ("dog", "test"),
        ("dog", None),
    ]


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"own_source.py", "own_space.py"}
