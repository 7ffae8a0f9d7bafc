"""What a stranger's bundle may not ask for, though its own model would: limits of requests that are not ours, and
patterns that a text can keep busy for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from records.bundle import CODEC
from records.errors import BundleError
from serving.bundle_files import read_json, read_manifest
from serving.codecs.catalog import Codec, load_codec

LIMITS = ("max_bytes", "max_pixels", "max_steps_read", "max_rows")
"""Fields of codecs that say how large an input may be, with a default of ours."""
PATTERNS = frozenset({r"\s+", " {2,}"})
"""Regular expressions of the tokenizers that come with us. Others may take exponential time on a text of a few dozen
letters, and whether one does cannot be told from it."""
MAX_CHARS = 16_384
"""Of a text: what `serving.codecs.text` reads for its most tokens, without importing tokenizers for it."""
MAX_ELEMENTS = 50_000_000
"""Of one encoded input."""


def check_foreign(folder: Path) -> None:
    """Refuses a bundle that would make a server of it easy to break.

    Raises:
        BundleError: The codec's limits are larger than ours, its arrays huge, its tokenizer has patterns that are not
            known, or codec and manifest speak of different data.
    """
    saved, manifest = read_json(folder, CODEC), read_manifest(folder)
    for pattern in _patterns(saved):
        if pattern not in PATTERNS:
            raise BundleError(
                f"The bundle {folder} is not served: its tokenizer has a regular expression that is not known to be "
                f"quick: {str(pattern)[:80]!r}."
            )
    codec = load_codec(saved)
    if (codec.kind, codec.dtype) != (manifest.input_kind, manifest.input_dtype):
        raise BundleError(
            f"The bundle {folder} contradicts itself: its codec is of {codec.kind} data in {codec.dtype}, its network "
            f"of {manifest.input_kind} data in {manifest.input_dtype}."
        )
    for name, value, most in _sizes(codec):
        if value > most:
            raise BundleError(
                f"The bundle {folder} is not served: its codec's {name} is {value}. Expected at most {most}."
            )


def _sizes(codec: Codec) -> Iterator[tuple[str, int, int]]:
    """Name, value and the most that is allowed."""
    for field in fields(codec):  # type: ignore[arg-type]
        if field.name in LIMITS:
            yield field.name, getattr(codec, field.name), int(field.default)  # type: ignore[arg-type]
        if field.name == "max_chars":
            yield field.name, getattr(codec, field.name), MAX_CHARS
    elements = 1
    for side in codec.input_shape:
        elements *= side
    yield "input", elements, MAX_ELEMENTS


def _patterns(saved: Any) -> Iterator[Any]:
    """Every regular expression of the tokenizer in a codec, as the package `tokenizers` writes them."""
    text = saved.get("tokenizer_json") if isinstance(saved, dict) else None
    if not isinstance(text, str) or not text:
        return
    left = [_parsed(text)]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if "Regex" in one and not isinstance(one["Regex"], int):  # a number: the word is in a vocabulary
                yield one["Regex"]
            left += one.values()
        elif isinstance(one, list):
            left += one


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"codec.json is damaged: its tokenizer cannot be read: {error}.") from error
