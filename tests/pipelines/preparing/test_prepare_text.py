"""Texts of every sort become tokens that serving would make of them, and nothing is learnt outside of training."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from pipelines.preparing import text as preparing
from pipelines.preparing.draft import Draft
from pipelines.preparing.facts import LEFT_OUT, TEST, TRAIN, VALIDATION
from pipelines.preparing.prepare import prepare
from pipelines.preparing.text import fitting_length, prepare_text
from pipelines.preparing.vocabulary import learn_tokenizer, why_unsuited
from records.config import RunConfig
from records.data import Example, InputKind, Source, Split
from records.errors import ConfigError, DataError
from records.spec import TextLayout
from search_spaces.text_backbones import text_backbone_available, tokenizer_json
from serving.codecs.catalog import load_codec
from store.home import Home

GOOD = ["a splendid film", "what a joy to see", "warm and funny", "the best of the year", "I would see it again"]
BAD = ["a dreadful film", "what a waste of time", "cold and dull", "the worst of the year", "I left halfway through"]
needs_weights = pytest.mark.skipif(text_backbone_available() is not None, reason=str(text_backbone_available()))


@pytest.fixture
def learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pretrained network is installed."""
    monkeypatch.setattr(preparing, "text_backbone_available", lambda name: "It is not installed.")


def films(count: int = 40) -> list[Example]:
    rows = []
    for number in range(count):
        words, label = ((GOOD, "good"), (BAD, "bad"))[number % 2]
        rows.append(Example(raw=f"{words[number // 2 % 5]}, part {number}!", label=label, id=f"row {number + 1}"))
    return rows


def source(rows: Sequence[Example], **more: Any) -> Source:
    def examples() -> Iterator[Example]:
        yield from rows

    return Source(name="films", kind=InputKind.TEXT, fingerprint=None, examples=examples, **more)


def made(rows: Sequence[Example], tmp_path: Path, **asked: Any) -> tuple[Draft, np.ndarray]:
    path = tmp_path / "inputs.bin"
    draft = prepare_text(source(rows), RunConfig(data="films", **asked), path, lambda done, total: None)
    return draft, np.fromfile(path, np.int32).reshape(len(draft.ids), *draft.spec.input_shape)


def codes(draft: Draft) -> list[str]:
    return [finding.code for finding in draft.findings]


def test_texts_are_encoded_as_serving_would_encode_them(learnt: None, tmp_path: Path) -> None:
    rows = films()
    draft, inputs = made(rows, tmp_path)
    served = load_codec(json.loads(json.dumps(draft.codec.to_json())))
    for row, array in zip(rows, inputs, strict=True):
        np.testing.assert_array_equal(served.encode(row.raw), array)
    assert draft.spec.labels == ("bad", "good") and draft.spec.task == "classification"
    assert draft.spec.dtype == "int32" and draft.spec.kind is InputKind.TEXT
    assert isinstance(draft.spec.layout, TextLayout) and draft.spec.text.tokenizer == "learnt"
    assert inputs.max() < draft.spec.text.vocabulary == served.vocabulary  # type: ignore[attr-defined]
    assert [draft.spec.labels[target] for target in draft.targets] == [row.label for row in rows]
    assert set(draft.codes.tolist()) == {TRAIN, VALIDATION, TEST}
    assert draft.sample == {"text": rows[draft.sample_row].raw} and draft.codes[draft.sample_row] == VALIDATION
    assert codes(draft) == ["counts", "splits"] and draft.findings[0].what.startswith("40 texts in 2 classes")


def test_nothing_is_learnt_outside_of_training(learnt: None, tmp_path: Path) -> None:
    rows = [
        Example(raw=row.raw, label=row.label, id=row.id, split=list(Split)[min(number // 14, 2)])
        for number, row in enumerate(films())
    ]
    first, _ = made(rows, tmp_path)
    changed = [
        row if row.split is Split.TRAIN
        else Example(raw=f"{'zzyzx qqq ' * 50}{number}", label=row.label, id=row.id, split=row.split)
        for number, row in enumerate(rows)
    ]  # fmt: skip
    second, _ = made(changed, tmp_path)
    assert first.codec == second.codec and first.content != second.content


def test_missing_empty_and_unreadable_texts_are_left_out_and_told(learnt: None, tmp_path: Path) -> None:
    odd: list[Any] = [None, float("nan"), "", " \n", b"\xff\xfe", 5]
    rows = [*films(), *(Example(raw=raw, label="good", id=f"odd {number}") for number, raw in enumerate(odd))]
    draft, inputs = made(rows, tmp_path)
    told = {finding.code: finding for finding in draft.findings}
    assert len(inputs) == 40 and told["empty_texts"].count == 4
    assert told["empty_texts"].examples == ("odd 0", "odd 1", "odd 2", "odd 3")
    assert told["unreadable"].count == 2 and "odd 4: Not a text. Expected UTF-8" in told["unreadable"].what


def test_copies_that_differ_in_blanks_and_capitals_are_copies(learnt: None, tmp_path: Path) -> None:
    rows = [*films(), Example(raw="A  SPLENDID film, part 0!\n", label="good", id="copy")]
    draft, _ = made(rows, tmp_path)
    assert "exact_duplicates" in codes(draft) and draft.codes[-1] == LEFT_OUT


def test_numbers_are_predicted(learnt: None, tmp_path: Path) -> None:
    rows = [Example(raw=row.raw, label=float(len(row.raw)), id=row.id) for row in films()]
    rows.append(Example(raw="nobody said", label=float("nan"), id="unknown"))
    draft, _ = made(rows, tmp_path)
    assert draft.spec.task == "regression" and draft.targets.dtype == np.float32 and len(draft.targets) == 40
    train = draft.targets[draft.codes == TRAIN]
    np.testing.assert_allclose(draft.spec.target_mean, train.mean(), rtol=1e-6)
    assert draft.spec.num_train == len(train) and "missing_targets" in codes(draft)
    with pytest.raises(ConfigError, match="not every label of films is a number"):
        made(films(), tmp_path, task="regression")
    with pytest.raises(ConfigError, match="Forecasting needs one table"):
        made(films(), tmp_path, task="forecasting")


def test_lengths_are_those_of_nearly_all_training_texts(learnt: None, tmp_path: Path) -> None:
    assert fitting_length(np.array([3, 4, 5])) == 8
    assert fitting_length(np.array([17] * 99 + [400])) == 24
    assert fitting_length(np.array([900])) == 128
    rows = films(200)
    rows[7] = Example(raw="and so on " * 500, label="bad", id="long")
    draft, inputs = made(rows, tmp_path)
    told = next(finding for finding in draft.findings if finding.code == "long_texts")
    assert told.count == 1 and told.examples == ("long",) and inputs[7].all() and inputs.shape[1] % 8 == 0
    asked, wide = made(rows, tmp_path, max_tokens=300)
    assert wide.shape[1] == 300 and asked.codec.to_json()["max_chars"] == 9600


def test_groups_stay_together(learnt: None, tmp_path: Path) -> None:
    rows = [Example(raw=row.raw, label=row.label, id=row.id, group=f"g{i // 4}") for i, row in enumerate(films())]
    draft, _ = made(rows, tmp_path)
    assert draft.clusters is not None
    for cluster in np.unique(draft.clusters):
        assert len(set(draft.codes[draft.clusters == cluster].tolist())) == 1


def test_nothing_to_learn_from_is_told(learnt: None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="films holds no texts"):
        made([], tmp_path)
    with pytest.raises(DataError, match="2 are empty"):
        made([Example(raw="", label="a", id="1"), Example(raw=None, label="b", id="2")], tmp_path)
    with pytest.raises(DataError, match="None of films's texts can be read. The first, 1: Not a text"):
        made([Example(raw=b"\xff", label="a", id="1")], tmp_path)
    with pytest.raises(DataError, match="one class|1 class|two classes"):
        made([Example(raw=row.raw, label="a", id=row.id) for row in films()], tmp_path)


def test_equal_texts_teach_equal_vocabularies() -> None:
    texts = [row.raw for row in films(100)]
    saved = learn_tokenizer(texts)
    assert saved == learn_tokenizer(list(texts))
    assert learn_tokenizer([""]) and Tokenizer.from_str(learn_tokenizer([])).get_vocab_size() == 258
    chinese = learn_tokenizer(["我喜欢这部电影", "这部电影不好看"] * 200)
    assert len(Tokenizer.from_str(chinese).encode("我喜欢这部电影").ids) < 6


@needs_weights
def test_the_pretrained_tokenizer_is_taken_where_it_suits(tmp_path: Path) -> None:
    draft, inputs = made(films(), tmp_path)
    assert draft.spec.text == TextLayout(vocabulary=30522, tokenizer="minilm") and (inputs[:, 0] == 101).all()
    assert not draft.understood
    words = ["мы", "видели", "этот", "чудесный", "фильм", "вчера", "вечером", "и", "плакали"]
    rows = [
        Example(raw=f"{' '.join(np.roll(words, number))} {number}", label=str(number % 2), id=str(number))
        for number in range(40)
    ]
    draft, _ = made(rows, tmp_path)
    assert draft.spec.text.tokenizer == "learnt"
    assert "does not suit these texts (it cuts a word into" in draft.understood[0].what
    reason = why_unsuited(tokenizer_json(), ["ᚠᚢᚦ ᚨᚱᚲ"] * 5)
    assert reason is not None and reason.endswith("of their tokens are unknown to it")
    assert why_unsuited(tokenizer_json(), ["An English sentence, like any other."]) is None


def test_prepared_as_a_whole(learnt: None, home: Home) -> None:
    progress: list[tuple[int, int | None]] = []
    config = RunConfig(data="films")
    ready = prepare(source(films(), num_examples=40), config, home, lambda done, total: progress.append((done, total)))
    assert ready.inputs.shape == (40, *ready.spec.input_shape) and progress[-1] == (40, 40)
    assert prepare(source(films()), config, home).reused


@pytest.mark.slow
def test_real_sentences(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "datasets" / "text" / "sst2" / "stsa.binary.dev"
    lines = path.read_text("latin-1").splitlines()
    rows = [Example(raw=line[2:], label=line[0], id=str(number)) for number, line in enumerate(lines)]
    draft, inputs = made(rows, tmp_path)
    assert draft.spec.labels == ("0", "1") and 40 <= inputs.shape[1] <= 64
    lengths = (inputs > 0).sum(axis=1)
    assert (lengths == inputs.shape[1]).mean() < 0.03


def test_what_reading_the_file_found_is_told(tmp_path: Path, home: Home) -> None:
    from pipelines.datasets.catalog import open_source
    from pipelines.preparing.prepare import prepare

    rows = [f"the {('cat', 'dog')[i % 2]} number {i} sat on the mat,{('cat', 'dog')[i % 2]}" for i in range(60)]
    file = tmp_path / "pets.csv"
    file.write_text("\n".join(["text,label", *rows[:30], "too,many,cells", *rows[30:]]))
    config = RunConfig(data=str(file))
    found = prepare(open_source(config), config, home).findings
    assert any("32" in one.what for one in found), [one.what for one in found]
