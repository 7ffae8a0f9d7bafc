"""The headers that tell browsers what they may do with a reply: nearly nothing."""

from __future__ import annotations

import base64
import hashlib

from serving.describing.page import SCRIPT, STYLE
from serving.messages import HTML, Message, Reply, Send

Headers = tuple[tuple[bytes, bytes], ...]

NO_POLICY = b"default-src 'none'; frame-ancestors 'none'"
COMMON: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


def _hash(inline: str) -> bytes:
    return b"'sha256-" + base64.b64encode(hashlib.sha256(inline.encode()).digest()) + b"'"


SECURITY: Headers = (*COMMON, (b"content-security-policy", NO_POLICY))
"""Of every reply but the page's."""
PAGE_SECURITY: Headers = (
    *COMMON,
    (
        b"content-security-policy",
        b"default-src 'none'; style-src %b; script-src %b; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        % (_hash(STYLE), _hash(SCRIPT)),
    ),
)
"""Of the page for people, whose style and script stand in it: exactly these two, and nothing else."""
LINES = b"".join(b"%b: %b\r\n" % header for header in SECURITY)
"""`SECURITY`, for a reply that is written before there is a request."""


def security(reply: Reply) -> Headers:
    """The headers that this reply gets."""
    return PAGE_SECURITY if reply.content_type == HTML else SECURITY


def secured(send: Send) -> Send:
    """Sends what another application replies, with `SECURITY` beside its own headers."""

    async def send_secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *SECURITY]}
        await send(message)

    return send_secured
