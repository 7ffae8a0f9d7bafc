"""From a table to arrays: what is learnt from the training rows alone, and that serving says the same."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.tables.columns import to_times
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.missing import TOKENS
from pipelines.datasets.tables.reading import read
from pipelines.preparing import table as table_module
from pipelines.preparing.draft import Draft
from pipelines.preparing.facts import LEFT_OUT, NOT_GIVEN, TEST, TRAIN, VALIDATION
from pipelines.preparing.table import prepare_table
from pipelines.preparing.table_digests import untie_common
from pipelines.preparing.table_encoding import write_rows
from records.config import RunConfig
from records.data import InputKind, Source
from records.errors import DataError, StoreError
from serving.codecs.catalog import load_codec
from serving.codecs.dates import parse_date
from serving.codecs.missing import MISSING
from serving.codecs.table import TableCodec
from tests.serving.codecs.test_table_codec import TOKENIZER

NUM_ROWS = 211


def cells(count: int = NUM_ROWS, seed: int = 0) -> dict[str, list[str]]:
    """Columns of a csv: some cells are missing, and the target follows from some of the columns."""
    rng = np.random.default_rng(seed)
    age, town = rng.integers(18, 90, count), rng.choice(["Oslo", "Rome", "Lima"], count, p=[0.5, 0.3, 0.2])
    day = np.datetime64("2021-01-01") + rng.integers(0, 900, count)
    pay = 10.0 * age + 100.0 * (town == "Rome") + rng.normal(size=count)
    size = np.char.mod("%.3f", rng.lognormal(3, 1, count))
    size[rng.random(count) < 0.1] = "n/a"
    return {
        "key": [f"k{i:05d}" for i in range(count)],
        "age": [str(value) for value in age],
        "size": size.tolist(),
        "town": town.tolist(),
        "day": [f"{value[8:]}.{value[5:7]}.{value[:4]}" for value in day.astype(str)],
        "one": ["same"] * count,
        "pay": [f"{value:.2f}" for value in pay],
        "rich": np.where(pay > 500, "yes", "no").tolist(),
    }


def write_csv(path: Path, columns: dict[str, list[str]]) -> Path:
    rows: Iterable[Any] = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(row) for row in rows)]) + "\n")
    return path


def prepared(folder: Path, columns: dict[str, list[str]], **wishes: Any) -> tuple[Draft, np.ndarray]:
    path = write_csv(folder / "rows.csv", columns)
    source = Source(name="rows", kind=InputKind.TABLE, fingerprint=None, frame=lambda: read(path))
    out = folder / "inputs.bin"
    draft = prepare_table(source, RunConfig(data=str(path), **wishes), out, lambda done, total: None)
    return draft, np.memmap(out, np.float32, "r", shape=(len(draft.codes), *draft.spec.input_shape))


def told(draft: Draft) -> str:
    return " ".join(f"{found.code}: {found.what} {found.done}" for found in draft.findings)


def test_classes_are_prepared_as_serving_would(tmp_path: Path) -> None:
    columns = cells()
    draft, inputs = prepared(tmp_path, columns, target="rich", ignore=("pay",))
    spec = draft.spec
    assert (spec.kind, spec.task, spec.target, spec.labels) == (
        InputKind.TABLE,
        "classification",
        "rich",
        ("no", "yes"),
    )
    assert [slot.name for slot in spec.table.slots] == ["age", "size", "town", "day"]
    train = draft.codes == TRAIN
    assert spec.num_train == train.sum() == sum(spec.label_counts)
    assert draft.ids[0] == "row 2" and len(draft.ids) == NUM_ROWS  # the header is the first line
    codec = load_codec(draft.codec.to_json())
    for row in (0, 17, NUM_ROWS - 1):
        whole = {name: column[row] for name, column in columns.items()}
        np.testing.assert_array_equal(inputs[row], codec.encode(whole))
        assert spec.labels[draft.targets[row]] == whole["rich"]
    assert "as numbers: age, size; as categories: town; as dates: day" in draft.understood[-1].what
    assert "key" in told(draft) and "one" in told(draft)


def test_numbers_are_prepared_with_their_scale(tmp_path: Path) -> None:
    draft, inputs = prepared(tmp_path, cells(), target="pay", ignore=("rich",), task="regression")
    pays = np.array([float(cell) for cell in cells()["pay"]])
    train = draft.codes == TRAIN
    assert draft.spec.task == "regression" and draft.spec.labels == () and draft.spec.num_train == train.sum()
    assert draft.spec.target_mean == pytest.approx(pays[train].mean())
    assert draft.spec.target_std == pytest.approx(pays[train].std())
    np.testing.assert_allclose(draft.targets, pays, rtol=1e-6)
    assert draft.targets.dtype == np.float32 and inputs.dtype == np.float32


def test_codec_learns_from_the_training_rows_alone(tmp_path: Path) -> None:
    columns = cells()
    columns["split"] = ["train"] * 151 + ["validation"] * 30 + ["test"] * 30
    columns["age"][151:] = ["999"] * 60
    columns["town"][151:] = ["Mars"] * 60
    draft, inputs = prepared(tmp_path, columns, target="rich", ignore=("pay",))
    described = {column["name"]: column for column in draft.codec.describe()["columns"]}
    assert described["age"]["high"] <= 89 and "Mars" not in described["town"]["values"]
    assert (draft.codes == np.repeat([0, 1, 2], [151, 30, 30])).all()
    place = {slot.name: slot.start for slot in draft.spec.table.slots}
    assert (inputs[151:, place["town"]] == 1).all()  # unknown
    assert "split" in draft.codec.ignored and "pay" in draft.codec.ignored  # type: ignore[attr-defined]


def test_equal_rows_stay_and_never_straddle_splits(tmp_path: Path) -> None:
    columns = {name: column * 2 for name, column in cells().items() if name != "key"}
    draft, _ = prepared(tmp_path, columns, target="rich", ignore=("pay",))
    assert (draft.codes != LEFT_OUT).all()
    np.testing.assert_array_equal(draft.codes[:NUM_ROWS], draft.codes[NUM_ROWS:])
    assert f"equal_rows: {2 * NUM_ROWS} rows have the same inputs as another row" in told(draft)


def test_common_rows_are_no_copies() -> None:
    digests = np.repeat(np.arange(6, dtype=np.uint64), [400, 300, 200, 90, 5, 5])[:, None] * np.ones(2, np.uint64)
    given_splits = np.full(1000, NOT_GIVEN, np.int8)
    untied, findings = untie_common(digests, given_splits)
    assert len(np.unique(untied[:990], axis=0)) == 990 and len(np.unique(untied[990:], axis=0)) == 2
    assert [found.code for found in findings] == ["equal_rows", "common_rows"]
    given_splits[::2] = TEST
    assert "tear 10 of them apart" in untie_common(digests, given_splits)[1][0].done


def test_few_distinct_rows_can_still_be_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sex, rich = rng.choice(["m", "f"], 300), rng.choice(["yes", "no"], 300)
    draft, _ = prepared(tmp_path, {"sex": sex.tolist(), "rich": rich.tolist()}, target="rich")
    assert np.bincount(draft.codes).min() >= 45  # not two lumps
    assert "common_rows: 300 rows" in told(draft)


def test_missing_cells_and_cells_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    columns = cells()
    columns["age"][3] = "old"
    draft, inputs = prepared(tmp_path, columns, target="rich", ignore=("pay",))
    assert "1 cell of age is no number. Taken as missing." in told(draft)
    slot = draft.spec.table.slots[0]
    if slot.stop - slot.start == 2:  # the row is for training
        assert inputs[3, slot.start : slot.stop].tolist() == [0.0, 1.0]


def test_groups_are_resampled_together(tmp_path: Path) -> None:
    draft, _ = prepared(tmp_path, cells(), target="rich", ignore=("pay",), group=r"row (\d+)\d")
    assert draft.clusters is not None
    for cluster in np.unique(draft.clusters):
        assert len(np.unique(draft.codes[draft.clusters == cluster])) == 1


def test_columns_of_texts_are_left_out_where_nothing_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = cells()
    rng = np.random.default_rng(1)
    columns["note"] = [" ".join(rng.choice(["a", "fine", "flat", "near", "sea"], 9)) for _ in range(NUM_ROWS)]
    backbones = SimpleNamespace(
        text_backbone_available=lambda: "Its weights are not installed.", tokenizer_json=lambda name: TOKENIZER
    )
    monkeypatch.setattr(table_module, "import_module", lambda name: backbones)
    draft, _ = prepared(tmp_path, columns, target="rich", ignore=("pay",))
    assert "note hold texts, and no network that reads them can be had: Its weights are not installed." in told(draft)
    assert "note" in draft.codec.ignored  # type: ignore[attr-defined]
    alone = {name: columns[name] for name in ("note", "rich")}
    with pytest.raises(DataError, match="There is no column to predict from"):
        prepared(tmp_path, alone, target="rich")
    backbones.text_backbone_available = lambda: None
    draft, inputs = prepared(tmp_path, columns, target="rich", ignore=("pay",), max_tokens=16)
    slot = draft.spec.table.slots[-1]
    assert (slot.name, slot.kind, slot.stop - slot.start, slot.size) == ("note", "text", 11, 7)
    assert draft.spec.table.tokenizer == "minilm" and "as texts: note" in draft.understood[-1].what
    np.testing.assert_array_equal(inputs[5], draft.codec.encode({name: column[5] for name, column in columns.items()}))


def test_types_of_parquet_are_the_words_of_json(tmp_path: Path) -> None:
    """A column of whole numbers, truth values or times is read as what a JSON body would send."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "shop_id": pa.array(rng.integers(1, 5, 120)),
            "open": pa.array(rng.random(120) < 0.5),
            "at": pa.array(np.datetime64("2024-01-01T00:00", "ms") + rng.integers(0, 10**10, 120)),
            "price": pa.array(rng.normal(size=120)),
            "y": pa.array(rng.integers(0, 2, 120)),
        }
    )
    frame = Frame(table=table, lines=np.arange(1, 121))
    source = Source(name="rows", kind=InputKind.TABLE, fingerprint=None, frame=lambda: frame)
    out = tmp_path / "inputs.bin"
    draft = prepare_table(source, RunConfig(data="x", target="y"), out, lambda done, total: None)
    inputs = np.memmap(out, np.float32, "r", shape=(120, *draft.spec.input_shape))
    assert [slot.kind.value for slot in draft.spec.table.slots] == ["category", "category", "date", "number"]
    for row in range(3):
        cells = {name: column[0] for name, column in table.slice(row, 1).to_pydict().items()}
        np.testing.assert_array_equal(inputs[row], draft.codec.encode(cells | {"at": cells["at"].isoformat()}))


def test_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.preparing.table_encoding.free_bytes", lambda path: 1000)
    with pytest.raises(StoreError, match="The disk is too full to prepare the table: its rows take 0.00 GB encoded"):
        prepared(tmp_path, cells(), target="rich")


def test_progress_reaches_the_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.preparing.table_encoding.MOST_ROWS", 100)
    draft, inputs = prepared(tmp_path, cells(), target="rich", ignore=("pay",))
    whole = np.array(inputs)
    seen: list[tuple[int, int | None]] = []
    codec = draft.codec
    assert isinstance(codec, TableCodec)
    frame = read(tmp_path / "rows.csv")
    write_rows(codec, frame, tmp_path / "again.bin", lambda done, total: seen.append((done, total)))
    assert seen == [(100, 211), (200, 211), (211, 211)]
    np.testing.assert_array_equal(np.fromfile(tmp_path / "again.bin", np.float32).reshape(whole.shape), whole)


def test_the_same_words_are_missing_in_files_and_in_requests() -> None:
    assert TOKENS == MISSING


dates = st.dates(min_value=np.datetime64("1700-01-01").item(), max_value=np.datetime64("2200-01-01").item())
clocks = st.sampled_from(["", " 05:06", "T23:59:59", " 1:07 PM", " 12:00:30 a.m.", "T10:00Z", " 10:00:00.5+05:30"])
styles = st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d-%m-%y", "%Y-%m"])


@given(dates, clocks, styles, st.booleans())
def test_dates_of_files_and_of_requests_are_read_alike(day: Any, clock: str, style: str, day_first: bool) -> None:
    text = day.strftime(style) + ("" if style == "%Y-%m" else clock)
    (moment,) = to_times(pa.chunked_array([[text]]), day_first)
    if np.isnat(moment):
        with pytest.raises(ValueError):
            parse_date(text, day_first)
    else:
        assert parse_date(text, day_first) == moment.astype("datetime64[s]").astype(np.int64)


def test_the_sample_is_a_row_as_a_request_has_it(tmp_path: Path) -> None:
    draft, inputs = prepared(tmp_path, cells(), target="rich", ignore=("pay",))
    assert draft.sample is not None and draft.codes[draft.sample_row] == VALIDATION
    row = draft.sample["row"]
    assert set(row) == {"age", "size", "town", "day"} and isinstance(row["age"], int)
    np.testing.assert_array_equal(draft.codec.encode(row), inputs[draft.sample_row])
