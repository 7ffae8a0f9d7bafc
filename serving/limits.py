"""How much one request, and all of them together, may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Of the prediction endpoint. The codec has its own, for a single input."""

    max_body_bytes: int = 32_000_000
    """One image of the codec's 20 MB fits, also as base64. JSON of other kinds has a lower limit, see
    `serving.kinds`."""
    max_inputs: int | None = None
    """Per request; `None`: as many as suit the kind, see `serving.kinds`."""
    max_held_bytes: int = 256_000_000
    """Bodies of all requests that are being read or answered by one worker."""
    body_seconds: float = 60.0
    """From a request's headers to the end of its body."""
    decode_seconds: float = 10.0
    """For all inputs of a request; small files can be very large pictures."""
    discard_seconds: float = 2.0
    """A body that is too large is still read for so long: a client that is sending does not see an answer."""
