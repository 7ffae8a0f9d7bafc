"""The real TFDS, on datasets that the tests prepare themselves."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.datasets.catalog import open_source
from pipelines.datasets.quiet import quietly
from pipelines.preparing.reading import choose_codec
from records.config import RunConfig
from records.data import InputKind, Source, Split
from records.errors import ConfigError, DataError
from tests.pictures import picture


@pytest.fixture(scope="module")
def tfds() -> Any:
    with quietly():
        import tensorflow_datasets

        return tensorflow_datasets


def prepare(tfds: Any, data_dir: Path, name: str, splits: dict[str, int], **features: Any) -> Path:
    """A tiny dataset written by TFDS itself, then forgotten, so that only its files remain."""
    features = features or {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=["zebra", "ant"]),
    }

    def generate(self: Any, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for number in range(count):
            known = {
                "image": picture(number),
                "label": number % 2,
                "text": f"wörd {number}",
                "coarse": number % 2,
                "fine": number % 3,
                "hidden": -1,
                "deep": np.zeros((4, 5, 1), np.float32),
            }
            yield number, {key: known[key] for key in features}

    methods = {
        "VERSION": tfds.core.Version("1.0.0"),
        "_info": lambda self: tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features)),
        "_split_generators": lambda self, _: {key: generate(self, count) for key, count in splits.items()},
        "_generate_examples": generate,
    }
    with quietly(), tfds.core.registered.skip_registration():
        kind = type("".join(part.title() for part in name.split("_")), (tfds.core.GeneratorBasedBuilder,), methods)
        kind.__module__ = __name__
        kind(data_dir=data_dir).download_and_prepare()
    return data_dir


def open_tfds(name: str, data_dir: Path, **asked: Any) -> Source:
    return open_source(RunConfig(data=f"tfds:{name}", data_dir=data_dir, **asked))


def test_prepared_dataset_is_read_encoded_and_quietly(
    tfds: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    prepare(tfds, tmp_path, "tiny_pets", {"train": 5, "test": 2})
    capfd.readouterr()
    source = open_tfds("tiny_pets", tmp_path)
    examples = list(source.examples())
    assert capfd.readouterr() == ("", "")
    assert source.labels == ("zebra", "ant") and source.num_examples == 7 and source.name == "tiny_pets"
    assert [example.split for example in examples] == [Split.TRAIN] * 5 + [Split.TEST] * 2
    assert len({example.id for example in examples}) == 7 and examples[0].id == "train/000000"
    codec, _ = choose_codec(source, 160)
    assert isinstance(examples[0].raw, bytes)
    known = [picture(number).tobytes() for number in range(5)]
    assert {codec.encode(example.raw).tobytes() for example in examples[:5]} == set(known)


def test_other_split_layouts(tfds: Any, tmp_path: Path) -> None:
    source = open_tfds("only_test", prepare(tfds, tmp_path, "only_test", {"test": 3}))
    assert [example.split for example in source.examples()] == [None] * 3
    assert "split anew" in source.understood[0].what
    source = open_tfds("odd_names", prepare(tfds, tmp_path, "odd_names", {"train": 2, "valid": 1, "extra": 4}))
    assert [example.split for example in source.examples()] == [Split.TRAIN] * 2 + [Split.VALIDATION]
    assert [one.what for one in source.understood] == [
        "The split valid of TFDS is the validation split.",
        "The split extra of TFDS is left out.",
    ]


def test_newest_prepared_version_is_taken_and_changes_the_fingerprint(tfds: Any, tmp_path: Path) -> None:
    prepare(tfds, tmp_path, "grown", {"train": 3})
    first = open_tfds("grown", tmp_path)
    (tmp_path / "grown" / "1.0.0").rename(tmp_path / "grown" / "0.9.0")
    prepare(tfds, tmp_path, "grown", {"train": 4})
    assert open_tfds("grown", tmp_path).num_examples == 4
    assert open_tfds("grown", tmp_path).fingerprint != first.fingerprint
    assert open_tfds("grown:0.9.0", tmp_path).num_examples == 3


def test_hidden_labels_are_left_out(tfds: Any, tmp_path: Path) -> None:
    features = {"image": tfds.features.Image(shape=(None, None, 3)), "hidden": tfds.features.ClassLabel(num_classes=3)}
    prepare(tfds, tmp_path, "blind", {"train": 3}, **features)
    assert list(open_tfds("blind", tmp_path).examples()) == []


def test_texts_are_read_and_of_several_classes_the_coarsest_is_predicted(tfds: Any, tmp_path: Path) -> None:
    coarse, fine = tfds.features.ClassLabel(names=["no", "yes"]), tfds.features.ClassLabel(num_classes=3)
    prepare(tfds, tmp_path, "words", {"train": 4, "test": 2}, text=tfds.features.Text(), fine=fine, coarse=coarse)
    source = open_tfds("words", tmp_path)
    examples = list(source.examples())
    assert source.kind is InputKind.TEXT and source.labels == ("no", "yes")
    assert source.understood[0].what == (
        "Of the classes of tfds:words (coarse with 2 values, fine with 3 values), coarse is predicted."
    )
    by_text = {example.raw: example.label for example in examples[:4]}
    assert by_text == {"wörd 0": "no", "wörd 1": "yes", "wörd 2": "no", "wörd 3": "yes"}
    other = open_tfds("words", tmp_path, target="fine")
    assert {example.label for example in other.examples()} == {"0", "1", "2"} and not other.understood
    assert other.fingerprint != source.fingerprint
    with pytest.raises(ConfigError, match="has no class 'finest'. Known: "):
        open_tfds("words", tmp_path, target="finest")
    with pytest.raises(ConfigError, match="There is no text 'title'. Known: text"):
        open_tfds("words", tmp_path, text="title")


def test_an_image_comes_before_a_text_unless_texts_are_asked_for(tfds: Any, tmp_path: Path) -> None:
    label = tfds.features.ClassLabel(num_classes=2)
    image = tfds.features.Image(shape=(None, None, 3))
    prepare(tfds, tmp_path, "captions", {"train": 2}, text=tfds.features.Text(), image=image, label=label)
    assert open_tfds("captions", tmp_path).kind is InputKind.IMAGE
    assert open_tfds("captions", tmp_path, kind="text").kind is InputKind.TEXT


def test_dataset_without_image_or_text_and_class_is_told(tfds: Any, tmp_path: Path) -> None:
    label = tfds.features.ClassLabel(num_classes=2)
    prepare(tfds, tmp_path, "unlabelled", {"train": 2}, text=tfds.features.Text())
    with pytest.raises(DataError, match="no image and no text with a class. Expected .* Received: text: Text"):
        open_tfds("unlabelled", tmp_path)
    deep = tfds.features.Image(shape=(4, 5, 1), dtype=np.float32)
    prepare(tfds, tmp_path, "depths", {"train": 2}, deep=deep, label=label)
    with pytest.raises(DataError, match="Expected uint8. Received: float32"):
        open_tfds("depths", tmp_path)


def test_unknown_name_offers_near_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TFDS knows no dataset 'fashon_mnist'. Did you mean fashion_mnist"):
        open_tfds("fashon_mnist", tmp_path)
    with pytest.raises(ConfigError, match="names no TFDS dataset"):
        open_tfds("../mnist", tmp_path)


def test_no_network_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    with pytest.raises(DataError, match="could not be downloaded: .*Check the network, or name a folder .*--data-dir"):
        open_tfds("mnist", tmp_path)


def test_quietly_gives_everything_back(capfd: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger("absl").level
    with pytest.raises(KeyError), quietly():
        print("library chatter")
        raise KeyError
    print("after")
    assert capfd.readouterr().out == "after\n"
    assert logging.getLogger("absl").level == level


@pytest.mark.slow
def test_real_fashion_mnist(shared_data: Path) -> None:
    source = open_tfds("fashion_mnist", shared_data / "tfds")
    assert source.num_examples == 70_000 and source.labels is not None and len(source.labels) == 10
    assert sum(1 for _ in source.examples()) == 70_000


@pytest.mark.slow
def test_real_trec(shared_data: Path) -> None:
    source = open_tfds("trec", shared_data / "tfds")
    examples = list(source.examples())
    assert source.kind is InputKind.TEXT and len(examples) == 5952 and source.labels is not None
    assert len(source.labels) == 6 and "ABBR" in source.labels
    assert {example.split for example in examples} == {Split.TRAIN, Split.TEST}
    assert any(example.raw == "How far is it from Denver to Aspen ?" for example in examples)
