import base64
import json

import pytest

from records.errors import InputError
from serving.parsing.bodies import parse_request
from serving.parsing.parameters import Options

FORM = "multipart/form-data; boundary=frontier"


def form(*parts: tuple[str, bytes], end: bytes = b"--frontier--\r\n") -> bytes:
    head = b'--frontier\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    return b"".join(head % (name.encode(), content) for name, content in parts) + end


def body(*images: bytes, **more: object) -> bytes:
    return json.dumps({"inputs": [{"image": base64.b64encode(image).decode()} for image in images], **more}).encode()


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg; q=1", "IMAGE/WEBP", "application/octet-stream"])
def test_a_raw_body_is_one_image(kind: str) -> None:
    asked = parse_request(kind, b"top_k=3", b"bytes", "image", 4)
    assert (asked.raws, asked.options.top_k) == ([b"bytes"], 3)


def test_a_form_holds_one_image_or_more() -> None:
    content = b"\r\n--front\r\n\x00\xff--"  # bytes that look like a boundary's beginning
    asked = parse_request(FORM, b"", form(("image", content), ("top_k", b"2"), ("image", b"other")), "image", 4)
    assert (asked.raws, asked.options.top_k) == ([content, b"other"], 2)


def test_json_holds_one_image_or_more() -> None:
    asked = parse_request("application/json; charset=utf-8", b"", body(b"one", b"two", top_k=1), "image", 4)
    assert (asked.raws, asked.options.top_k) == ([b"one", b"two"], 1)


def test_top_k_may_be_given_twice_when_it_is_the_same() -> None:
    assert parse_request("application/json", b"top_k=2", body(b"one", top_k=2), "image", 4).options.top_k == 2


def test_options_may_stand_in_the_address_a_form_and_json() -> None:
    asked = Options(top_k=2, coverage=0.9, abstain_below=0.25)
    query = b"coverage=0.9&abstain_below=.25&top_k=2"
    assert parse_request("image/png", query, b"x", "image", 4).options == asked
    fields = form(("coverage", b"0.9"), ("image", b"x"), ("abstain_below", b"0.25"), ("top_k", b"2"))
    assert parse_request(FORM, b"", fields, "image", 4).options == asked
    content = body(b"x", top_k=2, coverage=0.9)
    assert parse_request("application/json", b"abstain_below=0.25&coverage=0.900", content, "image", 4).options == asked
    assert parse_request("application/json", b"", body(b"x"), "image", 4).options == Options()


def test_what_a_request_leaves_open_the_server_may_say() -> None:
    defaults = Options(coverage=0.9, abstain_below=0.5)
    assert Options().over(defaults) == defaults
    assert Options(top_k=1, abstain_below=0.0).over(defaults) == Options(top_k=1, coverage=0.9, abstain_below=0.0)


ADDRESS = b"http://127.0.0.1/picture.png"
REFUSED: list[tuple[str, bytes, bytes, int, str]] = [
    ("", b"", b"x", 415, "Received: 'no type'"),
    ("text/plain", b"", b"x", 415, "answers images. Expected an image as the body .* Received: 'text/plain'"),
    ("application/vnd.bentoml+pickle", b"", b"x", 415, "The body's type is not taken"),
    ("image/png", b"", b"", 400, "The body is empty"),
    ("image/png", b"topk=1", b"x", 422, "unknown .* Expected `top_k`, `coverage` or `abstain_below`. Received: topk"),
    ("image/png", b"top_k=1&top_k=1", b"x", 422, "given twice"),
    ("image/png", b"&".join([b"a=1"] * 20), b"x", 400, "too many parameters"),
    *[
        ("image/png", b"top_k=" + value, b"x", 422, "Expected an integer from 1")
        for value in (b"", b"0", b"-1", b"1.5", b"nan", b"1e3", b"9999999999", "٣".encode(), b"%00", b"two")
    ],
    *[
        ("image/png", b"coverage=" + value, b"x", 422, "`coverage` is wrong. Expected a number from 0.5 to 0.999")
        for value in (b"", b"90", b"0.4999", b"1", b"nan", b"inf", b"9e-1", b"-0.9", b"0,9", "٠.٩".encode(), b"0.9.1")
    ],
    ("image/png", b"abstain_below=1.01", b"x", 422, "`abstain_below` is wrong. Expected a number from 0 to 1"),
    ("image/png", b"coverage=0.9&coverage=0.9", b"x", 422, "`coverage` was given twice"),
    ("application/json", b"", b"{", 400, "The body is not JSON: EOF"),
    ("application/json", b"", b"\xff\xfe", 400, "The body is not JSON"),
    ("application/json", b"", b"[" * 100_000, 400, "The body is not JSON: recursion limit"),
    ("application/json", b"", b"[]", 422, "not a request: the body: .*object.* Expected {"),
    ("application/json", b"", b"{}", 422, "not a request: inputs: Field required"),
    ("application/json", b"", b'{"inputs": []}', 422, "inputs: List should have at least 1 item"),
    ("application/json", b"", b'{"inputs": [{"image": 7}]}', 422, "inputs.0.image: Input should be a valid string"),
    ("application/json", b"", b'{"inputs": [{"url": "x"}]}', 422, "inputs.0.image: Field required"),
    ("application/json", b"", b'{"inputs": [{"image": ""}]}', 422, "inputs.0.image is empty"),
    ("application/json", b"", b'{"inputs": [{"image": "a"}]}', 422, "inputs.0.image is not base64"),
    ("application/json", b"", '{"inputs": [{"image": "é"}]}'.encode(), 422, "inputs.0.image is not base64"),
    ("application/json", b"", b'{"inputs": [{"image": "%s"}]}' % ADDRESS, 422, "inputs.0.image is an address"),
    ("application/json", b"", body(b"x", top_k="2"), 422, "top_k: Input should be a valid integer"),
    ("application/json", b"", body(b"x", top_k=True), 422, "top_k: Input should be a valid integer"),
    ("application/json", b"", body(b"x", top_k=0), 422, "top_k: Input should be greater than or equal to 1"),
    ("application/json", b"", body(b"x", top_k=float("nan")), 422, "top_k"),
    ("application/json", b"", body(b"x", coverage=1.0), 422, "coverage: Input should be less than or equal to 0.999"),
    ("application/json", b"", body(b"x", coverage=float("nan")), 422, "coverage"),
    ("application/json", b"", body(b"x", abstain_below="0.5"), 422, "abstain_below: Input should be a valid number"),
    ("application/json", b"coverage=0.8", body(b"x", coverage=0.9), 422, "twice. Expected one value. Received: 0.8"),
    ("application/json", b"", body(b"x", colour=1), 422, "colour: Extra inputs are not permitted"),
    ("application/json", b"", body(b"1", b"2", b"3", b"4", b"5"), 413, "Too many inputs .* at most 4"),
    ("application/json", b"top_k=1", body(b"x", top_k=2), 422, "given twice. Expected one value. Received: 1 and 2"),
    ("multipart/form-data", b"", b"x", 400, "The form has no boundary"),
    (FORM, b"", b"no boundary here", 400, "The form is malformed"),
    (FORM, b"", form(("image", b"x"), end=b""), 400, "The form is cut off"),
    (FORM, b"", form(("image", b"x"), ("image", b"y"))[:-30], 400, "The form is cut off"),
    (FORM, b"", form(), 422, "The form holds no image"),
    (FORM, b"", form(("top_k", b"1")), 422, "The form holds no image"),
    (FORM, b"", form(("file", b"x")), 422, "unknown fields. Expected files in `image`.* Received: file"),
    (FORM, b"", b"--frontier\r\nX: y\r\n\r\nx\r\n--frontier--", 422, "a field without a name"),
    (FORM, b"", form(("image", b"")), 422, "A file in `image` is empty"),
    (FORM, b"", form(("image", ADDRESS)), 422, "`image` is an address. Expected the file itself"),
    (FORM, b"", form(("image", b"file:///etc/passwd")), 422, "`image` is an address"),
    (FORM, b"", form(("image", b"x"), ("top_k", b"1"), ("top_k", b"1")), 422, "given twice"),
    (FORM, b"", form(("image", b"x"), ("coverage", b"all")), 422, "`coverage` is wrong. .* Received: 'all'"),
    (FORM, b"", form(("image", b"x"), ("top_k", b"\xff" * 500)), 422, "Expected an integer from 1"),
    (FORM, b"", form(*[("image", b"x")] * 5), 413, "Too many inputs .* at most 4"),
    (FORM, b"", form(*[("image", b"x")] * 50_000), 413, "The form has too many fields. Expected at most 7"),
    (f"multipart/form-data; boundary={'b' * 500}", b"", b"x", 400, "The form is malformed"),
]


@pytest.mark.parametrize(("kind", "query", "content", "status", "message"), REFUSED)
def test_what_is_not_a_request_is_refused_with_a_sentence(
    kind: str, query: bytes, content: bytes, status: int, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_request(kind, query, content, "image", 4)
    assert caught.value.status == status
    assert len(str(caught.value)) < 500
