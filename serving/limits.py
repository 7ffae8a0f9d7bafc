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
    patient_seconds: float = 10.0
    """So long a body may take however small it is; from then on it must have kept to `slowest_bytes_per_second`."""
    slowest_bytes_per_second: int = 2000
    decode_seconds: float = 10.0
    """For all inputs of a request; small files can be very large pictures."""
    discard_seconds: float = 2.0
    """A body that is too large is still read for so long: a client that is sending does not see an answer."""
    max_concurrent: int = 64
    """Requests that one worker answers or keeps waiting for the model; the next one gets 429."""
    max_wait_seconds: float | None = None
    """A request that would wait longer for the model, as far as one can tell, gets 429. `None`: only `max_concurrent`
    counts. See docs/decisions/0022."""
    max_connections: int = 1000
    """Open at once to one worker, busy or idle."""
    header_seconds: float = 10.0
    """For the headers of a request, from its first byte; also for a new connection to send that byte."""
    max_header_bytes: int = 32_768
    """All headers of a request and its address."""
    write_seconds: float = 20.0
    """A reply of which the client took nothing for so long is given up."""
    announce_seconds: float = 0.3
    """A worker that is told to stop says so at `/readyz` for so long before it takes no new connections."""
