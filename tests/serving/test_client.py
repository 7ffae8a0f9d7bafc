from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from records.errors import ConfigError, InputError, KerasmithError
from serving.bundle import ModelBundle
from serving.client import Client
from serving.endpoint import Served, answer


def client_of(handler: Callable[[httpx.Request], httpx.Response]) -> Client:
    client = Client("http://127.0.0.1:9")
    client._http = httpx.Client(base_url="http://127.0.0.1:9", transport=httpx.MockTransport(handler))
    return client


@pytest.fixture
def client(bundle: ModelBundle) -> Client:
    served = Served()
    served.load(bundle, "tiny:1")

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/predict":
            reply = answer(served, request.headers["content-type"], request.url.query, request.read())
        else:
            reply = served.pages["/describe"]
        return httpx.Response(reply.status, content=reply.body)

    return client_of(handle)


def test_predict_takes_bytes_and_paths(client: Client, picture: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "blue.png").write_bytes(picture((0, 0, 255)))
    response = client.predict([picture(), tmp_path / "blue.png"], top_k=1)
    assert [one.label for one in response.predictions] == ["red", "blue"]
    assert [len(one.classes) for one in response.predictions] == [1, 1]


def test_describe_and_ready(client: Client) -> None:
    assert client.describe().model == "tiny:1"
    assert client.ready()


def test_a_refused_image_is_an_input_error_with_the_servers_sentence(client: Client) -> None:
    with pytest.raises(InputError, match="Not an image that can be read") as caught:
        client.predict([b"words"])
    assert caught.value.status == 422
    with pytest.raises(InputError, match="No input was given"):
        client.predict([])
    with pytest.raises(InputError, match="The file cannot be read: nowhere.png"):
        client.predict([Path("nowhere.png")])


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:3000", "file:///etc/passwd", "ftp://host", "http://", "http://[", "http://a:b"]
)
def test_only_http_addresses_are_taken(url: str) -> None:
    with pytest.raises(ConfigError, match="Expected http://HOST:PORT. Received"):
        Client(url)


def test_nobody_there_is_told() -> None:
    with Client("http://127.0.0.1:9") as client:
        assert not client.ready()
        with pytest.raises(KerasmithError, match="No server answers at http://127.0.0.1:9 .* kerasmith serve"):
            client.describe()


def test_a_slow_server_is_told() -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late")

    with pytest.raises(KerasmithError, match="did not answer in time"):
        client_of(slow).describe()


@pytest.mark.parametrize(("status", "content"), [(200, b"<html>"), (404, b"not found"), (200, b'{"model": 1}')])
def test_another_kind_of_server_is_told(status: int, content: bytes) -> None:
    with pytest.raises(KerasmithError, match=f"is not a Kerasmith server. Received: status {status}"):
        client_of(lambda _: httpx.Response(status, content=content)).describe()


def test_a_failing_model_is_told() -> None:
    with pytest.raises(KerasmithError, match="^It failed.$"):
        client_of(lambda _: httpx.Response(500, content=b'{"error": "It failed."}')).describe()


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with Client("http://localhost:9") as client, pytest.raises(KerasmithError, match="No server answers"):
        client.describe()
