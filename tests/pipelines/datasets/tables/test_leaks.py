"""Columns that know too much."""

import numpy as np
import pytest

from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.leaks import find_leaks
from pipelines.datasets.tables.profile import Profile, Role, profile
from records.data import Finding
from records.errors import ConfigError, DataError
from tests.pipelines.datasets.tables.making import asked, frame_of

TODAY = np.datetime64("2024-01-01")


def judged(frame: Frame, **fields: object) -> tuple[dict[str, Role], list[Finding]]:
    config = asked(**fields)
    profiles, findings = find_leaks(frame, profile(frame, config), "target", config, TODAY)
    return {one.name: one.role for one in profiles}, findings


def data(rows: int, classes: int = 2, seed: int = 0) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, rng.integers(0, classes, rows)


def test_copies_of_the_classes_in_other_words() -> None:
    rng, y = data(60)
    frame = frame_of(
        copy=np.where(y, "won", "lost"),
        coded=np.where(y, "7", "3"),
        filled=np.where(y, "2020-01-05", None),
        noise=rng.normal(size=60),
        target=np.where(y, "a", "b"),
    )
    roles, findings = judged(frame)
    assert roles == {"copy": Role.LEAK, "coded": Role.LEAK, "filled": Role.LEAK, "noise": Role.NUMBER}
    assert findings[0].what == "copy alone gives target right in 100.0% of the rows."
    assert findings[0].done.endswith("Use it with `--keep copy`.")
    assert judged(frame, keep=("copy",))[0]["copy"] is Role.CATEGORY


def test_many_values_of_which_each_has_one_class() -> None:
    rng, y = data(2000, 3)
    cities = np.char.add(np.array(["x", "y", "z"])[y], rng.integers(0, 20, 2000).astype(str))
    roles, _ = judged(frame_of(city=cities, noise=rng.normal(size=2000), target=y.astype(str)))
    assert roles["city"] is Role.LEAK and roles["noise"] is Role.NUMBER


def test_a_threshold_and_its_false_alarms() -> None:
    rng, y = data(3000, 3)
    frame = frame_of(
        sharp=y + rng.uniform(-0.4, 0.4, 3000),
        good=y + rng.normal(0, 0.35, 3000),
        target=y.astype(str),
    )
    assert judged(frame)[0] == {"sharp": Role.LEAK, "good": Role.NUMBER}
    few = frame_of(
        sharp=np.r_[rng.normal(0, 1, 60), rng.normal(30, 1, 60)], b=rng.normal(size=120), target=["a"] * 60 + ["b"] * 60
    )
    assert judged(few)[0]["sharp"] is Role.NUMBER  # two kinds of iris differ as much


@pytest.mark.parametrize("share", [0.5, 0.97])
@pytest.mark.parametrize("seed", range(5))
def test_chance_raises_no_alarm(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    for rows in (20, 200, 2000):
        y = np.where(rng.random(rows) < share, "a", "b")
        y[:2] = "a", "b"
        columns = {f"n{place}": rng.normal(size=rows) for place in range(5)}
        columns |= {f"c{place}": rng.integers(0, rows, rows).astype(str).astype(object) + "k" for place in range(5)}
        roles, _ = judged(frame_of(**columns, target=y))
        assert Role.LEAK not in roles.values()


def test_numbers_that_follow_from_the_target() -> None:
    rng = np.random.default_rng(0)
    y = rng.lognormal(3, 1, 1000)
    frame = frame_of(
        fahrenheit=y * 1.8 + 32,
        logarithm=np.log(y),
        near=y * rng.normal(1, 0.1, 1000),
        kind=rng.choice(["p", "q"], 1000),
        target=y,
    )
    roles, findings = judged(frame)
    assert roles == {"fahrenheit": Role.LEAK, "logarithm": Role.LEAK, "near": Role.NUMBER, "kind": Role.CATEGORY}
    assert "of the variance of target" in findings[0].what


def test_a_few_huge_values_do_not_make_a_leak() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=1000), rng.normal(size=1000)
    x[::50] = y[::50] = np.linspace(1e5, 2e5, 20)
    assert judged(frame_of(x=x, z=rng.normal(size=1000), target=y))[0]["x"] is Role.NUMBER


def test_days_of_the_future() -> None:
    rng, y = data(400)
    start = np.datetime64("2020-01-01") + rng.integers(0, 900, 400)
    frame = frame_of(
        date=start.astype(str),
        closed=(start + rng.integers(1, 30, 400)).astype(str),
        born=(start - rng.integers(9000, 20000, 400)).astype(str),
        ends=(start + 5000).astype(str),
        target=np.where(y, "a", "b"),
    )
    roles, findings = judged(frame)
    assert roles == {"date": Role.DATE, "closed": Role.FUTURE, "born": Role.DATE, "ends": Role.FUTURE}
    assert any(one.what == "100% of the days in ends lie after today." for one in findings)
    assert judged(frame, time="born")[0]["date"] is Role.FUTURE
    assert judged(frame, keep=("closed",))[0]["closed"] is Role.DATE


def test_every_column_that_is_left_out_is_named() -> None:
    rows = 40
    frame = frame_of(
        id=range(rows),
        same=["x"] * rows,
        number=[str(row % 7) for row in range(rows - 1)] + ["?!"],
        other=[str(row % 3) for row in range(rows)],
        target=["a", "b"] * (rows // 2),
    )
    _, findings = judged(frame, ignore=("other",))
    assert [(one.code, one.examples) for one in findings] == [
        ("identifier_column", ("id",)),
        ("constant_column", ("same",)),
        ("ignored_column", ("other",)),
        ("not_numbers", ("number",)),
    ]
    assert findings[-1].what == "1 cell of number is no number." and findings[-1].count == 1


def test_many_columns_that_are_left_out_make_one_finding() -> None:
    frame = frame_of(**{f"c{place}": ["x"] * 8 for place in range(30)}, a=range(0, 16, 2), target=["a", "b"] * 4)
    (finding,) = judged(frame)[1]
    assert finding.count == 30 and finding.what.startswith("30 columns have the same value in every row: c0, c1,")


def test_nothing_left_to_learn_from() -> None:
    with pytest.raises(DataError, match="No column is left to predict target from. same has the same value"):
        judged(frame_of(same=["x"] * 8, target=["a", "b"] * 4))
    with pytest.raises(DataError, match="no column but the target"):
        config = asked()
        find_leaks(frame_of(target=["a", "b"]), (), "target", config)
    with pytest.raises(ConfigError, match="`--keep b` names no column"):
        find_leaks(frame_of(a=["1", "2"], target=["a", "b"]), (), "target", asked(keep=("b",)))


def test_a_leak_that_is_all_there_is_is_used_and_told() -> None:
    x = np.linspace(0, 9, 400)
    roles, findings = judged(frame_of(x=x, same=["s"] * 400, target=3 * x + 2))
    assert roles == {"x": Role.NUMBER, "same": Role.CONSTANT}
    assert findings[-1].code == "leak_column" and findings[-1].done == "Used all the same: nothing else is left."


def test_a_large_table_is_sampled() -> None:
    rng, y = data(150_000)
    frame = frame_of(copy=np.where(y, "p", "q"), noise=rng.integers(0, 50, 150_000), target=np.where(y, "a", "b"))
    assert judged(frame)[0] == {"copy": Role.LEAK, "noise": Role.NUMBER}


def test_profiles_are_records() -> None:
    assert Profile(name="a", role=Role.LEAK, missing=0, distinct=1).used is False
