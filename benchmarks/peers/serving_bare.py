"""The least that answers: uvicorn, orjson and ONNX Runtime, without a check of anything.

`inline` runs the network on the event loop, `threads` in a pool with one thread for each core.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import uvicorn

from benchmarks.peers.serving_model import PORT, VARIANT, ServedModel

model = ServedModel()
pool = ThreadPoolExecutor(os.cpu_count() or 1) if os.environ.get(VARIANT) == "threads" else None


def answer(is_json: bool, body: bytes) -> bytes:
    """A whole request's reply."""
    inputs = orjson.loads(body)["inputs"] if is_json else ()
    arrays = [model.decode_json(one) for one in inputs] if is_json else [model.decode_image(body)]
    return orjson.dumps({"predictions": model.answers(arrays)})


async def app(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """POST anywhere is a prediction, GET says that it is there."""
    if scope["type"] != "http":
        return
    parts, more = [], scope["method"] == "POST"
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    reply = b"{}"
    if scope["method"] == "POST":
        is_json = (b"content-type", b"application/json") in scope["headers"]
        if pool is None:
            reply = answer(is_json, b"".join(parts))
        else:
            reply = await asyncio.get_running_loop().run_in_executor(pool, answer, is_json, b"".join(parts))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(reply)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": reply})


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(os.environ[PORT]), access_log=False, log_level="warning", lifespan="off",
        loop="uvloop", http="httptools",
    )  # fmt: skip
