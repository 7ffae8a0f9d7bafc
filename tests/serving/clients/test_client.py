import asyncio
import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from records.errors import ConfigError, InputError, KerasmithError
from serving.async_client import AsyncClient
from serving.bundle import ModelBundle
from serving.client import Client
from serving.endpoint import Endpoint
from serving.feedback_files import FeedbackFolder, read_feedback
from serving.served import Served
from tests.serving.clients.connecting import URL, Respond, in_turn


@pytest.fixture
def served(bundle: ModelBundle, tmp_path: Path) -> Served:
    served = Served(feedback=FeedbackFolder(tmp_path / "kept"))
    served.load(bundle, "tiny:1")
    return served


@pytest.fixture
def asked(served: Served) -> Respond:
    """The real endpoint, asked in this process."""
    endpoint = Endpoint(lambda *_: None, served)  # type: ignore[arg-type, return-value]

    async def send(request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        transport = httpx.ASGITransport(endpoint)
        whole = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        response = await transport.handle_async_request(whole)
        return response.status_code, response.headers, await response.aread()

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/readyz":
            return httpx.Response(200)
        found: list[tuple[int, httpx.Headers, bytes]] = []
        thread = threading.Thread(target=lambda: found.append(asyncio.run(send(request))))
        thread.start()
        thread.join()
        [(status, headers, content)] = found
        return httpx.Response(status, headers=headers, content=content)

    return respond


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, tuple[str, Any]]:
        public = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
        found = {**public, "": kind.__init__}
        return {name: (str(inspect.signature(value)), value) for name, value in found.items()}

    one, other = methods(Client), methods(AsyncClient)
    assert {name: told for name, (told, _) in one.items()} == {name: told for name, (told, _) in other.items()}
    assert all(inspect.iscoroutinefunction(value) for name, (_, value) in other.items() if name)
    assert one.keys() >= {"predict", "feedback", "feedback_all", "describe", "ready", "close"}


def test_predict_takes_bytes_and_paths(
    make_client: Any, asked: Respond, picture: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "blue.png").write_bytes(picture((0, 0, 255)))
    response = make_client(asked).predict([picture(), tmp_path / "blue.png"], top_k=1)
    assert [one.label for one in response.predictions] == ["red", "blue"]
    assert [len(one.classes) for one in response.predictions] == [1, 1]


def test_a_request_has_an_id_that_comes_back(make_client: Any, asked: Respond, picture: Callable[..., bytes]) -> None:
    client = make_client(asked)
    assert client.predict([picture()], request_id="mine-1").request_id == "mine-1"
    made = [client.predict([picture()]).request_id for _ in range(2)]
    assert made[0] != made[1] and all(len(one) == 32 for one in made)
    with pytest.raises(InputError, match="id of the request cannot be sent. Expected 1 to 64 letters"):
        client.predict([picture()], request_id="two\nlines")


def test_a_model_is_named_in_the_address(make_client: Any, asked: Respond, picture: Callable[..., bytes]) -> None:
    client = make_client(asked)
    for model in ("tiny", "tiny:1"):
        assert client.predict([picture()], model=model).model == "tiny:1"
    for model in ("other", "tiny:2"):
        with pytest.raises(InputError, match=f"no model '{model}'") as caught:
            client.predict([picture()], model=model)
        assert caught.value.status == 404


def test_options_are_sent_where_they_are_given(make_client: Any, picture: Callable[..., bytes]) -> None:
    body = b'{"model": "m:1", "predictions": [{"value": 1.5}]}'
    respond, asked = in_turn(httpx.Response(200, content=body))
    client = make_client(respond)
    client.predict(["a text"], top_k=2, coverage=0.9, abstain_below=0.25)
    client.predict([picture()], top_k=2, coverage=0.9, abstain_below=0.25)
    client.predict(["a text"])
    client.predict([picture()], model="a b/../c?d")
    assert asked[0].content == b'{"inputs":[{"text":"a text"}],"top_k":2,"coverage":0.9,"abstain_below":0.25}'
    assert dict(asked[1].url.params) == {"top_k": "2", "coverage": "0.9", "abstain_below": "0.25"}
    assert asked[2].content == b'{"inputs":[{"text":"a text"}]}' and not asked[2].url.query
    assert asked[3].url.raw_path == b"/models/a%20b%2F..%2Fc%3Fd/predict"


def test_feedback_is_kept(make_client: Any, asked: Respond, picture: Callable[..., bytes], tmp_path: Path) -> None:
    client = make_client(asked)
    request_id = client.predict([picture(), picture()]).request_id
    assert client.feedback(request_id, "red").kept == 1
    assert client.feedback(request_id, "violet", index=1).unknown == ["violet"]
    assert client.feedback_all([(f"r{i}", 0, "blue") for i in range(1001)]).kept == 1001
    found = list(read_feedback(tmp_path / "kept"))
    assert [(one.request_id, one.index, one.truth) for one in found[:2]] == [
        (request_id, 0, "red"),
        (request_id, 1, "violet"),
    ]
    assert len(found) == 1003
    with pytest.raises(InputError, match="Feedback 1 of 1 is wrong: request_id"):
        client.feedback("not an id", "red")
    with pytest.raises(InputError, match="`truth` is not an answer of this model") as caught:
        client.feedback("a", 1.5)
    assert caught.value.status == 422
    with pytest.raises(InputError, match="No feedback was given"):
        client.feedback_all([])


def test_describe_and_ready(make_client: Any, asked: Respond) -> None:
    client = make_client(asked)
    assert client.describe().model == "tiny:1"
    assert client.ready()
    assert not make_client(lambda _: httpx.Response(503)).ready()


def test_a_refused_image_is_an_input_error_with_the_servers_sentence(make_client: Any, asked: Respond) -> None:
    client = make_client(asked)
    with pytest.raises(InputError, match="Not an image that can be read") as caught:
        client.predict([b"words"])
    assert caught.value.status == 422
    with pytest.raises(InputError, match="No input was given"):
        client.predict([])
    with pytest.raises(InputError, match="The file cannot be read: nowhere.png"):
        client.predict([Path("nowhere.png")])


def test_a_token_is_sent_and_never_shown(make_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    respond, asked = in_turn(httpx.Response(200))
    make_client(respond).ready()
    monkeypatch.setenv("KERASMITH_TOKEN", " from-environment\n")
    make_client(respond).ready()
    make_client(respond, token="given").ready()
    make_client(respond, token="").ready()
    given = [one.headers.get("authorization") for one in asked]
    assert given == [None, "Bearer from-environment", "Bearer given", None]
    for wrong in ("two\r\nlines", "ümlaut", "a b"):
        with pytest.raises(ConfigError, match="token cannot be sent") as caught:
            make_client(respond, token=wrong)
        assert wrong not in str(caught.value)
    assert "given" not in repr(Client(URL, token="given")._conversations)
    assert not Client(URL)._http.follow_redirects  # a token goes nowhere else


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:3000", "file:///etc/passwd", "ftp://host", "http://", "http://[", "http://a:b"]
)
def test_only_http_addresses_are_taken(make_client: Any, url: str) -> None:
    with pytest.raises(ConfigError, match="Expected http://HOST:PORT. Received"):
        make_client(None, url)


def test_nobody_there_is_told(make_client: Any) -> None:
    client = make_client(None)
    assert not client.ready()
    with pytest.raises(KerasmithError, match="No server answers at http://127.0.0.1:9 .* kerasmith serve"):
        client.describe()
    client.close()


@pytest.mark.parametrize(("status", "content"), [(200, b"<html>"), (404, b"not found"), (200, b'{"model": 1}')])
def test_another_kind_of_server_is_told(make_client: Any, status: int, content: bytes) -> None:
    with pytest.raises(KerasmithError, match=f"is not a Kerasmith server. Received: status {status}"):
        make_client(lambda _: httpx.Response(status, content=content)).describe()


def test_a_failing_model_is_told(make_client: Any) -> None:
    with pytest.raises(KerasmithError, match="^It failed.$"):
        make_client(lambda _: httpx.Response(500, content=b'{"error": "It failed."}')).describe()


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    make_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    client = make_client(None, "http://localhost:9")
    with pytest.raises(KerasmithError, match="No server answers"):
        client.describe()
    client.close()
