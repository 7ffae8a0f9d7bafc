"""`kerasmith predict` on files of every kind: with real codecs and networks made by hand."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from pipelines.datasets.catalog import open_source
from pipelines.preparing.kinds import preparer
from pipelines.scoring.inputs import read_rows
from pipelines.scoring.output import joined
from pipelines.scoring.score import score_files
from pipelines.terminal.predictions import predict_command
from records.config import RunConfig
from records.errors import ConfigError, DataError
from serving.bundle import ModelBundle, open_bundle, write_checksums
from serving.model_store import put
from store.database import open_database
from store.home import Home
from store.registry import Registry
from tests.serving.kinds import KITS, make_bundle

GOLDEN = Path(__file__).parents[1] / "serving" / "golden" / "bundle_v1"
ROWS = "id,age,city,answer\n1,64,Rome,yes\n2,,Bern,no\n3,old,Rome,no\n4,19,,yes\n"
TS = "@problemName tiny\n@timestamps false\n@univariate false\n@dimensions 2\n@classLabel true up down\n@data\n"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("bundles")
    return {name: make_bundle(name, root / name) for name in KITS}


@pytest.fixture
def open_model(folders: dict[str, Path]) -> Callable[[str], ModelBundle]:
    return lambda name: open_bundle(folders[name])


@pytest.fixture
def registered(home: Home, folders: dict[str, Path]) -> Home:
    for name, folder in folders.items():
        put(home, name, f"{name}-1", folder)
        engine = open_database(home)
        Registry(engine).register(name, f"{name}-1", "run-1", write_checksums(folder), {})
        engine.dispose()
    return home


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_scored_table_has_all_columns_and_the_answers(registered: Home, tmp_path: Path) -> None:
    out = tmp_path / "scored.csv"
    assert predict_command("table", [write(tmp_path / "rows.csv", ROWS)], out=out) == 9
    rows = read_csv(out)
    assert list(rows[0]) == ["id", "age", "city", "answer", "prediction", "probability", "p_no", "p_yes", "error"]
    assert [row["id"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[2]["error"] == "age must be a number. Received: 'old'." and rows[2]["prediction"] == ""
    for row in (rows[0], rows[1], rows[3]):
        assert row["error"] == "" and row["probability"] == row[f"p_{row['prediction']}"]


def test_each_row_gets_the_answer_that_it_gets_alone(open_model: Any, tmp_path: Path) -> None:
    bundle = open_model("number")
    cells = [
        {"age": age, "city": city} for age in (18, 30.5, None, 77) for city in ("Rome", None, "Oslo", "Bern")
    ] * 200
    text = "age,city,other\n" + "".join(f"{row['age'] or ''},{row['city'] or ''},x\n" for row in cells)
    scored = score_files(bundle, [write(tmp_path / "rows.csv", text)])
    expected = [bundle.predict([row])[0].value for row in cells[:16]] * 200
    np.testing.assert_allclose(scored.table["prediction"].to_numpy(), expected, rtol=1e-6)
    assert scored.titles == ["prediction"] and scored.names[:2] == ["row 2", "row 3"] and not scored.failures


def test_every_format_of_a_table_gets_the_same_answers(open_model: Any, tmp_path: Path) -> None:
    bundle = open_model("table")
    table = pa.table({"age": [64.0, None, float("nan")], "city": ["Rome", "Bern", None]})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    lines = ['{"age": 64, "city": "Rome"}', '{"age": null, "city": "Bern"}', '{"age": null, "city": null, "x": 1}']
    files = [
        tmp_path / "rows.parquet",
        write(tmp_path / "rows.jsonl", "\n".join(lines)),
        write(tmp_path / "rows.tsv", "city\tage\tx\nRome\t64\t1\nBern\t\t2\n\tNA\t3\n"),
        write(tmp_path / "semicolons.csv", "age;city;x\n64,0;Rome;1\n;Bern;2\nNA;;3\n"),
    ]
    answers = [score_files(bundle, [file]).table["probability"].to_pylist() for file in files]
    assert answers == [answers[0]] * 4


def test_columns_that_are_missing_are_told_and_a_foreign_table_is_refused(open_model: Any, tmp_path: Path) -> None:
    bundle = open_model("table")
    scored = score_files(bundle, [write(tmp_path / "rows.csv", "age,height\n64,180\n19,170\n")])
    assert "rows.csv lacks columns that the model reads; they count as missing: city." in scored.notes
    with pytest.raises(ConfigError, match="has none of the columns that the model reads: age, city. It has: a, b"):
        read_rows(bundle, write(tmp_path / "foreign.csv", "a,b\n1,2\n3,4\n"))
    with pytest.raises(ConfigError, match="nowhere.csv"):
        score_files(bundle, [tmp_path / "nowhere.csv"])


def test_several_files_become_one_table(open_model: Any, tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", "age,city\n64,Rome\n19,Bern\n")
    second = write(tmp_path / "b.jsonl", '{"age": 5, "note": "x"}\n{"age": 6, "note": "y"}\n')
    table = score_files(open_model("number"), [first, second]).table
    assert table.column_names == ["file", "age", "city", "prediction", "note"]
    assert table["age"].to_pylist() == ["64", "19", "5", "6"]
    assert table["file"].to_pylist() == [str(first)] * 2 + [str(second)] * 2


def test_scoring_a_scored_table_keeps_its_columns_under_another_name() -> None:
    before = pa.table({"prediction": [1], "prediction_before": [2], "x": [3]})
    table = joined(before, pa.table({"prediction": [4]}))
    assert table.to_pylist() == [{"prediction_before_before": 1, "prediction_before": 2, "x": 3, "prediction": 4}]


def test_texts_come_from_lines_or_from_a_column(open_model: Any, tmp_path: Path) -> None:
    bundle = open_model("text")
    texts = ["good, film", "bad", "a film of 5 stars"]
    expected = [bundle.predict([text])[0].probability for text in texts]
    table = "id,review,note\n" + "".join(f'{i},"{text}",x\n' for i, text in enumerate(texts))
    for file, column in (
        (write(tmp_path / "lines.txt", "\n".join(texts) + "\n"), None),
        (write(tmp_path / "table.csv", table), None),
        (write(tmp_path / "asked.csv", table), "review"),
        (write(tmp_path / "rows.jsonl", "\n".join(json.dumps({"n": 1, "text": text}) for text in texts)), None),
    ):
        scored = score_files(bundle, [file], text=column)
        np.testing.assert_allclose(scored.table["probability"].to_pylist(), expected, atol=1e-6)
        assert scored.table.num_rows == 3
    with pytest.raises(ConfigError, match="`--text nothing` names no column"):
        score_files(bundle, [tmp_path / "table.csv"], text="nothing")
    with pytest.raises(DataError, match="is not UTF-8 text: byte 1"):
        (tmp_path / "latin.txt").write_bytes(b"a\xff")
        score_files(bundle, [tmp_path / "latin.txt"])


def test_series_come_from_ts_files_and_from_long_tables(open_model: Any, tmp_path: Path) -> None:
    bundle = open_model("series")
    series = [np.array([[0, 1], [1, 2]], float), np.array([[5, 6], [np.nan, 7], [2, 2]])]
    expected = [bundle.predict([one])[0].probability for one in series]
    ts = score_files(bundle, [write(tmp_path / "tiny.ts", TS + "0,1:1,2:up\n5,?,2:6,7,2:down\n")])
    long = "case,t,x,y\nb,2,,7\na,1,0,1\nb,1,5,6\na,2,1,2\nb,3,2,2\n"
    table = score_files(bundle, [write(tmp_path / "long.csv", long)], series_id="case")
    assert ts.table["label"].to_pylist() == ["up", "down"]
    np.testing.assert_allclose(ts.table["probability"].to_pylist(), expected, atol=1e-6)
    got = dict(zip(table.table["series"].to_pylist(), table.table["probability"].to_pylist(), strict=True))
    np.testing.assert_allclose([got["a"], got["b"]], expected, atol=1e-6)
    with pytest.raises(ConfigError, match="lacks channels that the model reads: y. It has: x"):
        score_files(bundle, [write(tmp_path / "narrow.csv", "x\n1\n2\n")])


def test_a_forecast_has_a_row_for_each_step(open_model: Any, tmp_path: Path) -> None:
    bundle = open_model("forecast")
    rows = [
        (f"2024-01-{day:02}", shop, day * size) for shop, size in (("north", 1), ("south", 2)) for day in range(1, 15)
    ]
    text = "day,shop,sales\n" + "".join(f"{d},{s},{v}\n" for d, s, v in reversed(rows)) + "2024-01-15,west,3\n"
    scored = score_files(bundle, [write(tmp_path / "sales.csv", text)])
    table = scored.table
    assert table.column_names == ["series", "time", "forecast", "q_0.1", "q_0.5", "q_0.9", "error"]
    north = [row for row in table.to_pylist() if row["series"] == "north"]
    history = [{"day": d, "shop": s, "sales": v} for d, s, v in rows if s == "north"]
    [alone] = bundle.predict([{"history": history}])
    assert [row["time"] for row in north] == alone.times == ["2024-01-15", "2024-01-16", "2024-01-17"]
    np.testing.assert_allclose([row["q_0.9"] for row in north], alone.quantiles["0.9"], rtol=1e-5)
    [(name, error)] = scored.failures
    assert name == "west" and "The history is too short" in str(error)


def test_rows_without_the_target_at_the_end_are_the_future(open_model: Any, tmp_path: Path) -> None:
    past = "day,sales\n" + "".join(f"2024-01-{day:02},{day}\n" for day in range(1, 11))
    asked = past + "".join(f"2024-01-{day},\n" for day in range(11, 14))
    bundle = open_model("forecast")
    plain = score_files(bundle, [write(tmp_path / "past.csv", past)]).table
    assert score_files(bundle, [write(tmp_path / "asked.csv", asked)]).table == plain
    assert plain.column_names == ["time", "forecast", "q_0.1", "q_0.5", "q_0.9"]


def test_without_a_file_the_first_rows_are_shown(
    registered: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "age,city\n" + "".join(f"{18 + i},Rome\n" for i in range(50)) + "old,Rome\n" * 12
    assert predict_command("table", [write(tmp_path / "rows.csv", text)]) == 9
    out, err = capsys.readouterr()
    assert len([line for line in out.splitlines() if line.startswith("row ")]) == 20
    assert "42 more rows. All of them, in a file: --out FILE.csv" in err
    assert err.count("age must be a number") == 10 and "2 more inputs without an answer" in err
    assert predict_command("table", [tmp_path / "rows.csv"], as_json=True) == 9
    printed = json.loads(capsys.readouterr().out)
    assert printed["model"] == "table:1" and len(printed["predictions"]) == 62


def test_json_lines_hold_numbers_as_numbers(registered: Home, tmp_path: Path) -> None:
    out = tmp_path / "scored.jsonl"
    assert predict_command("number", [write(tmp_path / "rows.csv", "age,city\n64,Rome\n19,Bern\n")], out=out) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["age"] for line in lines] == ["64", "19"] and all(type(line["prediction"]) is float for line in lines)


def test_pictures_can_be_written_as_a_table_too(tmp_path: Path) -> None:
    bundle = open_bundle(GOLDEN)
    try:
        files = [tmp_path / f"{shade}.png" for shade in (10, 200)]
        for shade, file in zip((10, 200), files, strict=True):
            Image.new("RGB", (9, 9), (shade, 10, 10)).save(file)
        scored = score_files(bundle, [*files, write(tmp_path / "words.png", "words")])
        assert scored.table["file"].to_pylist() == [str(file) for file in (*files, tmp_path / "words.png")]
        alone = [bundle.predict([file])[0] for file in files]
        assert scored.table["prediction"].to_pylist()[:2] == [one.label for one in alone]
        [(name, error)] = scored.failures
        assert name.endswith("words.png") and "Not an image" in str(error)
    finally:
        bundle.close()


def test_what_cannot_be_written_is_told_before_the_model_is_asked(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.csv", ROWS)
    for out, message in (
        (tmp_path / "scored.xlsx", "must end with .csv or .jsonl"),
        (tmp_path / "nowhere" / "scored.csv", "must be a file in a folder that exists"),
        (rows, "is one of the files that are read"),
    ):
        with pytest.raises(ConfigError, match=message):
            predict_command("ghost", [rows], out=out)
    with pytest.raises(ConfigError, match="No file was named"):
        predict_command("ghost", [])
    assert rows.read_text() == ROWS


@pytest.mark.slow
def test_rows_of_a_training_file_are_encoded_as_they_were_prepared(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "datasets" / "tabular" / "titanic" / "titanic.csv"
    config = RunConfig(data=str(file), target="survived")
    source = open_source(config)
    draft = preparer(source.kind)(source, config, tmp_path / "inputs", lambda done, total: None)
    prepared = np.memmap(tmp_path / "inputs", draft.codec.dtype, "r").reshape(-1, *draft.codec.input_shape)
    inputs = read_rows(SimpleNamespace(codec=draft.codec), file)  # type: ignore[arg-type]
    encoded = np.concatenate([np.stack([draft.codec.encode(raw) for raw in raws]) for raws in inputs.batches()])
    rows = {name: row for row, name in enumerate(inputs.names)}
    np.testing.assert_array_equal(encoded[[rows[one] for one in draft.ids]], prepared)
