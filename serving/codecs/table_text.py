"""Columns of texts, and the tokenizer that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from records.api import Cell
from records.errors import BundleError
from records.spec import ColumnKind
from serving.codecs.cells import words_of
from serving.codecs.fields import check


@lru_cache(maxsize=8)
def open_tokenizer(tokenizer_json: str, max_tokens: int) -> Any:
    """The `tokenizers.Tokenizer` of this JSON, which cuts off at `max_tokens` and pads nothing.

    Raises:
        BundleError: The JSON describes no tokenizer.
    """
    from tokenizers import Tokenizer  # most tables have no texts, and their server needs none of it

    try:
        tokenizer = Tokenizer.from_str(tokenizer_json)
    except Exception as error:  # the library raises bare exceptions
        raise BundleError(f"codec.json is damaged: its tokenizer cannot be read ({error}).") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


@dataclass(frozen=True, kw_only=True)
class TextColumn:
    """A text as token ids of the text backbone's own tokenizer. A missing text is an empty one."""

    name: str
    max_tokens: int
    vocabulary: int

    kind = ColumnKind.TEXT

    def __post_init__(self) -> None:
        check(type(self.max_tokens) is int and 3 <= self.max_tokens <= 512, self.name, "max_tokens", self.max_tokens)
        check(type(self.vocabulary) is int and self.vocabulary > 0, self.name, "vocabulary", self.vocabulary)

    @property
    def width(self) -> int:
        return self.max_tokens

    @property
    def size(self) -> int:
        return self.vocabulary

    def encode_texts(self, cells: Sequence[Cell], tokenizer: Any, out: np.ndarray) -> None:
        """Writes to `<float32>[count, max_tokens]`; `tokenizer` cuts off at `max_tokens`."""
        texts = [next(iter(words_of(self.name, cell)), "") for cell in cells]
        for row, encoding in enumerate(tokenizer.encode_batch(texts)):
            out[row, : len(encoding.ids)] = encoding.ids

    def describe(self) -> dict[str, Any]:
        """Its `ColumnDescription`."""
        return {"typical": "A few words."}
