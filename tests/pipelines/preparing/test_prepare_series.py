"""Preparing series: scales of the training split alone, lengths, missing values, and what is left out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.datasets.series_file import load
from pipelines.preparing import series_reading
from pipelines.preparing.draft import Draft
from pipelines.preparing.facts import LEFT_OUT, TEST, TRAIN, VALIDATION
from pipelines.preparing.series import prepare_series
from records.config import RunConfig
from records.data import Example, InputKind, Source, Split
from records.errors import ConfigError, DataError
from serving.codecs.catalog import load_codec

CONFIG = RunConfig(data="walks")


def make_examples(count: int = 60, channels: int = 2, numbers: bool = False, splits: bool = False) -> list[Example]:
    """Series of 3 to 9 steps; the class is the direction, the number the slope."""
    rng = np.random.default_rng(1)
    examples = []
    for i in range(count):
        slope = float(rng.normal()) + 0.1
        steps = int(rng.integers(3, 10))
        raw = 100 + slope * np.arange(steps)[:, None] + rng.normal(0, 0.1, (steps, channels))
        split = tuple(Split)[i % 3] if splits else None
        label = slope if numbers else ("up" if i % 2 else "down")
        examples.append(Example(raw=raw, label=label, id=f"walk {i}", split=split))
    return examples


def prepare(examples: Sequence[Example], path: Path, config: RunConfig = CONFIG, **fields: Any) -> Draft:
    def read() -> Iterator[Example]:
        return iter(examples)

    source = Source(name="walks", kind=InputKind.SERIES, fingerprint=None, examples=read, **fields)
    seen: list[int] = []
    draft = prepare_series(source, config, path, lambda done, total: seen.append(done))
    assert seen == list(range(1, len(examples) + 1))
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # what was read is gone
    return draft


def arrays(draft: Draft, path: Path) -> np.ndarray:
    return np.fromfile(path, np.float32).reshape(len(draft.ids), *draft.spec.input_shape)


def codes_of(draft: Draft) -> list[str]:
    return [finding.code for finding in draft.findings]


def test_every_row_is_what_the_codec_gives(tmp_path: Path) -> None:
    examples = make_examples()
    path = tmp_path / "inputs.bin"
    draft = prepare(examples, path, channels=("x", "y"))
    codec = load_codec(draft.codec.to_json())
    np.testing.assert_array_equal(arrays(draft, path), np.stack([codec.encode(e.raw) for e in examples]))
    assert draft.spec.labels == ("down", "up") and sum(draft.spec.label_counts) == (draft.codes == TRAIN).sum()
    assert draft.spec.series.channels == ("x", "y") and draft.spec.input_shape[1] == 3
    assert [draft.spec.labels[t] for t in draft.targets] == [e.label for e in examples]
    assert {TRAIN, VALIDATION, TEST} == set(draft.codes.tolist())
    assert draft.clusters is None
    assert codes_of(draft)[:2] == ["counts", "splits"]
    assert draft.findings[0].what.startswith("60 series in 2 classes of 30 to 30.")


def test_scales_come_from_the_training_split_alone(tmp_path: Path) -> None:
    examples = make_examples(splits=True)
    first = prepare(examples, tmp_path / "inputs.bin")
    far = [replace(e, raw=e.raw * 1000) if e.split is not Split.TRAIN else e for e in examples]
    second = prepare(far, tmp_path / "inputs.bin")
    assert first.codec == second.codec and first.content != second.content
    train = np.concatenate([e.raw for e in examples if e.split is Split.TRAIN])
    np.testing.assert_allclose(first.codec.to_json()["means"], train.mean(axis=0))
    np.testing.assert_allclose(first.codec.to_json()["stds"], train.std(axis=0))
    assert first.codec.input_shape[0] == max(len(e.raw) for e in examples if e.split is Split.TRAIN)


def test_numbers_to_predict(tmp_path: Path) -> None:
    examples = make_examples(numbers=True)
    draft = prepare(examples, tmp_path / "inputs.bin", replace(CONFIG, target="slope"))
    train = draft.targets[draft.codes == TRAIN]
    assert draft.spec.task == "regression" and draft.spec.labels == () and draft.spec.target == "slope"
    assert draft.targets.dtype == np.float32 and draft.spec.num_train == len(train)
    assert draft.spec.target_mean == pytest.approx(train.mean(), abs=1e-6)
    assert draft.spec.target_std == pytest.approx(train.std(), abs=1e-6)


def test_the_task_that_was_asked_for_wins(tmp_path: Path) -> None:
    numbers = [replace(e, label=str(i % 4)) for i, e in enumerate(make_examples())]
    path = tmp_path / "inputs.bin"
    assert prepare(numbers, path).spec.task == "classification"
    assert prepare(numbers, path, replace(CONFIG, task="regression")).spec.task == "regression"
    floats = [replace(e, label=float(i % 4)) for i, e in enumerate(make_examples())]
    assert prepare(floats, path, replace(CONFIG, task="classification")).spec.labels == ("0.0", "1.0", "2.0", "3.0")
    with pytest.raises(ConfigError, match="not every label of walks is a number"):
        prepare(make_examples(), path, replace(CONFIG, task="regression"))


def test_the_sample_is_a_validation_series_as_a_request_has_it(tmp_path: Path) -> None:
    examples = make_examples(channels=1)
    examples = [replace(e, raw=np.concatenate([e.raw[:1], [[np.nan]], e.raw[1:]])) for e in examples]
    path = tmp_path / "inputs.bin"
    draft = prepare(examples, path)
    assert draft.sample is not None and draft.codes[draft.sample_row] == VALIDATION
    assert draft.sample["series"][1] is None and isinstance(draft.sample["series"][0], float)
    np.testing.assert_array_equal(draft.codec.encode(draft.sample["series"]), arrays(draft, path)[draft.sample_row])
    missing = next(finding for finding in draft.findings if finding.code == "missing_values")
    assert missing.what == "60 series have missing values, 60 in all."


def test_copies_empty_infinite_and_constant_series_are_found(tmp_path: Path) -> None:
    examples = make_examples()
    examples[3] = replace(examples[3], raw=examples[1].raw)
    examples[5] = replace(examples[5], raw=np.zeros((0, 2)))
    examples[7] = replace(examples[7], raw=np.full((4, 2), np.inf))
    examples[9] = replace(examples[9], raw=np.full((4, 2), 7.0))
    draft = prepare(examples, tmp_path / "inputs.bin")
    assert len(draft.ids) == 58 and "walk 5" not in draft.ids
    assert draft.codes[list(draft.ids).index("walk 3")] == LEFT_OUT
    found = {finding.code: finding for finding in draft.findings}
    assert found["unreadable"].what == (
        "2 series cannot be read. The first, walk 5: The series is empty. Expected at least one step."
    )
    assert found["exact_duplicates"].count == 1 and found["constant"].examples == ("walk 9",)


def test_channels_that_tell_nothing_are_named(tmp_path: Path) -> None:
    examples = [
        replace(e, raw=np.concatenate([e.raw, np.full((len(e.raw), 1), 5.0), np.full((len(e.raw), 1), np.nan)], axis=1))
        for e in make_examples()
    ]
    draft = prepare(examples, tmp_path / "inputs.bin")
    found = {finding.code: finding for finding in draft.findings}
    assert found["constant_channels"].examples == ("channel 3", "channel 4")
    assert draft.codec.to_json()["stds"][2:] == [1.0, 1.0]
    assert not arrays(draft, tmp_path / "inputs.bin")[:, :, 2:4].any()


def test_long_series_are_cut_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_reading, "LONGEST", 5)
    monkeypatch.setattr("pipelines.preparing.series.LONGEST", 5)
    examples = make_examples()
    draft = prepare(examples, tmp_path / "inputs.bin")
    assert draft.spec.input_shape == (5, 3)
    found = next(finding for finding in draft.findings if finding.code == "long_series")
    assert found.done == "Their first 5 steps are used: the most that are used."
    assert found.count == sum(len(e.raw) > 5 for e in examples)


def test_series_of_different_channels_are_refused(tmp_path: Path) -> None:
    examples = make_examples()
    examples[8] = replace(examples[8], raw=examples[8].raw[:, 0])
    with pytest.raises(DataError, match="walk 8 has 1, and the series before it have 2"):
        prepare(examples, tmp_path / "inputs.bin")
    assert not list(tmp_path.iterdir())


def test_groups_stay_together(tmp_path: Path) -> None:
    examples = [replace(e, group=str(i // 6)) for i, e in enumerate(make_examples())]
    draft = prepare(examples, tmp_path / "inputs.bin")
    assert draft.clusters is not None
    for group in range(10):
        assert len(set(draft.codes[6 * group : 6 * group + 6].tolist())) == 1
    with pytest.raises(ConfigError, match="matches no example's id"):
        prepare(examples, tmp_path / "inputs.bin", replace(CONFIG, group="(run) "))


def test_the_content_follows_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "inputs.bin"
    first = prepare(make_examples(), path).content
    assert first == prepare(make_examples(), path).content
    other = make_examples()
    other[7].raw[1, 1] += 1e-12
    assert first == prepare(make_examples(), path).content != prepare(other, path).content
    renamed = make_examples()
    renamed[7] = replace(renamed[7], label="down")
    assert prepare(renamed, path).content != first


def test_no_series_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="The dataset is empty"):
        prepare([], tmp_path / "inputs.bin")


def test_real_series_of_different_lengths(shared_data: Path, tmp_path: Path) -> None:
    source = load(RunConfig(data=str(shared_data / "datasets" / "timeseries" / "JapaneseVowels")))
    draft = prepare_series(source, CONFIG, tmp_path / "inputs.bin", lambda done, total: None)
    assert draft.spec.labels == tuple("123456789") and draft.spec.input_shape[1] == 13
    assert (draft.codes == TEST).sum() == 370
    inputs = arrays(draft, tmp_path / "inputs.bin")
    train = inputs[draft.codes == TRAIN]
    values = train[:, :, :-1][train[:, :, -1] == 1]
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-4)
