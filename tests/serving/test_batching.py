import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records.errors import InputError
from serving.batching import Batching, EngineSettings
from serving.bundle import open_bundle
from serving.tuning import tuned
from tests.serving.kinds import KITS, make_bundle


class Doubling:
    """`[batch, steps]` to twice the sum of each row. Slow, and it tells who was in a batch."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[tuple[int, ...]] = []
        self.inside = 0
        self.most_inside = 0
        self.go = threading.Event()
        self.go.set()

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.batches.append(batch.shape)
        time.sleep(self.seconds)
        self.go.wait(30)
        self.inside -= 1
        if (batch == 13).any():
            raise RuntimeError("thirteen")
        sums = batch.sum(axis=1, keepdims=True).astype(np.float32)
        return 2 * sums, -sums

    def close(self) -> None: ...


def collate(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of numbers, without the zeros that all have at their end."""
    batch = np.stack(arrays)
    used = np.flatnonzero(batch.any(axis=0))
    return batch[:, : used[-1] + 1 if len(used) else 1]


def row(*numbers: float) -> np.ndarray:
    return np.array([*numbers, *[0] * (16 - len(numbers))], np.float32)


def together(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Calls all of them at once, each in a thread of its own: what they return or raise."""
    found: list[Any] = [None] * len(tasks)
    start = threading.Barrier(len(tasks))

    def work(index: int) -> None:
        start.wait()
        try:
            found[index] = tasks[index]()
        except Exception as error:
            found[index] = error

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "somebody waits for ever"
    return found


def until(reached: Callable[[], bool]) -> None:
    """Waits for it, half a minute at most."""
    end = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.001)


def behind_one(batching: Batching, engine: Doubling, tasks: Sequence[Sequence[np.ndarray]]) -> list[Any]:
    """Asks for all of `tasks` while the only lane is taken, in their order."""
    found: list[Any] = [None] * len(tasks)

    def work(index: int) -> None:
        try:
            found[index] = batching.run(tasks[index])
        except Exception as error:
            found[index] = error

    engine.go.clear()
    first = threading.Thread(target=batching.run, args=([row(1)],))
    threads = [first, *[threading.Thread(target=work, args=(index,)) for index in range(len(tasks))]]
    for index, thread in enumerate(threads):
        thread.start()
        until(lambda index=index: batching.waiting == index and bool(engine.batches))
    time.sleep(0.05)
    engine.go.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "somebody waits for ever"
    return found


@pytest.mark.parametrize("lanes", [1, 2])
def test_64_threads_each_get_their_own_answer(lanes: int) -> None:
    engine = Doubling(0.002)
    batching = Batching(engine, collate, EngineSettings(lanes=lanes, largest_batch=8, max_padding=1.5))
    inputs = [[row(*range(1, 2 + n % 9), n) for _ in range(1 + n % 3)] for n in range(20, 84)]
    tasks = [lambda arrays=arrays: batching.run(arrays) for arrays in inputs]
    for _ in range(3):
        for (outputs, embeddings), arrays in zip(together(tasks), inputs, strict=True):
            expected = [[float(array.sum())] for array in arrays]
            np.testing.assert_allclose(outputs, np.array(expected) * 2, rtol=1e-6)
            np.testing.assert_allclose(embeddings, -np.array(expected), rtol=1e-6)
    assert engine.most_inside <= lanes
    assert max(shape[0] for shape in engine.batches) > 3, "nothing was joined"
    assert max(shape[0] for shape in engine.batches) <= 8
    assert batching.waiting == 0


def test_nobody_waits_while_a_lane_is_free() -> None:
    engine = Doubling()
    batching = Batching(engine, collate, EngineSettings(largest_batch=8))
    heard: list[tuple[int, float]] = []
    batching.listener = lambda size, waited: heard.append((size, waited))
    for _ in range(3):
        batching.run([row(1), row(2)])
    assert engine.batches == [(2, 1)] * 3
    assert heard == [(2, 0.0)] * 3


def test_who_waits_is_joined_up_to_the_largest_batch_in_the_order_of_coming() -> None:
    engine = Doubling()
    batching = Batching(engine, collate, EngineSettings(largest_batch=4))
    heard: list[tuple[int, float]] = []
    batching.listener = lambda size, waited: heard.append((size, waited))
    answers = behind_one(batching, engine, [[row(n)] for n in (2, 3, 4, 5, 6)])
    assert [float(outputs[0, 0]) for outputs, _ in answers] == [4, 6, 8, 10, 12]
    assert engine.batches == [(1, 1), (4, 1), (1, 1)]
    assert [size for size, _ in heard] == [1, 4, 1]
    assert heard[0][1] == 0.0 and heard[1][1] > 0.05 and heard[2][1] > 0.05


def test_inputs_of_very_different_length_are_not_padded_to_each_other() -> None:
    engine = Doubling()
    batching = Batching(engine, collate, EngineSettings(largest_batch=8, max_padding=1.2))
    long, short = row(*[1] * 16), row(1)
    answers = behind_one(batching, engine, [[short], [long], [short], [row(*[1] * 15)]])
    assert [float(outputs[0, 0]) for outputs, _ in answers] == [2, 32, 2, 30]
    assert engine.batches == [(1, 1), (2, 1), (2, 16)]


def test_a_request_larger_than_a_batch_goes_alone() -> None:
    engine = Doubling()
    batching = Batching(engine, collate, EngineSettings(largest_batch=2))
    answers = behind_one(batching, engine, [[row(1)] * 5, [row(2)]])
    assert answers[0][0].tolist() == [[2.0]] * 5 and answers[1][0].tolist() == [[4.0]]
    assert engine.batches == [(1, 1), (5, 1), (1, 1)]


def test_an_input_that_breaks_a_batch_breaks_nobody_elses() -> None:
    engine = Doubling()
    batching = Batching(engine, collate, EngineSettings(largest_batch=8))
    answers = behind_one(batching, engine, [[row(2)], [row(13)], [row(4)]])
    assert answers[0][0].tolist() == [[4.0]] and answers[2][0].tolist() == [[8.0]]
    assert isinstance(answers[1], RuntimeError)
    assert engine.batches == [(1, 1), (3, 1), (1, 1), (1, 1), (1, 1)]
    with pytest.raises(RuntimeError, match="thirteen"):
        batching.run([row(13)])
    assert batching.run([row(3)])[0].tolist() == [[6.0]]  # and the lane was given back


def test_a_network_that_loses_rows_never_gives_one_answer_to_another() -> None:
    class Losing(Doubling):
        def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            outputs, embeddings = super().run(batch)
            return outputs[:1], embeddings[:1]

    engine = Losing()
    batching = Batching(engine, collate, EngineSettings(largest_batch=8))
    answers = behind_one(batching, engine, [[row(2)], [row(3)]])
    assert [float(outputs[0, 0]) for outputs, _ in answers] == [4, 6]


@pytest.mark.parametrize("name", KITS)
def test_a_served_bundle_gives_64_threads_what_it_gives_one(name: str, tmp_path: Path) -> None:
    alone = open_bundle(make_bundle(name, tmp_path / name))
    kit = KITS[name]()
    settings = EngineSettings(lanes=1, largest_batch=32, max_padding=4.0)
    served = tuned(open_bundle(alone.folder))
    joined = type(served)(
        served.folder, served.manifest, served.codec, served.engine,
        served.engine_name, Batching(served.engine, served.codec.collate, settings),
    )  # fmt: skip
    asked = [[kit.raws[n % len(kit.raws)]] for n in range(63)] + [kit.raws]
    expected = [alone.predict(raws) for raws in asked]
    for bundle in (served, joined):
        answers = together([lambda raws=raws, bundle=bundle: bundle.predict(raws) for raws in asked])
        for given, wanted in zip(answers, expected, strict=True):
            assert_close([one.model_dump() for one in given], [one.model_dump() for one in wanted])
    if name != "text":  # everything can be read as a text
        wrong = together([lambda: joined.predict([object()]), *[lambda: joined.predict(kit.raws[:1])] * 7])
        assert isinstance(wrong[0], InputError)
        for given in wrong[1:]:
            assert_close([one.model_dump() for one in given], [one.model_dump() for one in expected[0]])


def assert_close(first: Any, second: Any) -> None:
    """Equal, with numbers within 1e-6 of their size."""
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_close(first[key], second[key])
    elif isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_close(one, other)
    elif isinstance(first, float):
        assert first == pytest.approx(second, rel=1e-6, abs=1e-6)
    else:
        assert first == second
