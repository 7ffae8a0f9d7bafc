"""From a source to arrays: once, whole, and again for nothing."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.datasets.catalog import open_source
from pipelines.preparing import image as image_module
from pipelines.preparing import prepare as prepare_module
from pipelines.preparing import prepared_files, reading
from pipelines.preparing.prepare import load_prepared, prepare
from records.config import RunConfig
from records.data import Prepared, Split
from records.errors import ConfigError, DataError, StoreError
from serving.codecs.catalog import load_codec
from store.home import Home, open_home
from tests.pictures import as_jpeg, picture, write, write_folder


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "pets", {"cat": 20, "dog": 20})


def run(folder: Path, home: Home, progress: Callable[[int, int | None], None] | None = None, **wishes: Any) -> Prepared:
    config = RunConfig(data=str(folder), **wishes)
    return prepare(open_source(config), config, home, progress)


def contents(home: Home) -> set[str]:
    return {path.name for path in home.prepared.iterdir() if not path.name.endswith(".lock")}


def test_arrays_are_what_serving_would_make_of_the_files(pets: Path, home: Home) -> None:
    seen: list[tuple[int, int | None]] = []
    prepared = run(pets, home, lambda done, total: seen.append((done, total)))
    assert prepared.spec.input_shape == prepared.inputs.shape[1:] == (40, 50, 3)
    assert prepared.spec.labels == ("cat", "dog") and prepared.spec.label_counts == (10, 10)
    codec = load_codec(prepared.codec)
    for row in (0, 7, 39):
        np.testing.assert_array_equal(prepared.inputs[row], codec.encode((pets / prepared.ids[row]).read_bytes()))
        assert prepared.spec.labels[prepared.targets[row]] == prepared.ids[row].split("/")[0]
    rows = np.concatenate([prepared.indices[split] for split in Split])
    assert sorted(rows) == list(range(40)) and len(prepared.indices[Split.TEST]) == 6
    assert seen[-1] == (40, 40)
    with pytest.raises(ValueError, match="read-only"):
        prepared.inputs[0] = 0


def test_second_run_reads_nothing(pets: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(pets, home)
    monkeypatch.setattr(reading, "decode_all", None)
    second = run(pets, home)
    assert second.reused and not first.reused
    assert second.fingerprint == first.fingerprint and second.findings == first.findings and second.ids == first.ids
    np.testing.assert_array_equal(second.inputs, first.inputs)


def test_fingerprint_changes_with_everything_that_matters(pets: Path, home: Home) -> None:
    wishes: list[dict[str, Any]] = [
        {},
        {"seed": 1},
        {"image_size": 16},
        {"test_fraction": 0.2},
        {"validation_fraction": 0.2},
        {"group": "(.)"},
        {"keep_near_duplicates": True},
    ]
    fingerprints = {
        prepare_module._fingerprint(open_source(config), config)
        for config in (RunConfig(data=str(pets), **wish) for wish in wishes)
    }
    assert len(fingerprints) == len(wishes)
    first = run(pets, home)
    write(pets / "cat" / "new.png", picture(500))
    second = run(pets, home)
    assert second.fingerprint != first.fingerprint and len(second.ids) == 41


def test_image_size_and_group_are_obeyed(pets: Path, home: Home) -> None:
    prepared = run(pets, home, image_size=20, group=r"(\d)\.png")
    assert prepared.spec.input_shape == (16, 20, 3)
    last_digit = np.array([name[-5] for name in prepared.ids])
    parts = [set(last_digit[prepared.indices[split]]) for split in Split]
    assert sum(map(len, parts)) == 10 and all(parts)


@pytest.mark.parametrize(
    ("group", "words"),
    [("(", "no regular expression"), ("x", "must have one group"), ("(zebra)", "matches no example's id")],
)
def test_wrong_group_is_told(pets: Path, home: Home, group: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        run(pets, home, group=group)
    assert contents(home) == set()


def test_bad_files_are_left_out_and_told(pets: Path, home: Home) -> None:
    (pets / "cat" / "story.jpg").write_text("Once upon a time")
    (pets / "cat" / "cut.jpg").write_bytes(as_jpeg(picture(700))[:500])
    prepared = run(pets, home)
    found = {finding.code: finding for finding in prepared.findings}
    assert found["unreadable"].examples == ("cat/cut.jpg", "cat/story.jpg")
    assert len(prepared.ids) == 40 and "cat/story.jpg" not in prepared.ids
    assert list(found) == ["counts", "splits", "unreadable", "cross_validation"]


def test_labels_without_training_images_leave_no_gap(tmp_path: Path, home: Home) -> None:
    write_folder(tmp_path, {"train/ant": 5, "train/dog": 5, "test/ant": 2, "test/bee": 2, "test/dog": 2})
    prepared = run(tmp_path, home)
    assert prepared.spec.labels == ("ant", "dog")
    rows = np.concatenate([prepared.indices[split] for split in Split])
    assert {(prepared.spec.labels[prepared.targets[row]], prepared.ids[row].split("/")[1]) for row in rows} == {
        ("ant", "ant"),
        ("dog", "dog"),
    }


def test_numbered_classes_are_in_the_order_of_their_numbers(tmp_path: Path, home: Home) -> None:
    write_folder(tmp_path, {"10": 3, "9": 3, "1": 3, "other": 3})
    assert run(tmp_path, home).spec.labels == ("1", "9", "10", "other")


def test_source_of_a_user_is_known_again_by_its_content(tmp_path: Path, home: Home) -> None:
    file = tmp_path / "mine.py"
    code = (
        "import numpy as np\ndef load():\n    for i in range(30):\n"
        "        yield np.random.default_rng(i).integers(0, 256, (9, 9), dtype=np.uint8), i % 2\n"
    )
    file.write_text(code)
    config = RunConfig(data="mine", source=f"{file}:load")
    first = prepare(open_source(config), config, home)
    second = prepare(open_source(config), config, home)
    assert second.reused and second.fingerprint == first.fingerprint and first.spec.input_shape == (9, 9, 1)
    file.write_text(code.replace("i % 2", "i % 3"))
    third = prepare(open_source(config), config, home)
    assert not third.reused and third.spec.labels == ("0", "1", "2")
    assert contents(home) == {first.fingerprint, third.fingerprint}


def test_nothing_usable_is_one_sentence(tmp_path: Path, home: Home) -> None:
    (tmp_path / "a" / "x").mkdir(parents=True)
    for name in ("a/1.jpg", "b/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no")
    with pytest.raises(DataError, match="None of .*'s images can be read. The first, a/1.jpg: .*Received: text"):
        run(tmp_path, home)
    (tmp_path / "mine.py").write_text("def load(): return []")
    config = RunConfig(data="mine", source=f"{tmp_path / 'mine.py'}:load")
    with pytest.raises(DataError, match="mine holds no examples"):
        prepare(open_source(config), config, home)
    assert contents(home) == set()


def test_too_little_space_is_told_before_reading(pets: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_module, "free_bytes", lambda path: 10_000_000)
    with pytest.raises(StoreError, match="The disk is too full to prepare pets: .* smaller --image-size"):
        run(pets, home)


def test_disk_that_fills_up_is_a_sentence_and_leaves_nothing(
    pets: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(image_module, "read_all", full)
    with pytest.raises(StoreError, match="The disk is full"):
        run(pets, home)
    assert contents(home) == set()


@pytest.mark.parametrize("damage", ["cut", "gone", "garbled", "format"])
def test_damaged_files_are_noticed_and_made_again(pets: Path, home: Home, damage: str) -> None:
    first = run(pets, home)
    metadata = first.folder / prepared_files.METADATA
    if damage == "cut":
        os.truncate(first.folder / prepared_files.INPUTS, 100)
    elif damage == "gone":
        (first.folder / prepared_files.TARGETS).unlink()
    elif damage == "garbled":
        metadata.write_text(metadata.read_text()[:-10])
    else:
        metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "format": 99}))
    with pytest.raises(StoreError, match="is damaged .*Delete the folder"):
        load_prepared(first.folder)
    again = run(pets, home)
    assert not again.reused and len(load_prepared(again.folder).ids) == 40


def test_loaded_again_it_is_the_same(pets: Path, home: Home) -> None:
    first = run(pets, home)
    loaded = load_prepared(first.folder)
    assert loaded.spec == first.spec and loaded.findings == first.findings
    assert replace(loaded, inputs=None, targets=None, indices={}) == replace(
        first, inputs=None, targets=None, indices={}, seconds=0.0
    )


def _prepare_elsewhere(folder: str, root: str, barrier: Any, results: Any) -> None:
    barrier.wait()
    prepared = run(Path(folder), open_home(Path(root)))
    results.put((prepared.fingerprint, prepared.reused, len(prepared.ids)))


def test_two_processes_preparing_the_same_both_end_well(pets: Path, home: Home) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    workers = [
        context.Process(target=_prepare_elsewhere, args=(str(pets), str(home.root), barrier, results)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert len({fingerprint for fingerprint, *_ in answers}) == 1
    assert sorted(reused for _, reused, _ in answers) == [False, True, True]
    assert contents(home) == {answers[0][0]}


def test_killed_in_the_middle_it_leaves_nothing_that_is_used(pets: Path, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "slow.py"
    file.write_text(
        "import time\nimport numpy as np\ndef load():\n    for i in range(3000):\n"
        "        if i == 2500: print('here', flush=True); time.sleep(60)\n"
        "        yield np.random.default_rng(i).integers(0, 256, (9, 9), dtype=np.uint8), i % 2\n"
    )
    program = (
        "import sys; from pathlib import Path\nfrom pipelines.datasets.catalog import open_source\n"
        "from pipelines.preparing.prepare import prepare\nfrom records.config import RunConfig\n"
        "from store.home import open_home\n"
        f"config = RunConfig(data='x', source={str(file) + ':load'!r})\n"
        f"prepare(open_source(config), config, open_home(Path({str(home.root)!r})))\n"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "here\n"
        os.kill(child.pid, signal.SIGKILL)
    assert [name for name in contents(home) if name.endswith(".partial")]
    started = time.monotonic()
    prepared = run(pets, home)
    assert contents(home) == {prepared.fingerprint} and time.monotonic() - started < 60


def test_what_a_killed_run_left_of_the_same_data_is_not_used(pets: Path, home: Home) -> None:
    fingerprint = run(pets, home).fingerprint
    (home.prepared / fingerprint).rename(home.prepared / f"{fingerprint}.partial")
    prepared = run(pets, home)
    assert not prepared.reused and contents(home) == {fingerprint}
