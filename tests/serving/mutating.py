"""Bodies that are nearly right, and bodies that are not: made from right ones, the same ones every time."""

from __future__ import annotations

import copy
import io
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from PIL import Image

JSON = "application/json"
ENCODED = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "PPM")
MODES = ("RGB", "L", "RGBA", "1", "P", "CMYK", "LA", "I;16")
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, 1e308, -1e308, 1e-320, "", "x" * 5000,
    "nan", "Infinity", "1e999", "\0", "\ud800", "../../etc/passwd", "é" * 50, [], [[]], {}, {"": None}, [None] * 50,
    [0] * 3000, "2024-13-45", "9999-12-31T23:59:59+14:00",
)  # fmt: skip
NUMBERS = (
    "1e999",
    "-1e400",
    "9" * 400,
    "0." + "0" * 400 + "1",
    "-0",
    "1E+2",
    "01",
    "+1",
    ".5",
    "0x10",
    "NaN",
    "Infinity",
)
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "cp037")
DEPTH = 100_000


@dataclass(frozen=True)
class Sent:
    """One request's body."""

    path: str
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def mutations(seeds: list[Sent], number: int, seed: int = 0) -> Iterator[Sent]:
    """So many, of each seed and each way in turn."""
    random = Random(seed)
    for index in range(number):
        one = seeds[index % len(seeds)]
        ways: tuple[Callable[[Sent, Random], Sent], ...] = WAYS
        if one.content_type == JSON:
            ways = (*JSON_WAYS, *WAYS)
        yield ways[(index // len(seeds)) % len(ways)](one, random)


def _with(one: Sent, body: bytes) -> Sent:
    return Sent(one.path, one.content_type, body, one.headers)


def cut(one: Sent, random: Random) -> Sent:
    return _with(one, one.body[: random.randrange(len(one.body))])


def flip_bits(one: Sent, random: Random) -> Sent:
    body = bytearray(one.body)
    for _ in range(random.choice((1, 3, 20))):
        body[random.randrange(len(body))] ^= 1 << random.randrange(8)
    return _with(one, bytes(body))


def flip_the_head(one: Sent, random: Random) -> Sent:
    """Where formats keep their sizes."""
    body = bytearray(one.body)
    start = random.randrange(min(len(body), 60))
    body[start : start + 4] = random.choice(
        (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", random.randbytes(4))
    )
    return _with(one, bytes(body))


def repeat_or_drop(one: Sent, random: Random) -> Sent:
    start = random.randrange(len(one.body))
    piece = one.body[start : start + random.randrange(1, 200)]
    rest = one.body[start + len(piece) :]
    return _with(one, one.body[:start] + random.choice((b"", piece * 3, random.randbytes(40))) + rest)


def other_type(one: Sent, random: Random) -> Sent:
    types = (
        JSON, "text/plain", "image/png", "application/octet-stream", "multipart/form-data", "", "text/plain; charset=x",
        "multipart/form-data; boundary=" + "b" * 80, "application/json; charset=utf-16", "\xff/\xff", ";;;",
    )  # fmt: skip
    return Sent(one.path, random.choice(types), one.body, one.headers)


def other_path(one: Sent, random: Random) -> Sent:
    query = random.choice(
        ("top_k=0", "top_k=" + "9" * 300, "coverage=nan", "coverage=1e-1", "abstain_below=%00", "&" * 99)
    )
    return Sent(f"{one.path}?{query}", one.content_type, one.body, one.headers)


def random_bytes(one: Sent, random: Random) -> Sent:
    return _with(one, random.randbytes(random.choice((1, 100, 5000))))


def wrong_headers(one: Sent, random: Random) -> Sent:
    length = random.choice(("-1", "0", "9" * 40, str(len(one.body) + 1), str(len(one.body) // 2), "1e3", "é"))
    names = random.choice((("inference-header-content-length", length), ("x-request-id", length * 3)))
    return Sent(one.path, one.content_type, one.body, (*one.headers, names))


WAYS = (cut, flip_bits, flip_the_head, repeat_or_drop, other_type, other_path, random_bytes, wrong_headers)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from _places(inner, (*path, name))


def _changed(one: Sent, random: Random, change: Callable[[Any, Any], None]) -> Any:
    request = copy.deepcopy(json.loads(one.body))
    *path, last = random.choice(list(_places(request)))
    inner = request
    for name in path:
        inner = inner[name]
    change(inner, last)
    return request


def swap_type(one: Sent, random: Random) -> Sent:
    strange = random.choice(STRANGE)
    return _with(one, json.dumps(_changed(one, random, lambda inner, name: inner.__setitem__(name, strange))).encode())


def add_or_remove(one: Sent, random: Random) -> Sent:
    def change(inner: Any, name: Any) -> None:
        if random.random() < 0.5:
            del inner[name]
        elif isinstance(inner, dict):
            inner[random.choice(("__proto__", "parameters", "x" * 300, "", "top_k", "coverage", "\n"))] = inner[name]
        else:
            inner += [inner[name]] * random.choice((1, 40, 1500))

    return _with(one, json.dumps(_changed(one, random, change)).encode())


def strange_number(one: Sent, random: Random) -> Sent:
    request = _changed(one, random, lambda inner, name: inner.__setitem__(name, "@@"))
    return _with(one, json.dumps(request).replace('"@@"', random.choice(NUMBERS)).encode())


def nest_deeply(one: Sent, random: Random) -> Sent:
    begin, end = random.choice((("[", "]"), ('{"a":', "}")))
    deep = random.choice((begin * DEPTH, begin * DEPTH + "1" + end * DEPTH, begin * 900 + "1" + end * 900))
    if random.random() < 0.3:
        return _with(one, deep.encode())
    request = _changed(one, random, lambda inner, name: inner.__setitem__(name, "@@"))
    return _with(one, json.dumps(request).replace('"@@"', deep).encode())


def name_twice(one: Sent, random: Random) -> Sent:
    text = one.body.decode()
    opens = [index for index, letter in enumerate(text) if letter == "{"]
    if not opens:
        return cut(one, random)
    start = random.choice(opens) + 1
    first = text[start:].partition(":")[0]
    return _with(one, f"{text[:start]}{first}:{json.dumps(random.choice(STRANGE))},{text[start:]}".encode())


def other_encoding(one: Sent, random: Random) -> Sent:
    text = one.body.decode()
    if random.random() < 0.3:
        return _with(one, text.replace("e", "\xe9").encode("latin-1", "replace"))
    return _with(one, text.encode(random.choice(ENCODINGS)))


def surrogate(one: Sent, random: Random) -> Sent:
    request = _changed(one, random, lambda inner, name: inner.__setitem__(name, "@@"))
    wrong = random.choice(
        (b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xff"', b'"\\u0000"')
    )
    return _with(one, json.dumps(request).encode().replace(b'"@@"', wrong))


JSON_WAYS = (swap_type, add_or_remove, strange_number, nest_deeply, name_twice, other_encoding, surrogate)


def pictures() -> list[bytes]:
    """Small ones of every format and mode that can be written."""
    made = []
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    for mode in MODES:
        for encoding in ENCODED:
            buffer = io.BytesIO()
            try:
                picture = Image.fromarray(pixels)
                picture = picture.convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)
                picture.save(buffer, encoding)
            except (OSError, ValueError, KeyError):
                continue
            made.append(buffer.getvalue())
    return made


def form(picture: bytes) -> bytes:
    """A form with one file."""
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\nContent-Type: image/png\r\n\r\n'
    return head + picture + b"\r\n--b--\r\n"


def binary(values: bytes, datatype: str, shape: list[int], name: str) -> tuple[bytes, str]:
    """An inference request with its values behind the JSON, and the length of the JSON."""
    data = struct.pack("<I", len(values)) + values if datatype == "BYTES" else values
    tensor = {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + data, str(len(head))
