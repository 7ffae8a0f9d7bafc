"""What people bring: each either works or is refused in a sentence, before anything is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.datasets.catalog import open_source
from pipelines.objective import metric_for
from pipelines.preparing.prepare import prepare
from records.config import RunConfig
from records.data import Prepared
from records.errors import ConfigError, DataError, KerasmithError
from store.home import Home

ROWS = [f"{i},{'ab'[i % 2]}{i % 7},{i * 3 % 17},{('yes', 'no')[i % 2 or i % 3 == 0]}" for i in range(200)]
HEADER = "size,code,weight,answer"
SERIES = "@problemName x\n@univariate true\n@classLabel true up down\n@data\n"
WAVES = [
    ",".join(str(round(v, 3)) for v in np.linspace(0, (1, -1)[i % 2] * (1 + i / 9), 9)) + (":up", ":down")[i % 2]
    for i in range(40)
]


def hours(count: int) -> list[str]:
    start = np.datetime64("2024-01-01T00")
    return [f"{start + np.timedelta64(i, 'h')}:00,{50 + 9 * np.sin(i / 4):.3f}" for i in range(count)]


def make(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def prepared(home: Home, data: str, **wishes: Any) -> Prepared:
    config = RunConfig(data=data, **wishes)
    done = prepare(open_source(config), config, home)
    assert metric_for(config, done.spec)
    assert np.isfinite(np.asarray(done.inputs)).all()
    return done


def told(done: Prepared) -> str:
    return " ".join([one.what for one in done.findings] + [one.what for one in done.understood])


def test_ragged_rows_are_left_out(tmp_path: Path, home: Home) -> None:
    data = make(tmp_path, "x.csv", "\n".join([HEADER, *ROWS[:90], "1,2", "1,2,3,4,5,6", *ROWS[90:]]))
    done = prepared(home, data)
    assert len(done.ids) == 200 and "2 of 203 rows" in told(done)


def test_another_encoding_is_read_and_told(tmp_path: Path, home: Home) -> None:
    rows = [f"{i},{('Zürich', 'Malmö')[i % 2]},{('groß', 'klein')[i % 3 == 0]}" for i in range(90)]
    data = make(tmp_path, "x.csv", "\n".join(["n,town,answer", *rows]).encode("cp1252"))
    done = prepared(home, data)
    assert set(done.spec.labels) == {"groß", "klein"} and "UTF-8" not in told(done)


def test_no_header_gives_numbered_columns(tmp_path: Path, home: Home) -> None:
    done = prepared(home, make(tmp_path, "x.csv", "\n".join(ROWS)))
    assert "column_1" in told(done) and done.spec.target == "column_4"


def test_five_thousand_columns_work(tmp_path: Path, home: Home) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 5000)).round(2)
    rows = [",".join(map(str, row)) + f",{'ab'[int(row[0] > 0)]}" for row in values]
    done = prepared(home, make(tmp_path, "x.csv", "\n".join([",".join([*(f"c{i}" for i in range(5000)), "y"]), *rows])))
    assert done.spec.input_shape[0] >= 4990


def test_emoji_and_a_megabyte_in_one_cell_work(tmp_path: Path, home: Home) -> None:
    rows = [f'"the {("good", "bad")[i % 2]} story number {i} of the day 🎉",{("up", "down")[i % 2]}' for i in range(80)]
    rows[7] = '"' + "word 🦊 " * 120_000 + '",up'
    done = prepared(home, make(tmp_path, "x.csv", "\n".join(["text,answer", *rows])))
    assert done.spec.kind == "text" and len(done.ids) == 80


def test_times_out_of_order_are_sorted(tmp_path: Path, home: Home) -> None:
    lines = hours(400)
    lines[10], lines[200] = lines[200], lines[10]
    done = prepared(home, make(tmp_path, "x.csv", "\n".join(["date,load", *lines])), task="forecasting", target="load")
    assert "order" in told(done)


REFUSED: dict[str, tuple[str, Callable[[], str | bytes], dict[str, Any], type[KerasmithError], str]] = {
    "no such column": ("x.csv", lambda: "\n".join([HEADER, *ROWS]), {"target": "anwser"}, ConfigError, "answer"),
    "target all missing": (
        "x.csv", lambda: "\n".join(["a,answer", *(f"{i}," for i in range(50))]),
        {"target": "answer"}, DataError, "answer",
    ),
    "one class": ("x.csv", lambda: "\n".join(["a,answer", *(f"{i},yes" for i in range(50))]), {}, DataError, "yes"),
    "constant number": (
        "x.csv", lambda: "\n".join(["a,y", *(f"{i},4.5" for i in range(50))]), {"task": "regression"}, DataError, "4.5"
    ),
    "only a header": ("x.csv", lambda: HEADER + "\n", {}, DataError, "row"),
    "an empty file": ("x.csv", lambda: "", {}, DataError, "empty"),
    "a picture called csv": ("x.csv", lambda: b"\x89PNG\r\n\x1a\n" + bytes(200), {}, DataError, "csv"),
    "series of one class": (
        "x.ts", lambda: SERIES + "\n".join(w.replace(":down", ":up") for w in WAVES), {}, DataError, "class"
    ),
    "series of length 0 alone": ("x.ts", lambda: SERIES + ":up\n:down\n" * 20, {}, DataError, ""),
    "doubled times": (
        "x.csv", lambda: "\n".join(["date,load", *hours(200), hours(200)[50].split(",")[0] + ",3.5"]),
        {"task": "forecasting", "target": "load"}, DataError, "more than one row",
    ),
    "a horizon longer than the data": (
        "x.csv", lambda: "\n".join(["date,load", *hours(100)]),
        {"task": "forecasting", "target": "load", "horizon": 90}, DataError, "horizon",
    ),
    "a constant series": (
        "x.csv", lambda: "\n".join(["date,load", *(one.split(",")[0] + ",7" for one in hours(300))]),
        {"task": "forecasting", "target": "load"}, DataError, "constant|same|never|7",
    ),
    "forecasting words": ("x.csv", lambda: "\n".join([HEADER, *ROWS]), {"task": "forecasting", "target": "code"},
                             KerasmithError, "code"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_a_sentence(case: str, tmp_path: Path, home: Home) -> None:
    name, content, wishes, kind, says = REFUSED[case]
    with pytest.raises(kind, match=says) as caught:
        prepared(home, make(tmp_path, name, content()), **wishes)
    message = str(caught.value)
    assert message.endswith((".", "?")) and "\n" not in message and "Traceback" not in message
    assert not [path for path in home.prepared.iterdir() if path.is_dir()]


def test_series_of_length_0_among_others_are_left_out(tmp_path: Path, home: Home) -> None:
    done = prepared(home, make(tmp_path, "x.ts", SERIES + "\n".join([*WAVES, ":up"])))
    assert len(done.ids) == 40 and done.findings


def test_constant_series_among_others_are_told(tmp_path: Path, home: Home) -> None:
    flat = [",".join(["3"] * (5 + i)) + (":up", ":down")[i % 2] for i in range(2)]
    done = prepared(home, make(tmp_path, "x.ts", SERIES + "\n".join([*WAVES, *flat])))
    assert any(one.code == "constant" for one in done.findings)
