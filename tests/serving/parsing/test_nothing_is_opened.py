"""What a request says is never opened, fetched, unpickled or run."""

import base64
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from serving import handlers
from serving.bundle import ModelBundle, open_bundle
from serving.messages import Request
from serving.served import Served
from tests.serving.asking import answer
from tests.serving.kinds import KITS, make_bundle

WATCHED = (
    "open", "os.", "shutil.", "socket.", "subprocess.", "urllib.", "pickle.", "marshal.", "ctypes.", "exec", "compile",
)  # fmt: skip
"""Beginnings of audit events, see https://docs.python.org/3/library/audit_events.html."""
HARMLESS = ("os.putenv",)
seen: list[str] = []
watching: set[int] = set()


def hook(event: str, arguments: Any) -> None:
    """Audit hooks stay for ever, so this one looks at the threads that a test names."""
    if watching and threading.get_ident() in watching and event.startswith(WATCHED):
        seen.append(f"{event} {str(arguments)[:200]}")


sys.addaudithook(hook)


@pytest.fixture
def nothing_opened() -> Iterator[None]:
    """Fails where this thread opened, connected or ran anything."""
    seen.clear()
    watching.add(threading.get_ident())
    try:
        yield
    finally:
        watching.clear()
    assert not [one for one in seen if not one.startswith(HARMLESS)]


class Evil:
    def __reduce__(self) -> Any:
        return print, ("this was run",)


@pytest.fixture(params=["image", *sorted(KITS)])
def served(request: pytest.FixtureRequest, bundle: ModelBundle, tmp_path: Path) -> Served:
    served = Served()
    if request.param != "image":
        bundle = open_bundle(make_bundle(request.param, tmp_path / request.param))
    served.load(bundle, "x:1")
    # what is imported late is imported now
    assert answer(served, "application/json", b"", orjson.dumps(sample_of(served))).status == 200
    form = b'--b\r\ncontent-disposition: form-data; name="image"\r\n\r\nx\r\n--b--'
    answer(served, "multipart/form-data; boundary=b", b"", form)
    answer(served, "text/plain", b"", b"x")
    return served


def sample_of(served: Served) -> Any:
    return orjson.loads(served.pages["/sample.json"].body)


def names(secret: Path) -> list[str]:
    return [
        str(secret), secret.as_uri(), "/etc/passwd", "../../../../etc/passwd", "file:///etc/passwd", "~/.ssh/id_rsa",
        "http://127.0.0.1:9/x.png", "https://example.com/x.png", "ftp://example.com/x", "\\\\host\\share\\x",
        "data:image/png;base64,AAAA", "|id", "$(id)", "`id`", "${jndi:ldap://127.0.0.1/x}", "{{7*7}}",
    ]  # fmt: skip


def replaced(value: Any, name: str) -> Any:
    """The same request with this text in every place that holds a value."""
    if isinstance(value, dict):
        return {key: replaced(one, name) for key, one in value.items()}
    if isinstance(value, list):
        return [replaced(one, name) for one in value]
    return name


def test_a_name_in_a_request_is_only_a_name(served: Served, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret of this machine")
    asked = names(secret)
    sample = sample_of(served)
    request.getfixturevalue("nothing_opened")
    for name in asked:
        part = f'--b\r\ncontent-disposition: form-data; name="image"; filename="{name}"\r\n\r\n{name}\r\n--b--'
        for content_type, body in (
            ("application/json", orjson.dumps(replaced(sample, name))),
            ("application/json", orjson.dumps({name: name})),
            ("text/plain", name.encode()),
            ("image/png", name.encode()),
            ("multipart/form-data; boundary=b", part.encode()),
            (f"text/plain; charset={name}", b"x"),
            (name, b"x"),
        ):
            reply = answer(served, content_type, name.encode(), body)
            assert reply.status < 500 and b"the secret of" not in reply.body


@pytest.mark.parametrize(
    "content_type",
    [
        "application/vnd.bentoml+pickle",
        "application/octet-stream+pickle",
        "application/x-pickle",
        "application/pickle",
        "application/python-pickle",
        "application/x-python-serialize",
    ],
)
@pytest.mark.parametrize("handler", ["predict", "v2_infer", "feedback"])
def test_a_pickle_is_not_taken(
    served: Served, nothing_opened: Callable[..., None], handler: str, content_type: str, capsys: Any
) -> None:
    body = pickle.dumps(Evil())
    headers = {b"content-type": content_type.encode()}
    request = Request(id="1", method="POST", path="/predict", captured={"name": "x"}, headers=headers, body=body)
    reply = handlers.answer(served, handler, request)
    assert reply.status in ((415,) if handler == "predict" else (400, 404, 415)), reply
    assert "this was run" not in capsys.readouterr().out


def test_a_pickle_under_another_name_is_not_unpickled(served: Served, nothing_opened: None, capsys: Any) -> None:
    for body in (pickle.dumps(Evil()), base64.b64encode(pickle.dumps(Evil()))):
        for content_type in ("application/json", "application/octet-stream", "image/png", "text/plain"):
            reply = answer(served, content_type, b"", body)
            assert reply.status < 500
    assert "this was run" not in capsys.readouterr().out
