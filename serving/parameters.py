"""What a request says beside its inputs: `top_k`, and how many inputs it has."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from records.errors import InputError


def query_top_k(query: bytes, known: bool = True) -> int | None:
    """`top_k` in the address.

    Args:
        query: Of the address.
        known: False where no parameter means anything.

    Raises:
        InputError: Another parameter (422), several, or far too many (400).
    """
    if not query:
        return None
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=16, errors="replace")
    except ValueError:
        raise InputError("The address has too many parameters. Expected at most `top_k`.", 400) from None
    if unknown := sorted({name for name, _ in pairs if name != "top_k" or not known}):
        raise InputError(
            f"The address has unknown parameters. Expected {'`top_k`' if known else 'none'}. "
            f"Received: {short(', '.join(unknown))}."
        )
    if len(pairs) > 1:
        raise InputError("`top_k` was given twice. Expected one value.")
    return top_k(pairs[0][1]) if pairs else None


def top_k(text: str) -> int:
    """The number of classes to list, as it stands in a form or an address."""
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text, re.ASCII):
        raise InputError(f"`top_k` is not a number of classes. Expected an integer from 1. Received: {short(text)!r}.")
    return int(text)


def check_count(count: int, most: int) -> None:
    """At most `most` inputs in one request, or 413."""
    if count > most:
        raise InputError(f"Too many inputs in one request. Expected at most {most}. Send several requests.", 413)


def short(text: str, most: int = 60) -> str:
    """What was received, for the end of a sentence."""
    return text if len(text) <= most else text[:most] + "…"
