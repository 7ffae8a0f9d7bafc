"""Answers whatever arrives with the same few bytes: what a load generator can do at most is measured against it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop

REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Trivial(asyncio.Protocol):
    """One connection; a small request arrives in one piece."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(REPLY)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Trivial, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
