"""Splits: fair, seeded, and never tearing apart what belongs together."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.preparing.facts import NOT_GIVEN, TEST, TRAIN, VALIDATION, Facts, Inspected
from pipelines.preparing.split import LEFT_OUT, split
from records.config import RunConfig
from records.errors import DataError


def run(
    targets: list[int],
    joined: list[int] | None = None,
    given: list[int] | None = None,
    keep: list[bool] | None = None,
    ids: list[str] | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, str]:
    count = len(targets)
    rows = np.arange(count)
    facts = Facts(
        ids=ids or [f"e{row}" for row in rows],
        labels=[str(label) for label in range(max(targets) + 1)],
        targets=np.array(targets),
        given=np.array(given or [NOT_GIVEN] * count, np.int8),
        groups=rows,
        digests=np.empty((count, 2), np.uint64),
        thumbnails=np.empty((count, 256), np.uint8),
        constant=np.zeros(count, bool),
        failures=[],
    )
    kept = np.ones(count, bool) if keep is None else np.array(keep)
    inspected = Inspected(findings=(), keep=kept, joined=rows if joined is None else np.array(joined))
    codes, told = split(facts, inspected, RunConfig(data="x", seed=seed, validation_fraction=0.15))
    return codes, f"{told.what} {told.done}"


def test_each_class_is_shared_out_alike() -> None:
    codes, told = run([0] * 100 + [1] * 40 + [2] * 7)
    for label, rows in enumerate((slice(0, 100), slice(100, 140), slice(140, 147))):
        sizes = np.bincount(codes[rows], minlength=3)
        assert sizes.tolist() == [[70, 15, 15], [28, 6, 6], [5, 1, 1]][label]
    assert told == "Train 103, validation 22, test 22. Split by class with seed 0."


def test_seed_decides_and_order_does_not() -> None:
    targets, ids = [number % 3 for number in range(90)], [f"image-{number}" for number in range(90)]
    codes, _ = run(targets, ids=ids)
    assert (run(targets, ids=ids)[0] == codes).all()
    assert (run(targets, ids=ids, seed=1)[0] != codes).any()
    shuffled = np.random.default_rng(0).permutation(90)
    again, _ = run([targets[i] for i in shuffled], ids=[ids[i] for i in shuffled])
    np.testing.assert_array_equal(again, codes[shuffled])


def test_given_splits_are_kept_and_the_missing_one_is_made() -> None:
    given_codes = [TRAIN] * 80 + [TEST] * 20
    codes, told = run([0, 1] * 50, given=given_codes)
    assert (codes[80:] == TEST).all() and np.bincount(codes[:80], minlength=3).tolist() == [68, 12, 0]
    assert "validation taken from train by class" in told
    codes, told = run([0, 1] * 50, given=[TRAIN] * 60 + [VALIDATION] * 20 + [TEST] * 20)
    assert np.bincount(codes).tolist() == [60, 20, 20] and "The given splits were kept." in told
    codes, _ = run([0, 1] * 50, given=[TRAIN] * 80 + [VALIDATION] * 20)
    assert (codes[80:] == VALIDATION).all() and (codes[:80] == TEST).sum() == 12


def test_what_was_left_out_is_in_no_split() -> None:
    codes, _ = run([0, 1] * 20, keep=[number != 7 for number in range(40)])
    assert codes[7] == LEFT_OUT and (codes == LEFT_OUT).sum() == 1


def test_training_examples_tied_to_a_given_test_split_stay() -> None:
    joined = [*range(40)]
    joined[:10] = [39] * 10
    joined[39] = 39
    codes, _ = run([0, 1] * 20, joined=joined, given=[TRAIN] * 30 + [TEST] * 10)
    assert (codes[:10] == TRAIN).all() and (codes[:30] == VALIDATION).sum() >= 2


def test_few_patients_with_many_images() -> None:
    joined = [patient * 10 for patient in range(10) for _ in range(10)]
    codes, _ = run([0, 1] * 50, joined=joined)
    sizes = np.bincount(codes, minlength=3)
    assert sizes.sum() == 100 and sizes[TRAIN] >= 50 and sizes[VALIDATION] >= 10 and sizes[TEST] >= 10


def test_rare_classes_are_first_of_all_for_training() -> None:
    codes, _ = run([0] * 50 + [1] * 2 + [2] * 1)
    assert (codes[50:] == TRAIN).all()
    codes, _ = run([0] * 50 + [1] * 3)
    assert sorted(codes[50:].tolist()) == [TRAIN, VALIDATION, TEST]


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match="No examples are left for the validation split.*Received: 1 groups"):
        run([0, 1] * 10, joined=[0] * 20)


@settings(max_examples=60, deadline=None)
@example([(0, 0)] * 29 + [(0, 30)], 0)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=30, max_size=120), st.integers(0, 5))
def test_groups_never_straddle_and_every_class_is_trained(rows: list[tuple[int, int]], seed: int) -> None:
    targets, groups = [label for label, _ in rows], [group for _, group in rows]
    try:
        codes, _ = run(targets, joined=groups, seed=seed)
    except DataError:
        assert len(set(groups)) < 15
        return
    for group in set(groups):
        assert len({int(code) for code, own in zip(codes, groups, strict=True) if own == group}) == 1
    assert set(np.array(targets)[codes == TRAIN]) == set(targets)


def test_few_examples_give_more_of_them_to_validation() -> None:
    unsaid, said = RunConfig(data="x"), RunConfig(data="x", validation_fraction=0.2)
    assert [unsaid.validation_share(n) for n in (67, 400, 10_000)] == [1 / 3, 0.25, 0.15]
    assert {said.validation_share(n) for n in (67, 400, 10_000)} == {0.2}
