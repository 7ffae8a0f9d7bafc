"""Whether and when a client sends a request again."""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass

import httpx

BUSY = frozenset({429, 503})
"""The server did not begin: it says when to come again."""
BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)
"""No reply came, and perhaps none was made. A server that is only slow is not asked twice."""
FIRST_SECONDS = 0.1
"""Where nothing says how long to wait; doubled each time."""
JITTER = 0.25
"""So much later at most, so that those who were refused together do not come again together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """How often and how long a client tries. `Retry(attempts=1)` tries once."""

    attempts: int = 4
    seconds: float = 30.0
    """From the first attempt to the beginning of the last."""


def pause(told: httpx.Response | httpx.HTTPError | None, attempt: int, retry: Retry, chance: float) -> float | None:
    """Seconds until the next attempt; `None`: this was the last.

    Args:
        told: The response, or why there is none.
        attempt: The number of the one that ended, from 1.
        retry: How often at most.
        chance: From 0 to 1; more waits longer.
    """
    if attempt >= retry.attempts:
        return None
    asked = None
    if isinstance(told, httpx.Response):
        if told.status_code not in BUSY:
            return None
        asked = retry_after(told.headers.get("retry-after", ""))
    elif not isinstance(told, BROKEN):
        return None
    if asked is None:  # a random share of it: nobody is counting on this client's return
        return FIRST_SECONDS * 2 ** (attempt - 1) * (0.5 + chance / 2)
    return asked * (1 + JITTER * chance) + FIRST_SECONDS * chance


def retry_after(text: str) -> float | None:
    """Seconds that a `Retry-After` header asks for: a number, or a date (RFC 9110, 10.2.3); `None`: neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None
