"""The batch iterator: every example once a pass, the same order for the same seed, augmentation that keeps shapes."""

from itertools import islice

import numpy as np

from pipelines.batches import TrainingData, smoothed, steps_per_epoch, training_batches, validation_batches
from pipelines.metrics import Truth
from records.data import DataSpec, InputKind
from records.trial import Recipe


def make_data(num_train: int = 13, num_validation: int = 5) -> TrainingData:
    count = num_train + num_validation
    return TrainingData(
        inputs=np.arange(count * 7 * 5, dtype=np.uint8).reshape(count, 7, 5, 1),
        truth=Truth(targets=np.arange(count) % 3),
        spec=DataSpec(
            kind=InputKind.IMAGE, input_shape=(7, 5, 1), dtype="uint8", labels=("a", "b", "c"), label_counts=(9, 9, 9)
        ),
        train_rows=np.arange(num_train),
        validation_rows=np.arange(num_train, count),
    )


def first_pixels(batches) -> list[int]:  # type: ignore[no-untyped-def]
    return [int(image[0, 0, 0]) for inputs, _ in batches for image in inputs]


def test_a_pass_shows_each_training_example_once() -> None:
    data, recipe = make_data(), Recipe(batch_size=4)
    steps = steps_per_epoch(13, 4)
    seen = first_pixels(islice(training_batches(data, recipe), steps))
    assert sorted(seen) == sorted(int(data.inputs[row, 0, 0, 0]) for row in data.train_rows)


def test_order_is_a_function_of_the_seed_and_differs_between_passes() -> None:
    data = make_data()
    once = first_pixels(islice(training_batches(data, Recipe(batch_size=4, seed=5)), 8))
    again = first_pixels(islice(training_batches(data, Recipe(batch_size=4, seed=5)), 8))
    other = first_pixels(islice(training_batches(data, Recipe(batch_size=4, seed=6)), 8))
    assert once == again
    assert once != other
    assert once[:13] != once[13:26]


def test_batches_do_not_change_the_arrays_they_come_from() -> None:
    data = make_data()
    before = data.inputs.copy()
    list(islice(training_batches(data, Recipe(batch_size=4, flip=True, crop_fraction=0.3)), 12))
    np.testing.assert_array_equal(data.inputs, before)


def test_validation_is_neither_shuffled_nor_augmented() -> None:
    data = make_data()
    np.testing.assert_array_equal(np.concatenate(list(validation_batches(data, 2))), data.inputs[13:])


def test_validation_joins_training_for_the_last_fit() -> None:
    joined = make_data().with_validation_in_training()
    assert len(joined.train_rows) == 18
    assert len(joined.validation_rows) == 0


def test_smoothed_targets_sum_to_one() -> None:
    targets = smoothed(np.array([0, 2]), 3, Recipe(label_smoothing=0.3))
    np.testing.assert_allclose(targets, [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], rtol=1e-6)
