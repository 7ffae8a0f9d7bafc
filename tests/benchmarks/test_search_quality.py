"""The comparison with others: everybody gets the same examples, and wins are counted as they are."""

import csv
import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import quality_data, quality_methods, search_quality, tables
from benchmarks.peers import arrays as peer_arrays
from benchmarks.quality_data import DATASETS, Dataset, prepared, read_facts
from benchmarks.quality_raw import Encoded, Raw, image_folder
from pipelines.datasets.catalog import open_source
from records.config import RunConfig


def use(monkeypatch: pytest.MonkeyPatch, kind: str, train: Raw, test: Raw, side: int = 0) -> None:
    dataset = Dataset(kind=kind, seconds=1, split="made", read=lambda _: (train, test), side=side)
    monkeypatch.setitem(DATASETS, "made", dataset)


def png(value: int) -> Encoded:
    file = io.BytesIO()
    Image.fromarray(np.full((6, 5, 3), value, np.uint8)).save(file, "PNG")
    return Encoded(file.getvalue(), ".png")


def given(folder: Path) -> list[tuple[str, str | None, object]]:
    """Label, split and raw input of every example as `kerasmith run` reads the prepared folder."""
    source = open_source(RunConfig(data=str(folder / "task")))
    assert source.examples is not None
    return [(str(one.label), one.split, one.raw) for one in source.examples()]


def loaded(folder: Path, split: str) -> dict[str, np.ndarray]:
    with np.load(folder / f"{split}.npz") as file:
        return dict(file)


def test_images_are_the_same_for_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split, values in (("train", (10, 20)), ("validation", (30,)), ("test", (40, 50))):
        for number, value in enumerate(values):
            path = tmp_path / "raw" / split / ("a" if value in (10, 30, 50) else "b") / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(value).content)
    use(monkeypatch, "image", *image_folder("raw", ("train", "validation"), tmp_path), side=4)
    folder = prepared("made", tmp_path, tmp_path / "cache")
    train, test = loaded(folder, "train"), loaded(folder, "test")
    assert train["images"].shape == (3, 4, 4, 3) and train["images"].dtype == np.uint8
    labels = read_facts(folder)["labels"]
    arrays = {
        (labels[target], int(image.max())) for target, image in zip(train["targets"], train["images"], strict=True)
    }
    assert arrays == {("a", 10), ("b", 20), ("a", 30)}
    read = {(label, split) for label, split, _ in given(folder)}
    assert read == {("a", "train"), ("b", "train"), ("a", "test"), ("b", "test")}
    asked = [np.asarray(Image.open(path)).max() for path in sorted((folder / "asked").iterdir())]
    assert asked == test["images"].max(axis=(1, 2, 3)).tolist()


def test_texts_and_their_order_are_the_same_for_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = Raw(labels=list("xyxy"), texts=["one, two", 'a "b"', "three", "four"])
    test = Raw(labels=["y", "x"], texts=["last\nline", "é"])
    use(monkeypatch, "text", train, test)
    folder = prepared("made", tmp_path, tmp_path / "cache")
    arrays = loaded(folder, "train")
    names = read_facts(folder)["labels"]
    pairs = {(str(text), names[target]) for text, target in zip(arrays["texts"], arrays["targets"], strict=True)}
    assert pairs == set(zip(train.texts, train.labels, strict=True))
    with (folder / "task" / "data.csv").open(newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file) if row["split"] == "train"]
    assert set(rows) == pairs
    with (folder / "asked" / "data.csv").open(newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == test.texts == loaded(folder, "test")["texts"].tolist()


def test_series_of_any_length_are_padded_for_peers_and_whole_for_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    train = Raw(labels=["1", "2", "1"], series=[rng.normal(3, 2, (steps, 2)) for steps in (3, 5, 4)])
    test = Raw(labels=["2"], series=[rng.normal(3, 2, (6, 2))])
    use(monkeypatch, "series", train, test)
    folder = prepared("made", tmp_path, tmp_path / "cache")
    ours = [raw for _, split, raw in given(folder) if split == "train"]
    for series in train.series:
        assert any(np.array_equal(series, one) for one in ours)
    padded, asked = peer_arrays.padded_series(loaded(folder, "train"), loaded(folder, "test"))
    assert padded.shape == (3, 6, 2) and asked.shape == (1, 6, 2)
    lengths = loaded(folder, "train")["lengths"]
    inside = np.arange(6) < lengths[:, None]
    assert (padded[~inside] == 0).all()
    assert np.allclose(padded[inside].mean(axis=0), 0, atol=1e-5) and np.allclose(padded[inside].std(axis=0), 1, 1e-3)


def test_tables_keep_categories_that_training_never_saw_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"columns": ("size", "colour"), "number_columns": ("size",)}
    train = Raw(labels=["n", "p", "n"], rows=[["1", "red"], ["3", "blue"], ["2", "red"]], **columns)
    test = Raw(labels=["p"], rows=[["5", "green"]], **columns)
    use(monkeypatch, "table", train, test)
    folder = prepared("made", tmp_path, tmp_path / "cache")
    made = peer_arrays.make_arrays("table", loaded(folder, "train"), loaded(folder, "test"), 2, {})
    assert isinstance(made.train, dict) and isinstance(made.test, dict)
    assert made.test["codes"].tolist() == [[0]] and 0 not in made.train["codes"]
    assert made.facts["num_codes"] == 3
    with (folder / "task" / "data.csv").open(newline="") as file:
        assert [(row["colour"], row["label"]) for row in csv.DictReader(file) if row["split"] == "test"] == [
            ("green", "p")
        ]


def test_prepared_data_is_made_once_and_in_part_for_trying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = Raw(labels=list("ab") * 10, texts=[f"text {number}" for number in range(20)])
    use(monkeypatch, "text", raw, raw)
    whole, part = (prepared("made", tmp_path, tmp_path / "cache", examples) for examples in (None, 6))
    assert (read_facts(whole)["train"], read_facts(part)["train"], read_facts(part)["test"]) == (20, 6, 6)
    before = (whole / "train.npz").stat().st_mtime_ns
    assert prepared("made", tmp_path, tmp_path / "cache") == whole
    assert (whole / "train.npz").stat().st_mtime_ns == before
    facts = json.loads((whole / "facts.json").read_text())
    (whole / "facts.json").write_text(json.dumps(facts | {"version": quality_data.VERSION - 1}))
    prepared("made", tmp_path, tmp_path / "cache")
    assert (whole / "train.npz").stat().st_mtime_ns > before


def test_test_class_without_training_examples_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "text", Raw(labels=["a"], texts=["x"]), Raw(labels=["b"], texts=["y"]))
    with pytest.raises(SystemExit, match="classes that training does not have: \\['b'\\]"):
        prepared("made", tmp_path, tmp_path / "cache")


def test_raw_data_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quality_data.DATA_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(SystemExit, match="Expected the one that holds datasets/ and tfds/"):
        quality_data.data_folder()


@pytest.mark.parametrize("name", [name for name, one in DATASETS.items() if one.kind != "image" and name != "trec"])
def test_real_data_has_the_sizes_that_the_cells_name(name: str, tmp_path: Path, shared_data: Path) -> None:
    train, test = DATASETS[name].read(shared_data)
    assert str(len(train.labels)) in DATASETS[name].split and str(len(test.labels)) in DATASETS[name].split
    assert set(test.labels) <= set(train.labels)


def test_cells_are_named_by_dataset_method_and_seed_and_picked_by_pattern() -> None:
    names = [cell.name for cell in search_quality.CELLS]
    assert len(names) == len(set(names)) == 8 * 6 * 3
    assert [cell.name for cell in search_quality.chosen(["trec-ours*-1"])] == ["trec-ours-1", "trec-ours_third-1"]
    assert {cell.name[-1] for cell in search_quality.CELLS[:48]} == {"0"}
    with pytest.raises(SystemExit, match="No cell is called mnist"):
        search_quality.chosen(["mnist"])


@pytest.mark.parametrize("method", quality_methods.METHODS)
def test_every_measured_file_is_there(method: str) -> None:
    for glob in quality_methods.METHODS[method].files:
        assert any(tables.ROOT.glob(glob)), glob


def test_cell_that_fails_does_not_keep_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(name: str, method: str, seed: int, examples: int | None, seconds: float | None) -> dict[str, int]:
        if seed == 0:
            raise SystemExit("It broke.")
        return {"seed": seed}

    monkeypatch.setattr(search_quality, "measure", measure)
    assert search_quality.main(["trec-ours-*", "--examples", "5"]) == 1
    told = capsys.readouterr().err
    assert "trec-ours-0 failed: It broke." in told and '"seed": 2' in told and "Failed: trec-ours-0" in told


def test_missing_environment_names_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quality_data.CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(SystemExit, match="scripts/peers"):
        quality_methods.ask_peer(quality_methods.METHODS["autokeras"], tmp_path, {}, 1.0, 0, tmp_path)


def test_peers_script_names_what_it_knows(tmp_path: Path) -> None:
    script = tables.ROOT / "scripts" / "peers"
    done = subprocess.run(
        [script, "ludwig"],
        env={"KERASMITH_PEERS": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "Expected autokeras, keras_tuner, mlserver or litserve." in done.stderr


def test_peers_split_off_their_validation_by_class() -> None:
    targets = np.repeat([0, 1], [40, 10])
    training, validation = peer_arrays.split(targets, 0)
    assert sorted([*training, *validation]) == list(range(50))
    assert np.bincount(targets[validation]).tolist() == [8, 2]
