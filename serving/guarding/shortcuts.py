"""Shorter ways through uvicorn for small requests: a body that is there already, and a reply in one write.

uvicorn checks each header of each reply by two regular expressions and writes twice, and a timer for a body that came
with its headers costs as much again: together a tenth of all that Python does for a small request.
"""

from __future__ import annotations

from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from serving.messages import Receive, Reply, Send

Headers = tuple[tuple[bytes, bytes], ...]


def body_is_there(receive: Receive) -> bool:
    """Whether the next message is the whole body, and nobody has to wait for it."""
    cycle = getattr(receive, "__self__", None)
    return (
        type(cycle) is RequestResponseCycle
        and not cycle.more_body
        and not cycle.disconnected
        and not cycle.waiting_for_100_continue
    )


def nobody_else_asks(receive: Receive) -> bool:
    """Whether this is the only request of the process that has begun and is not answered."""
    connection = getattr(getattr(getattr(receive, "__self__", None), "on_response", None), "__self__", None)
    return getattr(connection, "under_way", 0) == 1


def written_whole(send: Send, reply: Reply, request_id: str, further: Headers) -> bool:
    """Sends a reply, where it is an ordinary one and its connection is uvicorn's and takes it at once.

    Args:
        send: Of the request, which was no HEAD.
        reply: What to send.
        request_id: Plain letters, digits and `._-`.
        further: Headers beside those of the reply; the same few again and again.

    Returns:
        False: nothing was sent, and it must be sent in the usual way.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or reply.status != 200 or reply.headers:
        return False
    if cycle.flow.write_paused or cycle.response_started:
        return False
    if cycle.disconnected:
        return True
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(
        b"%b%b%bx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b"
        % (
            STATUS_LINE[200],
            b"".join([b"%b: %b\r\n" % header for header in cycle.default_headers]),
            _lines(reply.content_type, further),
            request_id.encode(),
            len(reply.body),
            b"" if cycle.keep_alive else b"connection: close\r\n",
            reply.body,
        )
    )
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


@lru_cache(maxsize=64)
def _lines(content_type: bytes, headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in ((b"content-type", content_type), *headers)])
