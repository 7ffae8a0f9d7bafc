"""Small requests to quick networks: Python's part on the event loop, the network in a thread or on the spot."""

import asyncio
import contextlib
import dataclasses
import io
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image, PngImagePlugin
from uvicorn.config import HTTP_PROTOCOLS

from records.errors import InputError
from serving.batching import Batching, EngineSettings
from serving.bundle import ModelBundle
from serving.codecs.image import ImageCodec
from serving.encoding import LIGHT_INPUTS, encode_light, is_light
from serving.endpoint import Endpoint
from serving.express import Express
from serving.guarding.connections import Connection
from serving.guarding.guard import Guard
from serving.guarding.protecting import protect
from serving.limits import Limits
from serving.served import Served
from serving.working import work_off
from tests.serving.dialling import read_reply, status_of

EXPRESS = EngineSettings(express_lanes=1, express_batch=4)
CODEC = ImageCodec(height=8, width=8, channels=3)


class Doubling:
    """Twice the input; fails on what holds a 13. Remembers who asked for how many."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: list[str] = []
        self.busy = threading.Event()
        self.busy.set()

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.busy.wait(10)
        self.batches.append(len(batch))
        self.threads.append(threading.current_thread().name)
        if (batch == 13).any():
            raise RuntimeError("unlucky")
        return batch * 2, batch * 3

    def close(self) -> None: ...


def run_all(engine: Any, inputs: Sequence[Sequence[np.ndarray]], settings: EngineSettings = EXPRESS) -> list[Any]:
    """What each gets, all asked in one turn of the event loop."""

    async def main() -> list[Any]:
        express = Express(Batching(engine, np.stack, settings))
        return await asyncio.gather(*(express.run(arrays) for arrays in inputs), return_exceptions=True)

    return asyncio.run(main())


def test_what_is_asked_at_once_goes_through_the_network_together_and_each_gets_its_own() -> None:
    engine = Doubling()
    inputs = [[np.full(2, i, np.float32)] * (1 + i % 2) for i in range(10)]
    for arrays, (outputs, embeddings) in zip(inputs, run_all(engine, inputs), strict=True):
        np.testing.assert_array_equal(outputs, np.stack(arrays) * 2)
        np.testing.assert_array_equal(embeddings, np.stack(arrays) * 3)
    assert max(engine.batches) <= 4 and len(engine.batches) < 10 and sum(engine.batches) == 15
    assert set(engine.threads) == {"express-1"}


def test_inputs_of_another_shape_are_not_joined() -> None:
    engine = Doubling()
    outcomes = run_all(engine, [[np.ones(2)], [np.ones(3)], [np.ones(3)], [np.ones(2)]])
    assert [outputs.shape for outputs, _ in outcomes] == [(1, 2), (1, 3), (1, 3), (1, 2)]
    assert sorted(engine.batches) == [1, 1, 2]


def test_an_input_that_the_network_fails_on_disturbs_nobody_else() -> None:
    outcomes = run_all(Doubling(), [[np.full(2, value, np.float32)] for value in (1, 13, 3)])
    assert isinstance(outcomes[1], RuntimeError)
    assert [float(outputs[0, 0]) for outputs, _ in (outcomes[0], outcomes[2])] == [2, 6]


def test_who_gave_up_waiting_stops_nobody() -> None:
    engine = Doubling()
    engine.busy.clear()

    async def main() -> float:
        express = Express(Batching(engine, np.stack, EXPRESS))
        first, second = express.run([np.ones(1)]), express.run([np.full(1, 2.0)])
        await asyncio.sleep(0.01)
        first.cancel()
        engine.busy.set()
        return float((await second)[0][0, 0])

    assert asyncio.run(main()) == 4


def png(size: tuple[int, int], text: bytes = b"") -> bytes:
    buffer, told = io.BytesIO(), PngImagePlugin.PngInfo()
    if text:
        told.add(b"zTXt", b"note\0\0" + zlib.compress(text))
    Image.new("RGB", size, (200, 10, 10)).save(buffer, "PNG", pnginfo=told)
    return buffer.getvalue()


@pytest.mark.parametrize("raw", [png((9, 7)), np.zeros((8, 8, 3), np.uint8)], ids=["png", "array"])
def test_a_light_image_is_encoded_as_any_other(raw: Any) -> None:
    light = CODEC.encode_light(raw)
    assert light is not None
    np.testing.assert_array_equal(light, CODEC.encode(raw))


def test_what_could_take_long_is_not_light() -> None:
    assert CODEC.encode_light(png((300, 300))) is None, "many pixels in few bytes"
    assert CODEC.encode_light(png((9, 9), b"a" * 100_000)) is None, "packed text"
    gif = io.BytesIO()
    Image.new("P", (8, 8)).save(gif, "GIF")
    assert CODEC.encode_light(gif.getvalue()) is None, "a format of many pictures"
    assert encode_light(CODEC, [png((9, 7))] * (LIGHT_INPUTS + 1)) is None
    assert is_light(CODEC, 10_000) and not is_light(CODEC, 20_000)


def test_the_error_of_a_light_input_says_which_one_it_is() -> None:
    with pytest.raises(InputError, match="Input 2 of 2: "):
        encode_light(CODEC, [png((9, 7)), png((9, 7))[:45]])


@pytest.mark.parametrize("light", [True, False])
def test_steps_give_what_predict_gives(bundle: ModelBundle, picture: Callable[..., bytes], light: bool) -> None:
    raws = [picture((250, 10, 10)), picture((0, 0, 255), (300, 300))]
    assert work_off(bundle.predicting(raws, light=light), bundle.run) == bundle.predict(raws)


@contextlib.contextmanager
def serving(app: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """The endpoint behind uvicorn with guarded connections; gives connections to it."""
    for name in ("auto", "httptools"):
        monkeypatch.setitem(HTTP_PROTOCOLS, name, HTTP_PROTOCOLS[name])
    protect(Limits())
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", server_header=False))
    with contextlib.ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="loop")
        thread.start()
        while not server.started:
            time.sleep(0.01)
        address = listener.getsockname()
        try:
            yield lambda: stack.enter_context(socket.create_connection(address, timeout=5))
        finally:
            stack.close()
            server.should_exit = True
            thread.join(15)


class Watched:
    """An engine that remembers which thread asked, and takes its time the first time."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.threads: list[str] = []
        self.first_seconds = 0.0

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.threads.append(threading.current_thread().name)
        if len(self.threads) == 1:
            time.sleep(self.first_seconds)
        outputs: tuple[np.ndarray, np.ndarray] = self.engine.run(batch)
        return outputs

    def close(self) -> None: ...


def make_app(bundle: ModelBundle, settings: EngineSettings, guard: Guard | None = None) -> tuple[Endpoint, Watched]:
    engine, served = Watched(bundle.engine), Served()
    batching = Batching(engine, bundle.codec.collate, settings)
    served.load(dataclasses.replace(bundle, engine=engine, batching=batching), "tiny:1")
    return Endpoint(None, served, guard), engine  # type: ignore[arg-type]


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /predict HTTP/1.1", b"Host: x", b"Content-Type: image/png", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *headers, b"", body])


def label(reply: bytes) -> str:
    answer: str = json.loads(reply.partition(b"\r\n\r\n")[2])["predictions"][0]["label"]
    return answer


def test_one_request_at_a_time_stays_on_the_event_loop_and_large_ones_leave_it(
    bundle: ModelBundle, picture: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, engine = make_app(bundle, dataclasses.replace(EXPRESS, inline=True))
    small, large = picture((250, 10, 10)), picture((0, 0, 255), (300, 300))
    with serving(app, monkeypatch) as dial:
        one = dial()
        one.sendall(post(small))
        first = read_reply(one)
        one.sendall(post(large))
        second = read_reply(one)
        one.sendall(post(small, b"Connection: close"))
        last = read_reply(one)
    assert [label(reply) for reply in (first, second, last)] == ["red", "blue", "red"]
    assert engine.threads[0] == engine.threads[2] == "loop" and engine.threads[1].startswith("predict-")
    head = last.partition(b"\r\n\r\n")[0].lower()
    assert b"connection: close" in head and b"nosniff" in head and b"x-request-id" in head and b"x-model: tiny" in head
    assert b"connection: close" not in first.partition(b"\r\n\r\n")[0].lower()


def test_requests_that_come_together_leave_the_event_loop_to_others(
    bundle: ModelBundle, picture: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, engine = make_app(bundle, dataclasses.replace(EXPRESS, inline=True))
    engine.first_seconds = 0.5  # alone, on the event loop: all others are there when it goes on
    colors = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
    with serving(app, monkeypatch) as dial:
        asked = [(dial(), name) for name in [*colors] * 8]
        for one, _ in asked:  # so that it is accepted: uvloop takes one new connection in a turn
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert status_of(read_reply(one)) == 200
        for one, name in asked:
            one.sendall(post(picture(colors[name])))
            while not engine.threads:
                time.sleep(0.001)
        assert [label(read_reply(one)) for one, _ in asked] == [name for _, name in asked]
    assert engine.threads[0] == "loop" and set(engine.threads[1:]) == {"express-1"}


def test_nothing_is_under_way_when_all_have_gone(
    bundle: ModelBundle, picture: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = make_app(bundle, EXPRESS)
    body = picture((250, 10, 10))
    with serving(app, monkeypatch) as dial:
        for whole in (True, False):
            one = dial()
            one.sendall(post(body) if whole else post(body)[:-9])
            if whole:
                read_reply(one)
            one.close()
        piped = dial()
        piped.sendall(post(body) * 3)
        time.sleep(0.3)
        piped.close()
        until = time.monotonic() + 5
        while Connection.under_way and time.monotonic() < until:
            time.sleep(0.01)
    assert Connection.under_way == 0


def test_who_comes_while_there_is_no_place_is_turned_away_and_may_ask_again(
    bundle: ModelBundle, picture: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.guarding.door import Door

    guard, heard = Guard(Limits(max_concurrent=1)), []
    app, _ = make_app(bundle, EXPRESS, guard)
    door = Door(guard, app._served, lambda path, reply: heard.append((path, reply.status)))
    monkeypatch.setattr(Connection, "door", door)
    body = picture((250, 10, 10))
    with serving(app, monkeypatch) as dial:
        one = dial()
        assert guard.enter() is None  # somebody else has the only place
        named = post(body, b"X-Request-ID: mine-1")
        for piece in (named, named[:-5]):  # the rest of a body comes later, and is thrown away
            one.sendall(piece)
            refused = read_reply(one)
            head, _, said = refused.partition(b"\r\n\r\n")
            assert status_of(refused) == 429 and b"retry-after: " in head and b"x-request-id: mine-1" in head
            assert b"x-model: tiny" in head and b"nosniff" in head and "Too many requests" in json.loads(said)["error"]
        one.sendall(post(body)[-5:])
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status_of(read_reply(one)) == 200, "what costs nothing is answered"
        guard.leave(0.0)
        one.sendall(post(body))
        assert label(read_reply(one)) == "red"
    assert heard == [("/predict", 429)] * 2
