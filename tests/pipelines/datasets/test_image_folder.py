"""Folders as people have them."""

import os
import unicodedata
from pathlib import Path

import pytest

from pipelines.datasets.image_folder import load
from records.config import RunConfig
from records.data import Split
from records.errors import ConfigError, DataError
from tests.pictures import picture, write, write_folder


def open_folder(folder: Path):  # type: ignore[no-untyped-def]
    source = load(RunConfig(data=str(folder)))
    return source, list(source.examples())


def told(source) -> str:  # type: ignore[no-untyped-def]
    return " ".join(one.what for one in source.understood)


def test_a_folder_per_class(tmp_path: Path) -> None:
    source, examples = open_folder(write_folder(tmp_path / "pets", {"cat": 2, "dog": 3}))
    assert source.name == "pets" and source.num_examples == 5 and source.understood == ()
    assert [example.label for example in examples] == ["cat", "cat", "dog", "dog", "dog"]
    assert examples[0].id == "cat/000.png" and examples[0].split is None and examples[0].raw.is_file()


@pytest.mark.parametrize(
    "names", [("train", "validation", "test"), ("Training", "val", "testing"), ("TRAIN", "dev", "eval")]
)
def test_split_folders_by_any_of_their_names(tmp_path: Path, names: tuple[str, str, str]) -> None:
    folder = write_folder(tmp_path, {f"{split}/{label}": 1 for split in names for label in ("cat", "dog")})
    source, examples = open_folder(folder)
    assert {(example.split, example.label) for example in examples} == {(s, c) for s in Split for c in ("cat", "dog")}
    assert f"{names[0]}/ is the train split" in told(source)


def test_class_that_is_called_like_a_split_stays_a_class(tmp_path: Path) -> None:
    source, examples = open_folder(write_folder(tmp_path, {"test": 1, "cat": 1}))
    assert {example.label for example in examples} == {"test", "cat"}
    assert all(example.split is None for example in examples)
    assert "taken as classes" in told(source)


def test_deeper_folders_belong_to_the_class_above(tmp_path: Path) -> None:
    source, examples = open_folder(write_folder(tmp_path, {"cat/black/old": 1, "cat": 1, "dog": 1}))
    assert sorted(example.label for example in examples) == ["cat", "cat", "dog"]
    assert "deeper folders" in told(source)


def test_one_folder_around_everything_is_stepped_into(tmp_path: Path) -> None:
    source, examples = open_folder(write_folder(tmp_path / "pets", {"pets-1.0/cat": 1, "pets-1.0/dog": 1}))
    assert {example.label for example in examples} == {"cat", "dog"}
    assert source.name == "pets" and "pets-1.0" in told(source)


def test_what_is_no_image_is_left_out_and_told(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"cat": 1, "dog": 1})
    for name in (".DS_Store", "cat/.hidden.png", "cat/notes.txt", "cat/scan.TIFF", ".git/x.png", "__MACOSX/cat/a.png"):
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"x")
    (folder / "empty").mkdir()
    write(folder / "stray.png", picture(9))
    write(folder / "cat" / "LOUD.JPG", picture(8), format="JPEG")
    source, examples = open_folder(folder)
    assert [example.id for example in examples] == ["cat/000.png", "cat/LOUD.JPG", "dog/000.png"]
    assert "1 images lie in no class's folder" in told(source)
    assert "1 .tiff" in told(source) and "no classes: empty" in told(source)


def test_names_in_other_spellings_of_unicode_are_one_class(tmp_path: Path) -> None:
    for split, form in (("train", "NFC"), ("test", "NFD")):
        write(tmp_path / split / unicodedata.normalize(form, "café") / "a.png", picture(1))
    _, examples = open_folder(tmp_path)
    assert {example.label for example in examples} == {"café"}


def test_symbolic_link_to_a_folder_above_ends(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "pets", {"cat": 1, "dog": 1})
    (folder / "cat" / "again").symlink_to(folder / "cat", target_is_directory=True)
    assert len(open_folder(folder)[1]) == 2


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"cat": 2, "dog": 1})
    first = open_folder(folder)[0].fingerprint
    assert open_folder(folder)[0].fingerprint == first
    os.utime(folder / "cat" / "000.png", ns=(1, 1))
    touched = open_folder(folder)[0].fingerprint
    (folder / "cat" / "000.png").rename(folder / "dog" / "999.png")
    assert len({first, touched, open_folder(folder)[0].fingerprint}) == 3


def test_missing_folder_and_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no folder .*/nowhere"):
        load(RunConfig(data=str(tmp_path / "nowhere")))
    (tmp_path / "photos.zip").write_bytes(b"PK")
    with pytest.raises(ConfigError, match="is a file. Expected a folder of images; extract an archive first"):
        load(RunConfig(data=str(tmp_path / "photos.zip")))


def test_folders_without_examples(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images. Expected a folder for each class"):
        load(RunConfig(data=str(tmp_path)))
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.tif").write_bytes(b"II*")
    with pytest.raises(DataError, match="no image that can be read, only 1 .tif"):
        load(RunConfig(data=str(tmp_path)))
    write(tmp_path / "flat.png", picture(1))
    with pytest.raises(DataError, match="holds 1 images, but no folders of classes"):
        load(RunConfig(data=str(tmp_path)))
