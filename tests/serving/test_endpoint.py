import asyncio
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from records.api import Description, ErrorResponse, PredictResponse
from serving.bundle import ModelBundle
from serving.endpoint import Endpoint
from serving.guarding.body import BodyReader, Disconnected
from serving.limits import Limits
from serving.routes import ROUTES
from serving.served import Served
from tests.serving.asking import answer

LIMITS = Limits(max_body_bytes=10_000, max_inputs=3, body_seconds=0.3, discard_seconds=0.3)


async def beyond(scope: Any, receive: Any, send: Any) -> None:
    """Stands for BentoML."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"beyond"})


@pytest.fixture
def served(bundle: ModelBundle) -> Served:
    served = Served(limits=LIMITS)
    served.load(bundle, "tiny:1")
    return served


@pytest.fixture
def client(served: Served, in_process: Any) -> Any:
    return in_process(Endpoint(beyond, served))


def giant_png(side: int) -> bytes:
    """A PNG of a few kilobytes that says it is `side` pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def test_every_way_to_send_an_image_gets_the_same_answer(client: Any, picture: Callable[..., bytes]) -> None:
    sample = client.get("/describe").json()["sample"]
    answers = [
        client.post("/predict", content=picture(), headers={"content-type": "image/png"}),
        client.post("/predict", files={"image": picture()}),
        client.post("/predict", json=sample),
    ]
    assert [one.status_code for one in answers] == [200, 200, 200]
    first = PredictResponse.model_validate_json(answers[0].content)
    assert first.model == "tiny:1" and first.predictions[0].label == "red"
    assert all(one.json()["predictions"] == answers[0].json()["predictions"] for one in answers)


def test_several_images_and_top_k(client: Any, picture: Callable[..., bytes]) -> None:
    files = [("image", picture((0, 0, 255))), ("image", picture((0, 255, 0), (70, 50)))]
    response = client.post("/predict", files=files, params={"top_k": 2})
    predictions = response.json()["predictions"]
    assert [one["label"] for one in predictions] == ["blue", "green"]
    assert [len(one["classes"]) for one in predictions] == [2, 2]


def test_describe_says_what_is_served(client: Any) -> None:
    described = Description.model_validate_json(client.get("/describe").content)
    assert described.labels == ["blue", "green", "red"]
    assert described.metrics["accuracy"] == {"value": 0.9, "low": 0.8, "high": 0.95}
    assert described.limits == {
        "max_body_bytes": 10_000,
        "max_inputs": 3,
        "max_top_k": 3,
        "max_bytes": 20_000_000,
        "max_pixels": 50_000_000,
    }


@pytest.mark.parametrize("path", ["/schema.json", "/predict/", "/x" * 5000, "//", "/%F0%9F%90%B1"])
def test_unknown_addresses_get_a_sentence(client: Any, path: str) -> None:
    response = client.get("http://server" + path)
    assert response.status_code == 404
    assert "Known: /predict" in ErrorResponse.model_validate_json(response.content).error


def test_another_method_gets_a_sentence_and_what_is_allowed(client: Any) -> None:
    for route in ROUTES.values():
        response = client("DELETE", route.path)
        assert response.status_code == 405
        assert response.json()["error"].startswith(f"{route.path} does not answer to DELETE. Expected ")
        assert response.headers["allow"] == ("POST" if route.method == "POST" else "GET, HEAD")
    assert client("HEAD", "/describe").content == b""


def test_refusals_of_images_name_status_and_reason(client: Any, picture: Callable[..., bytes]) -> None:
    def ask(content: bytes) -> tuple[int, str]:
        response = client.post("/predict", content=content, headers={"content-type": "image/png"})
        return response.status_code, response.json()["error"]

    assert ask(b"hello, these are words") == (
        422,
        "Not an image that can be read. Expected JPEG, PNG, WebP, BMP or GIF. Received: text.",
    )
    status, error = ask(picture()[:-25])
    assert status == 422 and "damaged" in error
    status, error = ask(giant_png(13_000))
    assert status == 413 and "Expected at most 50000000 pixels. Received: 13000 x 13000." in error


def test_a_body_over_the_limit_is_refused_before_it_is_kept(client: Any) -> None:
    async def pieces() -> Any:
        for _ in range(20):
            yield b"x" * 1000

    for content in (b"x" * 10_001, pieces()):
        response = client.post("/predict", content=content, headers={"content-type": "image/png"})
        assert response.status_code == 413
        assert response.json()["error"].startswith("The body is too large. Expected at most 10000 bytes.")
        assert response.headers["connection"] == "close"


def test_an_encoded_body_is_refused(client: Any) -> None:
    headers = {"content-type": "image/png", "content-encoding": "gzip"}
    response = client.post("/predict", content=b"x", headers=headers)
    assert response.status_code == 415
    assert "Received: 'gzip'" in response.json()["error"]


def read(reader: BodyReader, *messages: dict[str, Any], **headers: bytes) -> bytes:
    """Runs the reader on these messages; after them, the client is silent."""
    queue = list(messages)

    async def receive() -> Any:
        return queue.pop(0) if queue else await asyncio.sleep(60)

    names = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return asyncio.run(reader.read(names, receive))


def test_a_body_that_does_not_arrive_gets_408() -> None:
    reader = BodyReader(LIMITS)
    with pytest.raises(Exception, match="within 0.3 seconds. Received: 3 bytes") as caught:
        read(reader, {"type": "http.request", "body": b"abc", "more_body": True})
    assert getattr(caught.value, "status", None) == 408


def test_a_client_that_waits_for_a_go_ahead_is_answered_at_once() -> None:
    limits = Limits(max_body_bytes=10, discard_seconds=60)
    for declared in (b"11", b"9" * 5000):
        with pytest.raises(Exception, match="too large"):
            read(BodyReader(limits), content_length=declared, expect=b"100-continue")


def test_too_many_held_bytes_get_429_until_they_are_released() -> None:
    reader = BodyReader(Limits(max_held_bytes=10, discard_seconds=0.1))
    whole = {"type": "http.request", "body": b"1234567", "more_body": False}
    assert read(reader, whole) == b"1234567"
    for _ in range(3):  # what is refused is not counted
        with pytest.raises(Exception, match="Send this one again in a second") as caught:
            read(reader, whole)
        assert getattr(caught.value, "status", None) == 429
    reader.release(7)
    assert read(reader, whole) == b"1234567"


def test_a_client_that_goes_away_leaves_nothing_behind() -> None:
    reader = BodyReader(Limits(max_held_bytes=10))
    for _ in range(5):
        with pytest.raises(Disconnected):
            read(reader, {"type": "http.request", "body": b"1234567", "more_body": True}, {"type": "http.disconnect"})
    assert read(reader, {"type": "http.request", "body": b"1234567"}) == b"1234567"


class BrokenEngine:
    def __init__(self, value: float | None) -> None:
        self.value = value

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.value is None:
            raise RuntimeError("secret of the machine")
        return np.full((len(batch), 3), self.value, np.float32), batch

    def close(self) -> None: ...


@pytest.mark.parametrize(("value", "message"), [(None, "The server's log says why"), (np.nan, "not finite numbers")])
def test_a_failing_model_answers_500_with_a_sentence_and_no_nan(
    bundle: ModelBundle, picture: Callable[..., bytes], value: float | None, message: str
) -> None:
    served = Served()
    served.load(ModelBundle(bundle.folder, bundle.manifest, bundle.codec, BrokenEngine(value)), "tiny:1")
    reply = answer(served, "image/png", b"", picture())
    assert reply.status == 500
    assert message in json.loads(reply.body)["error"] and b"secret" not in reply.body


def test_a_model_of_another_name_cannot_put_code_into_the_page(bundle: ModelBundle) -> None:
    labels = ("<script>alert(1)</script>", "b", "c")
    manifest = bundle.manifest.model_copy(update={"labels": labels})
    served = Served()
    served.load(ModelBundle(bundle.folder, manifest, bundle.codec, bundle.engine), "tiny:1")
    page = served.pages["/"].body.decode()
    assert "&lt;script&gt;alert" in page and "<script>alert" not in page


KINDS = ("image/png", "application/json", "multipart/form-data; boundary=b", "multipart/form-data; boundary=", "text/x")
FRAGMENTS = (
    b"--b\r\n", b"--b--", b"\r\n\r\n", b'Content-Disposition: form-data; name="image"\r\n', b'name="top_k"', b"\r\n",
    b'{"inputs": [', b'{"image": "', b'"}]}', b'"top_k": ', b"1e999", b"NaN", b"null", b"\\ud800", b"AAAA",
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 ", b"BM", b"\0" * 40,
)  # fmt: skip
BODIES = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(b"".join))
LATIN = st.binary(max_size=40).map(lambda data: data.decode("latin-1"))  # what a header can hold
FUZZ = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(kind=st.one_of(st.sampled_from(KINDS), LATIN), query=st.binary(max_size=30), body=BODIES)
@example(kind='multipart/form-data; boundary="', query=b"", body=b"x")
@example(kind="multipart/form-data; boundary=b", query=b"%", body=b"--b\r\nContent-Disposition\r\n\r\nx\r\n--b--")
def test_no_request_makes_the_server_fail(served: Served, kind: str, query: bytes, body: bytes) -> None:
    reply = answer(served, kind, query, body)
    assert 400 <= reply.status < 500
    assert ErrorResponse.model_validate_json(reply.body).error.endswith((".", "}"))


@FUZZ
@given(data=st.data())
def test_no_damaged_image_makes_the_server_fail(served: Served, picture: Callable[..., bytes], data: Any) -> None:
    image = bytearray(picture(size=(9, 9)))
    for _ in range(data.draw(st.integers(1, 4))):
        image[data.draw(st.integers(0, len(image) - 1))] = data.draw(st.integers(0, 255))
    reply = answer(served, "image/png", b"", bytes(image[: data.draw(st.integers(1, len(image)))]))
    assert reply.status in (200, 413, 422)
