"""Reading a request's body: within its limits, while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from records.errors import InputError
from serving.guarding.shortcuts import body_is_there
from serving.limits import Limits
from serving.messages import Receive


class Disconnected(Exception):
    """The client went away before its request was complete. Nobody waits for an answer."""


class BodyReader:
    """Reads bodies for one worker, and counts what they hold together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """The whole body. `release` its length when it is not needed any more.

        Raises:
            InputError: Too large (413), too slow (408), encoded (415), or too many others are being answered (429).
            Disconnected: The client went away.
        """
        encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")[:40]
        if encoding.lower() != "identity":
            raise InputError(
                f"Encoded bodies are not taken. Expected no Content-Encoding. Received: {encoding!r}.", 415
            )
        await self._check_declared(headers, receive)
        if body_is_there(receive):
            return await self._take(receive)
        chunks: list[bytes] = []
        length = 0
        limits = self._limits
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(limits.patient_seconds, limits.body_seconds)) as deadline:
                async for chunk in _chunks(receive):
                    length += len(chunk)
                    self._held += len(chunk)
                    self._check(length)
                    chunks.append(chunk)
                    earned = limits.patient_seconds + length / limits.slowest_bytes_per_second
                    until = began + min(earned, limits.body_seconds)
                    if until > (deadline.when() or until) + 0.5:  # a small body in one piece sets no second timer
                        deadline.reschedule(until)
        except BaseException as error:
            self.release(length)
            chunks.clear()
            if isinstance(error, TimeoutError):
                raise self._too_slow(length) from None
            if isinstance(error, InputError):
                await self._discard(receive)
            raise
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _take(self, receive: Receive) -> bytes:
        """A body that came with its headers."""
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body: bytes = message.get("body", b"")
        self._held += len(body)
        try:
            self._check(len(body))
        except InputError:
            self.release(len(body))
            raise
        return body

    def release(self, num_bytes: int) -> None:
        """A body of so many bytes was answered."""
        self._held -= num_bytes

    async def _check_declared(self, headers: Mapping[bytes, bytes], receive: Receive) -> None:
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > self._limits.max_body_bytes):
            if headers.get(b"expect", b"").lower() != b"100-continue":  # who waits for a go-ahead sends nothing yet
                await self._discard(receive)
            raise self._too_large()

    def _check(self, length: int) -> None:
        if length > self._limits.max_body_bytes:
            raise self._too_large()
        if self._held > self._limits.max_held_bytes:
            raise InputError("Too many large requests are being answered. Send this one again in a second.", 429)

    def _too_large(self) -> InputError:
        return InputError(
            f"The body is too large. Expected at most {self._limits.max_body_bytes} bytes. "
            "Send fewer or smaller inputs in one request.",
            413,
        )

    def _too_slow(self, length: int) -> InputError:
        limits = self._limits
        return InputError(
            f"The body did not arrive in time. Expected {limits.slowest_bytes_per_second} bytes a second after the "
            f"first {limits.patient_seconds:g} seconds, and all of it within {limits.body_seconds:g} seconds. "
            f"Received: {length} bytes.",
            408,
        )

    async def _discard(self, receive: Receive) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.discard_seconds):
                async for _ in _chunks(receive):
                    pass


async def _chunks(receive: Receive) -> Any:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body", False):
            return
