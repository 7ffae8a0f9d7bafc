"""Features that several processes want at once, that one of them had begun, or that are known to take too long."""

import dataclasses
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import keras
import numpy as np
import pytest

from pipelines import encoding
from pipelines.features import TooSlow, cached_features, fitting_rows, refuse_if_hopeless
from pipelines.measured import Measured
from records.data import DataSpec, InputKind, Prepared, Split
from records.spec import TextLayout
from store.home import Home
from tests.pipelines.test_features import folders, make_encoder

HOLDER = """
import sys, time, filelock
lock = filelock.FileLock(sys.argv[1])
lock.acquire()
print(1, flush=True)
time.sleep(60)
"""


class Counting:
    """An encoder that counts its batches, and may be stopped at one of them."""

    def __init__(self, encoder: keras.Model, stop_at: int = 10**9, pause: float = 0.0) -> None:
        self.encoder, self.stop_at, self.pause, self.batches = encoder, stop_at, pause, 0

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        self.batches += 1
        if self.batches == self.stop_at:
            raise KeyboardInterrupt
        time.sleep(self.pause)
        return np.asarray(self.encoder.predict_on_batch(batch))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(encoding, "BATCH_SIZE", 7)
    monkeypatch.setattr(encoding, "KEEP_EVERY_SECONDS", 0.0)
    return 7


@pytest.fixture
def texts(prepared: Prepared) -> Prepared:
    random = np.random.default_rng(4)
    inputs = random.integers(1, 50, (40, 37)).astype(np.int32)
    for row, length in enumerate(random.integers(1, 37, 40)):
        inputs[row, length:] = 0
    spec = DataSpec(
        kind=InputKind.TEXT,
        input_shape=(37,),
        dtype="int32",
        labels=("a", "b"),
        label_counts=(9, 9),
        layout=TextLayout(vocabulary=50, tokenizer="learnt"),
    )
    indices = {Split.TRAIN: np.arange(25), Split.VALIDATION: np.arange(25, 33), Split.TEST: np.arange(33, 40)}
    return dataclasses.replace(prepared, spec=spec, inputs=inputs, indices=indices)


def token_maps() -> keras.Model:
    tokens = keras.Input((None,), dtype="int32")
    return keras.Model(tokens, keras.layers.Embedding(50, 3)(tokens))


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_what_a_killed_process_computed_is_taken_up(
    kind: str, prepared: Prepared, texts: Prepared, home: Home, small_batches: int
) -> None:
    data, encoder = (prepared, make_encoder()) if kind == "images" else (texts, token_maps())
    expected = np.array(cached_features(encoder, "whole", data, home).values)
    stopped = Counting(encoder, stop_at=4)
    with pytest.raises(KeyboardInterrupt):
        cached_features(stopped, "one", data, home)  # type: ignore[arg-type]
    again = Counting(encoder)
    features = cached_features(again, "one", data, home)  # type: ignore[arg-type]
    num_batches = -(-len(fitting_rows(data)) // small_batches)
    assert again.batches == num_batches - 3
    np.testing.assert_allclose(features.values, expected, rtol=1e-6)
    assert 0 < features.seconds_per_example < 10
    assert sorted(path.name for path in folders(home)[0].iterdir()) == ["features.npy", "meta.json"]


@pytest.mark.parametrize("damage", ["{", '{"rows": 100000, "seconds": 1}', '{"rows": -3, "seconds": 1}', "[]"])
def test_a_damaged_beginning_is_made_anew(damage: str, prepared: Prepared, home: Home, small_batches: int) -> None:
    encoder = make_encoder()
    with pytest.raises(KeyboardInterrupt):
        cached_features(Counting(encoder, stop_at=4), "one", prepared, home)  # type: ignore[arg-type]
    (folders(home)[0] / encoding.DONE).write_text(damage, "utf-8")
    again = Counting(encoder)
    values = cached_features(again, "one", prepared, home).values  # type: ignore[arg-type]
    assert again.batches == 12
    np.testing.assert_allclose(values, encoder.predict(prepared.inputs[fitting_rows(prepared)], verbose=0), rtol=1e-5)


def test_of_two_that_want_the_same_one_computes(prepared: Prepared, home: Home, small_batches: int) -> None:
    encoders = [Counting(make_encoder(), pause=0.03) for _ in range(2)]
    given: list[np.ndarray] = []

    def want(encoder: Counting) -> None:
        given.append(np.array(cached_features(encoder, "one", prepared, home).values))  # type: ignore[arg-type]

    threads = [threading.Thread(target=want, args=(encoder,)) for encoder in encoders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(encoder.batches for encoder in encoders) == [0, 12]
    np.testing.assert_array_equal(*given)


@pytest.fixture
def hold(prepared: Prepared, home: Home) -> Callable[[], subprocess.Popen[bytes]]:
    """Starts another process that holds the lock of the features "one"."""
    cached_features(make_encoder(), "one", prepared, home)
    folder = folders(home)[0]
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", HOLDER, str(folder.with_name(f"{folder.name}.lock"))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"1\n"
        return process

    return start


def test_another_process_is_waited_for_as_long_as_there_is_time(
    prepared: Prepared, home: Home, hold: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process, encoder = hold(), Counting(make_encoder())
    try:
        with pytest.raises(TooSlow, match=r"Another worker computes the features .* not done within 0 s"):
            cached_features(encoder, "one", prepared, home, max_seconds=0.3)  # type: ignore[arg-type]
    finally:
        process.kill()
        process.wait()
    assert encoder.batches == 0


def test_a_killed_process_is_not_waited_for(
    prepared: Prepared, home: Home, hold: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = hold()
    threading.Timer(0.3, lambda: process.send_signal(signal.SIGKILL)).start()
    values = cached_features(make_encoder(), "one", prepared, home, max_seconds=60.0).values
    process.wait()
    assert len(values) == len(fitting_rows(prepared))


def test_a_known_encoder_that_is_far_too_slow_is_refused_at_once(prepared: Prepared, home: Home) -> None:
    other = dataclasses.replace(prepared, fingerprint="0" * 64)
    refuse_if_hopeless("one", other, home, max_seconds=1e-9)  # nothing is known yet
    cached_features(Counting(make_encoder(), pause=0.01), "one", prepared, home)  # type: ignore[arg-type]
    refuse_if_hopeless("one", other, home, max_seconds=60.0)
    refuse_if_hopeless("two", other, home, max_seconds=1e-9)
    with pytest.raises(TooSlow, match=r"would take about \d+ s; 0 s were left"):
        refuse_if_hopeless("one", other, home, max_seconds=1e-9)
    refuse_if_hopeless("one", prepared, home, max_seconds=1e-9)  # these are there already


def test_an_encoder_that_was_given_up_is_known_too(prepared: Prepared, home: Home, small_batches: int) -> None:
    with pytest.raises(TooSlow):
        cached_features(Counting(make_encoder(), pause=0.02), "one", prepared, home, 1e-3)  # type: ignore[arg-type]
    with pytest.raises(TooSlow):
        refuse_if_hopeless("one", prepared, home, max_seconds=1e-3)


def test_longer_texts_are_expected_to_take_longer(texts: Prepared, prepared: Prepared) -> None:
    longer = dataclasses.replace(texts, inputs=np.tile(texts.inputs, (1, 3)))
    assert encoding.size_of_example(longer) == pytest.approx(3 * encoding.size_of_example(texts))
    assert encoding.size_of_example(prepared) == 1.0


def test_fewer_threads_are_not_held_against_a_measurement(
    prepared: Prepared, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_rows = len(fitting_rows(prepared))
    Measured(home).put("encoder one", {"seconds": 1.0, "size": 1.0, "threads": 2})
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "8")  # four times as many: a quarter of the time at best
    refuse_if_hopeless("one", prepared, home, max_seconds=num_rows / 4.5)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    with pytest.raises(TooSlow):
        refuse_if_hopeless("one", prepared, home, max_seconds=num_rows / 4.5)
