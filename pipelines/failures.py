"""Which errors of a trial are its own, and which are mistakes in the code."""

from __future__ import annotations

from pipelines.features import TooSlow
from pipelines.train import NotFinite


def why_it_failed(error: BaseException) -> str | None:
    """A sentence when these values do not work but others may; `None` for a mistake in the code."""
    if isinstance(error, (NotFinite, TooSlow)):
        return str(error)
    if is_out_of_memory(error):
        return f"Out of memory, also with half the batch. {first_line(error)}".strip()
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may help."""
    told = "ResourceExhausted" in type(error).__name__ or "RESOURCE_EXHAUSTED" in str(error)
    return isinstance(error, MemoryError) or told


def first_line(error: BaseException) -> str:
    """The line that says most of what went wrong, at most 300 characters: the first one, but for errors of a graph,
    which begin with where in the graph they arose."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = (line for line in lines if "OOM" in line or line.startswith("MemoryError"))
    return next(telling, lines[0] if lines else "")[:300]
