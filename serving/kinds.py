"""How each kind of input is sent, and how much of it at once. One record for each kind."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import orjson

from records.spec import InputKind

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif")
LONGEST_LINE = 1500
"""Characters of an example that is still shown as it is; a longer one is fetched from the server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How inputs of one kind come."""

    one: str
    several: str
    shape: str
    """Of the JSON body."""
    others: str = ""
    """A sentence's part: what else is taken as a body."""
    body_types: tuple[str, ...] = ()
    """Media types of a body that is one input."""
    max_inputs: int
    """In one request."""
    max_body_bytes: int
    """JSON can take a hundred times its size in memory, pictures as base64 cannot."""
    batch_size: int = 32
    """Inputs that go through the network together; bounds the memory of long lists."""

    @property
    def expected(self) -> str:
        """What a request may be, for the end of a sentence."""
        return f"{self.others}, or application/json {self.shape}" if self.others else f"application/json {self.shape}"


WAYS: dict[str, Way] = {
    InputKind.IMAGE: Way(
        one="image",
        several="images",
        shape='{"inputs": [{"image": "<base64>"}]}',
        others="an image as the body (Content-Type: image/png), files as multipart/form-data (field `image`)",
        body_types=IMAGE_TYPES,
        max_inputs=32,
        max_body_bytes=32_000_000,
    ),
    InputKind.TEXT: Way(
        one="text",
        several="texts",
        shape='{"inputs": [{"text": "…"}]}',
        others="a text as the body (Content-Type: text/plain)",
        body_types=("text/plain",),
        max_inputs=128,
        max_body_bytes=16_000_000,
    ),
    InputKind.SERIES: Way(
        one="series",
        several="series",
        shape='{"inputs": [{"series": [1.5, 2, null]}]}',
        max_inputs=128,
        max_body_bytes=16_000_000,
    ),
    InputKind.TABLE: Way(
        one="row",
        several="rows",
        shape='{"inputs": [{"row": {"column": 1.5}}]}',
        max_inputs=1000,
        max_body_bytes=8_000_000,
        batch_size=256,
    ),
    InputKind.FORECAST: Way(
        one="series",
        several="series",
        shape='{"inputs": [{"history": [{"column": 1.5}]}]}',
        max_inputs=32,
        max_body_bytes=16_000_000,
    ),
}


def curl_line(kind: str, sample: dict[str, Any], url: str) -> str:
    """A command for a shell that asks the server at `url`, and works as printed; a picture is the asker's own.

    Args:
        kind: What the model takes, a key of `WAYS`.
        sample: A body for `/predict`.
        url: Of the server, without a `/` at its end.
    """
    if kind == InputKind.IMAGE:
        return f"curl -F image=@picture.jpg {url}/predict"
    if kind == InputKind.TEXT:
        text = str(sample["inputs"][0]["text"]).replace("\0", " ")
        # --data-raw, because -d takes what begins with @ for the name of a file
        return f"curl -H 'Content-Type: text/plain' --data-raw {shlex.quote(text[:LONGEST_LINE] or ' ')} {url}/predict"
    body = orjson.dumps(sample).decode()
    if len(body) > LONGEST_LINE:
        return f"curl -s {url}/sample.json | curl -H 'Content-Type: application/json' --data-binary @- {url}/predict"
    return f"curl -H 'Content-Type: application/json' --data-raw {shlex.quote(body)} {url}/predict"
