"""What uvicorn leaves open: how long headers may take and how long they may be, how many connections there are, and
replies that nobody reads.

uvicorn has no hook for that, so its protocol is replaced by a subclass: see `serving.guarding.protecting`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from serving.guarding.security import LINES
from serving.guarding.watch import Watch
from serving.limits import Limits
from serving.messages import error_reply

IDLE, HEADERS, BODY = range(3)
WATCHES: WeakKeyDictionary[ServerState, Watch] = WeakKeyDictionary()
NOT_HTTP = "This is not an HTTP request that can be read. Expected HTTP/1.1, with one length of the body."


class Connection(HttpToolsProtocol):
    """One connection, watched from its first second to its last."""

    limits: ClassVar[Limits] = Limits()
    heard: ClassVar[Callable[[int], None] | None] = None
    """Hears the status of what is refused here: no application sees it."""
    door: ClassVar[Callable[[bytes, bytes, list[tuple[bytes, bytes]]], bytes | None] | None] = None
    """Whether a request, by its method, address and headers, is turned away before anything is made for it: the whole
    reply, or `None`. Under more load than a worker can take, most of its time would go into refusing."""

    under_way: ClassVar[int] = 0
    """Requests on all connections whose headers came and which are not answered."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.ws_protocol_class = None  # nothing here speaks WebSocket
        # ours is `serving.observing.logs`; uvicorn makes the words of its own even where nobody reads them
        self.access_log = False
        self._watch = watch_of(server_state, self.limits)
        self._part = IDLE
        self._header_bytes = 0
        self._chunk_bytes = 0
        self._fault = (400, NOT_HTTP)
        self._begun = 0
        self._nothing: RequestResponseCycle | None = None
        """In the place of a request that was turned away."""

    @property
    def answering(self) -> bool:
        """Whether a request is complete enough to be worked on, and not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def begun(self) -> bool:
        """Whether a request was ever begun, or may be on its way: the connection is new."""
        return self._part != IDLE or self.cycle is None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._watch.admit(self):
            self.refuse(503, "This server has as many connections as it can hold. Try again in some seconds.")

    def connection_lost(self, exc: Exception | None) -> None:
        self._count(-self._begun)  # their replies go nowhere, and nobody hears of it
        self._watch.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._part == HEADERS:
            self._header_bytes += self._chunk_bytes
            if self._header_bytes > self.limits.max_header_bytes:
                self.refuse(431, self._too_long())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._part = HEADERS
        self._header_bytes = 0
        if not self.answering:
            self._watch.wait(self, self.limits.header_seconds)

    def on_headers_complete(self) -> None:
        if self._header_bytes + self._chunk_bytes > self.limits.max_header_bytes:  # the chunk may hold the body too
            length = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if length > self.limits.max_header_bytes:
                self._fault = (431, self._too_long())
                raise ValueError(self._fault)  # stops the parser, which then asks for the reply
        if self._turned_away():
            return
        super().on_headers_complete()
        self._count(1)
        self._part = BODY
        self._watch.forget(self)
        # Who waits for a go-ahead and is refused may send the body or leave it out, so what follows is unclear.
        if self.expect_100_continue or self._watch.draining:
            self.cycle.keep_alive = False

    def _turned_away(self) -> bool:
        door = Connection.door
        ordinary = not (self.answering or self.expect_100_continue or self._watch.draining or self.flow.write_paused)
        if door is None or not ordinary or not self.parser.should_keep_alive() or self.parser.should_upgrade():
            return False
        reply = door(self.parser.get_method(), self.url, self.headers)
        if reply is None:
            return False
        self.transport.write(reply)
        if self._nothing is None:
            self._nothing = _answered(self)
        self.cycle = self._nothing  # what still comes of the body is thrown away
        self._part = BODY
        self.on_response_complete()
        return True

    def on_message_complete(self) -> None:
        self._part = IDLE
        super().on_message_complete()
        if not self.answering:
            self._watch.wait(self, self.limits.header_seconds)

    def _count(self, change: int) -> None:
        self._begun += change
        Connection.under_way += change

    def on_response_complete(self) -> None:
        if self._begun:  # one that was turned away never began
            self._count(-1)
        super().on_response_complete()
        if self.transport.is_closing() or self.answering:
            return
        # A body that nobody wants is thrown away for a while: a client that is sending does not see its reply.
        unwanted = self._part == BODY
        self._watch.wait(self, self.limits.discard_seconds if unwanted else self.limits.header_seconds)

    def send_400_response(self, msg: str) -> None:
        self.refuse(*self._fault)

    def shutdown(self) -> None:
        if self.answering:
            self.cycle.keep_alive = False
        elif self.begun:
            self._watch.wait(self, min(self.limits.header_seconds, self._watch.LAST_SECONDS))
        else:
            self.transport.close()

    def too_late(self) -> None:
        """The time for what was awaited is over."""
        if self._part == HEADERS:
            self.refuse(408, f"The headers did not arrive within {self.limits.header_seconds:g} seconds.")
        else:
            self.transport.close()

    def refuse(self, status: int, sentence: str) -> None:
        """Ends the connection, with a reply where none was begun."""
        self._watch.forget(self)
        begun = self.answering and (self.cycle.response_started or bool(self.pipeline))
        if self.answering:
            self.cycle.disconnected = True  # whoever answers it need not
            self.cycle.message_event.set()
        if not begun and not self.transport.is_closing():
            if Connection.heard is not None:
                Connection.heard(status)
            reply = error_reply(sentence, status)
            headers = b"".join(b"%b: %b\r\n" % header for header in reply.headers if header[0] != b"connection")
            self.transport.write(
                b"%bcontent-type: %b\r\ncontent-length: %d\r\n%b%bconnection: close\r\n\r\n%b"
                % (STATUS_LINE[status], reply.content_type, len(reply.body), headers, LINES, reply.body)
            )
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Not worth a line in the log; the request is answered like any other."""

    def _too_long(self) -> str:
        return f"The headers are too long. Expected at most {self.limits.max_header_bytes} bytes with the address."


def _answered(connection: Connection) -> RequestResponseCycle:
    cycle = RequestResponseCycle(
        scope=connection.scope,
        transport=connection.transport,
        flow=connection.flow,
        logger=connection.logger,
        access_logger=connection.access_logger,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
    )
    cycle.response_started = cycle.response_complete = True
    return cycle


def watch_of(server_state: ServerState, limits: Limits) -> Watch:
    """The one of this server."""
    if server_state not in WATCHES:
        WATCHES[server_state] = Watch(server_state.connections, limits)
    return WATCHES[server_state]
