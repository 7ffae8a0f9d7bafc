"""The datasets of `search_quality` in a form that every program can read: the same training and test examples for all.

`prepared(name, data, cache)` reads the raw data once and writes a folder:

    facts.json   kind, labels, counts, and which split became what
    train.npz    inputs, and targets <int64>[examples], shuffled once with a fixed seed
    test.npz     the same for the publisher's own test split, in its order
    task/        what `kerasmith run` is given: a folder of images, a csv, or a pair of .ts files
    asked/       what `kerasmith predict` is given: the test examples in the order of test.npz

Inputs are `images` <uint8>[examples, side, side, channels], `texts` <str>[examples], `series`
<float32>[examples, steps, channels] with zeros behind `lengths`, or `numbers` <float32> and `categories` <str>.
What a publisher set aside for validation belongs to the training examples: each program chooses its own.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import quality_raw
from benchmarks.quality_raw import Raw

VERSION = 1
"""Of the form above; another number prepares anew."""
DATA_VARIABLE = "KERASMITH_BENCH_DATA"
CACHE_VARIABLE = "KERASMITH_PEERS"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One dataset of the comparison."""

    kind: str
    """`image`, `text`, `series` or `table`."""
    seconds: int
    """Wall clock that every program gets."""
    split: str
    """Which of the publisher's splits are for training and testing."""
    read: Callable[[Path], tuple[Raw, Raw]]
    """Training and test examples out of the data folder."""
    side: int = 0
    """Pixels of a side of the images in the arrays."""


IMAGE_SECONDS, OTHER_SECONDS = 600, 180
ARCHIVE = "Of the archive: its own training and test files."
DATASETS = {
    "fashion_mnist": Dataset(
        kind="image",
        seconds=IMAGE_SECONDS,
        split="TFDS fashion_mnist: train 60000, test 10000.",
        read=quality_raw.fashion_mnist,
        side=28,
    ),
    "cifar10_subset": Dataset(
        kind="image",
        seconds=IMAGE_SECONDS,
        split="The first 500 training and 100 test images of each class, as JPEG.",
        read=partial(quality_raw.image_folder, "datasets/image/cifar10_jpg_subset", ("train",)),
        side=32,
    ),
    "clothing": Dataset(
        kind="image",
        seconds=IMAGE_SECONDS,
        split="clothing-dataset-small, at most 160 pixels a side: train and validation 3409, test 372.",
        read=partial(quality_raw.image_folder, "datasets/image/clothing_small_160", ("train", "validation")),
        side=160,
    ),
    "sst2": Dataset(
        kind="text",
        seconds=OTHER_SECONDS,
        split="SST-2 sentences: train and dev 7792, test 1821.",
        read=quality_raw.sst2,
    ),
    "trec": Dataset(
        kind="text",
        seconds=OTHER_SECONDS,
        split="TFDS trec, coarse labels: train 5452, test 500.",
        read=quality_raw.trec,
    ),
    "japanese_vowels": Dataset(
        kind="series",
        seconds=OTHER_SECONDS,
        split=f"{ARCHIVE} 270 and 370, of 7 to 29 steps.",
        read=partial(quality_raw.series, "JapaneseVowels"),
    ),
    "italy_power": Dataset(
        kind="series",
        seconds=OTHER_SECONDS,
        split=f"{ARCHIVE} 67 and 1029.",
        read=partial(quality_raw.series, "ItalyPowerDemand"),
    ),
    "adult": Dataset(
        kind="table",
        seconds=OTHER_SECONDS,
        split="UCI Adult: adult.data 32561, adult.test 16281.",
        read=quality_raw.adult,
    ),
}


def data_folder() -> Path:
    """Where the raw data lies, from the environment."""
    named = os.environ.get(DATA_VARIABLE)
    if not named or not Path(named).is_dir():
        raise SystemExit(f"{DATA_VARIABLE} names no folder: {named}. Expected the one that holds datasets/ and tfds/.")
    return Path(named)


def cache_folder() -> Path:
    """Where what was prepared, and the environments of the peers, are kept between cells; as in `scripts/peers`."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "kerasmith-peers"


def prepared(name: str, data: Path, cache: Path, examples: int | None = None) -> Path:
    """The folder of a dataset; made where it is not there yet.

    Args:
        name: In `DATASETS`.
        data: The raw data.
        cache: The folder goes below it.
        examples: Keep at most so many for training and for testing; `None`: all. For trying, never for figures.
    """
    dataset = DATASETS[name]
    folder = cache / "data" / f"{name}-{examples or 'all'}"
    facts = folder / "facts.json"
    if facts.exists() and json.loads(facts.read_text("utf-8"))["version"] == VERSION:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    train, test = dataset.read(data)
    train = train.taken(np.random.default_rng(0).permutation(len(train.labels))[:examples])
    test = test.taken(np.random.default_rng(0).permutation(len(test.labels))[:examples] if examples else slice(None))
    write(folder, name, dataset, train, test)
    return folder


def write(folder: Path, name: str, dataset: Dataset, train: Raw, test: Raw) -> None:
    """Writes both forms; `facts.json` last, so that a stop leaves nothing that looks finished."""
    names = sorted(set(train.labels))
    if strange := set(test.labels) - set(names):
        raise SystemExit(f"{name}: test examples of classes that training does not have: {sorted(strange)}.")
    for split, raw in (("train", train), ("test", test)):
        targets = np.array([names.index(label) for label in raw.labels], dtype=np.int64)
        np.savez(folder / f"{split}.npz", allow_pickle=False, targets=targets, **raw.arrays(dataset.side))
    TASKS[dataset.kind](folder, name, train, test)
    counts = {"train": len(train.labels), "test": len(test.labels)}
    facts = {"version": VERSION, "name": name, "kind": dataset.kind, "split": dataset.split, "labels": names, **counts}
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def read_facts(folder: Path) -> dict[str, Any]:
    """What `write` left in facts.json."""
    return json.loads((folder / "facts.json").read_text("utf-8"))


def _image_task(folder: Path, name: str, train: Raw, test: Raw) -> None:
    """Folders of classes for the run; for the questions links to the test images in their order."""
    (folder / "asked").mkdir()
    for split, raw in (("train", train), ("test", test)):
        for number, (image, label) in enumerate(zip(raw.images, raw.labels, strict=True)):
            path = folder / "task" / split / label / f"{number:06d}{image.ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image.content)
            if split == "test":
                (folder / "asked" / path.name).hardlink_to(path)


def _text_task(folder: Path, name: str, train: Raw, test: Raw) -> None:
    rows = [[(text,) for text in raw.texts] for raw in (train, test)]
    _write_tables(folder, ("text",), rows, (train.labels, test.labels))


def _table_task(folder: Path, name: str, train: Raw, test: Raw) -> None:
    _write_tables(folder, train.columns, [train.rows, test.rows], (train.labels, test.labels))


def _write_tables(
    folder: Path, columns: Sequence[str], rows: Sequence[Sequence[Sequence[str]]], labels: Sequence[Sequence[str]]
) -> None:
    for part in ("task", "asked"):
        (folder / part).mkdir()
    both = zip(("train", "test"), rows, labels, strict=True)
    _write_csv(
        folder / "task" / "data.csv",
        (*columns, "label", "split"),
        [(*row, label, split) for split, part, names in both for row, label in zip(part, names, strict=True)],
    )
    _write_csv(folder / "asked" / "data.csv", columns, rows[1])


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def _series_task(folder: Path, name: str, train: Raw, test: Raw) -> None:
    for part in ("task", "asked"):
        (folder / part).mkdir()
    labels = sorted(set(train.labels))
    for split, raw in (("TRAIN", train), ("TEST", test)):
        lines = [
            ":".join(",".join(repr(float(value)) for value in channel) for channel in series.T) + f":{label}"
            for series, label in zip(raw.series, raw.labels, strict=True)
        ]
        channels = raw.series[0].shape[1]
        head = [f"@problemName {name}", "@timeStamps false", f"@univariate {str(channels == 1).lower()}"]
        head += [f"@dimensions {channels}", f"@classLabel true {' '.join(labels)}", "@data"]
        (folder / "task" / f"{name}_{split}.ts").write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    (folder / "asked" / f"{name}.ts").hardlink_to(folder / "task" / f"{name}_TEST.ts")


TASKS = {"image": _image_task, "text": _text_task, "series": _series_task, "table": _table_task}
