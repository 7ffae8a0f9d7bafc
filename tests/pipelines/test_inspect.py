"""Findings, and what is done about each."""

import numpy as np
import pytest

from pipelines.preparing.decode import decode
from pipelines.preparing.facts import NOT_GIVEN, TEST, TRAIN, VALIDATION, Facts, Inspected
from pipelines.preparing.inspect import inspect
from records.data import Finding, Severity
from records.errors import DataError
from serving.codecs.image import ImageCodec
from tests.pictures import as_jpeg, picture

CODEC = ImageCodec(height=40, width=50, channels=3)
CAT, DOG, OWL = range(3)


class Case:
    """Examples that a test adds one by one."""

    def __init__(self, plain: int = 12, given: int = NOT_GIVEN) -> None:
        self.rows: list[tuple[object, int, int, int | None]] = []
        for number in range(plain):
            self.add(picture(number), number % 2, given)

    def add(self, raw: object, label: int, given: int = NOT_GIVEN, group: int | None = None) -> int:
        self.rows.append((raw, label, given, group))
        return len(self.rows) - 1

    def inspect(self, keep_near_duplicates: bool = False) -> tuple[Inspected, dict[str, Finding]]:
        decoded = decode(CODEC, [raw for raw, *_ in self.rows])
        assert not decoded.errors
        facts = Facts(
            ids=[f"e{number}" for number in range(len(self.rows))],
            labels=["cat", "dog", "owl"],
            targets=np.array([label for _, label, *_ in self.rows]),
            given=np.array([given for *_, given, _ in self.rows], np.int8),
            groups=np.array([row if group is None else group for row, (*_, group) in enumerate(self.rows)]),
            digests=decoded.digests,
            thumbnails=decoded.thumbnails,
            constant=np.ptp(decoded.arrays.reshape(len(self.rows), -1), axis=1) == 0,
            failures=[("bad.jpg", 422, "Not an image."), ("bomb.png", 413, "Too large.")],
        )
        inspected = inspect(facts, decoded.arrays, keep_near_duplicates)
        return inspected, {found.code: found for found in inspected.findings}


def left_out(inspected: Inspected) -> list[int]:
    return np.flatnonzero(~inspected.keep).tolist()


def test_clean_data_gives_counts_and_failures_only() -> None:
    inspected, found = Case().inspect()
    assert found.keys() == {"counts", "unreadable", "too_large", "few"}
    assert found["counts"].what == "12 images in 2 classes of 6 to 6."
    assert found["unreadable"].examples == ("bad.jpg",) and found["unreadable"].severity is Severity.WARNING
    assert found["too_large"].done == "They were left out." and "Too large." in found["too_large"].what
    assert left_out(inspected) == [] and len(set(inspected.joined)) == 12


def test_copies_are_kept_once() -> None:
    case = Case()
    copies = [case.add(picture(0), CAT), case.add(picture(0), CAT)]
    inspected, found = case.inspect()
    assert left_out(inspected) == copies
    assert found["exact_duplicates"].examples == ("e12", "e13") and found["exact_duplicates"].count == 2


def test_copies_with_another_label_are_all_left_out_of_training() -> None:
    case = Case()
    case.add(picture(0), DOG)
    test = case.add(picture(2), DOG, TEST)
    inspected, found = case.inspect()
    assert left_out(inspected) == [0, 2, 12]
    assert found["contradictory_labels"].count == 3
    assert found["contradictory_labels_in_test"].examples == (f"e{test}",)


def test_copies_across_splits_stay_in_the_later_split() -> None:
    case = Case(given=TRAIN)
    validation = case.add(picture(0), CAT, VALIDATION)
    test = case.add(picture(1), DOG, TEST)
    both = case.add(picture(50), DOG, VALIDATION), case.add(picture(50), DOG, TEST)
    inspected, found = case.inspect()
    assert left_out(inspected) == [0, 1, both[0]]
    assert inspected.keep[[validation, test, both[1]]].all()
    assert found["exact_duplicates_across_splits"].count == 3


def test_given_test_split_is_never_thinned() -> None:
    case = Case(given=TRAIN)
    tests = [case.add(picture(60), CAT, TEST) for _ in range(3)]
    inspected, found = case.inspect()
    assert inspected.keep[tests].all()
    assert found["exact_duplicates_in_test"].count == 2


def test_near_duplicates_stay_together_or_where_they_were() -> None:
    case = Case()
    near = case.add(as_jpeg(picture(0), 60), CAT)
    inspected, found = case.inspect()
    assert left_out(inspected) == [] and inspected.joined[near] == inspected.joined[0] == 0
    assert found["near_duplicates"].examples == ("e0", "e12")
    assert "never straddle" in found["near_duplicates"].done
    inspected, found = case.inspect(keep_near_duplicates=True)
    assert inspected.joined[near] == near and found["near_duplicates"].done == "They were left in."


def test_near_duplicates_across_splits_leave_the_earlier_one() -> None:
    case = Case(given=TRAIN)
    case.add(as_jpeg(picture(0), 60), CAT, TEST)
    case.add(as_jpeg(picture(1), 60), DOG, VALIDATION)
    inspected, found = case.inspect()
    assert left_out(inspected) == [0, 1]
    assert found["near_duplicates_across_splits"].examples == ("e0", "e1")
    inspected, found = case.inspect(keep_near_duplicates=True)
    assert left_out(inspected) == []
    assert found["near_duplicates_across_splits"].done == "They were left where they are, as asked."


def test_near_duplicates_with_other_labels_are_only_reported() -> None:
    case = Case(given=TRAIN)
    case.add(as_jpeg(picture(0), 60), DOG, TEST)
    inspected, found = case.inspect()
    assert left_out(inspected) == []
    assert found["near_duplicates_with_other_labels"].examples == ("e0", "e12")


def test_class_is_not_emptied_by_near_duplicates() -> None:
    case = Case(given=TRAIN)
    for number in range(0, 8, 2):  # four of the six cats
        case.add(as_jpeg(picture(number), 60), CAT, TEST)
    inspected, _ = case.inspect()
    assert left_out(inspected) == []


def test_dataset_of_look_alikes_is_left_alone() -> None:
    case = Case(plain=4)
    scene, rng = picture(70).astype(int), np.random.default_rng(0)
    for number in range(20):  # a fixed camera: only a small spot tells the classes apart
        frame = np.clip(scene + rng.integers(-3, 4, scene.shape), 0, 255).astype(np.uint8)
        case.add(frame, number % 2, TRAIN if number < 14 else TEST)
    inspected, found = case.inspect()
    assert left_out(inspected) == [] and len(set(inspected.joined)) == 24
    assert "alike" in found and "near_duplicates" not in found


def test_constant_ones_rare_classes_and_imbalance_are_reported() -> None:
    case = Case(plain=0)
    for number in range(45):
        case.add(picture(number), CAT)
    for number in range(3):
        case.add(picture(100 + number), DOG)
    case.add(np.full((40, 50, 3), 9, np.uint8), DOG)
    inspected, found = case.inspect()
    assert left_out(inspected) == []
    assert found["constant"].examples == ("e48",)
    assert found["few"].what == "1 classes have fewer than 10 images to train on: dog."
    assert "cat has 11 times as many images as dog" in found["imbalance"].what
    assert "roc_auc" in found["imbalance"].done


def test_test_examples_of_classes_never_seen_are_left_out() -> None:
    case = Case(given=TRAIN)
    unknown = case.add(picture(80), OWL, TEST)
    inspected, found = case.inspect()
    assert left_out(inspected) == [unknown]
    assert "classes without training examples: owl" in found["classes_without_training"].what


def test_groups_that_given_splits_tear_apart_are_reported() -> None:
    case = Case(given=TRAIN)
    row = case.add(picture(80), CAT, TEST, group=0)
    inspected, found = case.inspect()
    assert found["groups_across_splits"].examples == ("e0", f"e{row}")
    assert left_out(inspected) == [] and inspected.joined[row] == 0


def test_nothing_to_learn_is_told() -> None:
    case = Case(plain=0)
    for number in range(9):
        case.add(picture(number), CAT)
    with pytest.raises(DataError, match="of 1 class. Expected at least two classes. Received: 'cat'"):
        case.inspect()
    case = Case(plain=4)
    with pytest.raises(DataError, match="Every class has fewer than 3 images to train on"):
        case.inspect()
