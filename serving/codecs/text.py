"""Texts: from a string to the ids of its tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Encoding, Tokenizer

from records.errors import BundleError, InputError
from serving.codecs.fields import values_of
from serving.codecs.stack import stack

MIN_TOKENS, MAX_TOKENS = 4, 512
CHARS_PER_TOKEN = 32
"""What is read of a text, in characters for each token that is used: far more than any language needs, and a text of a
megabyte takes milliseconds."""
CHUNK = 2000
"""Texts that are tokenised at once: few enough for their tokens to take megabytes only."""


class Tokens(NamedTuple):
    """The tokens of several texts, one text after the other."""

    ids: np.ndarray
    """`<int32>[tokens]`."""
    lengths: np.ndarray
    """`<int64>[texts]`: at most one more than the codec's `max_tokens`, which says that the text is cut."""


@dataclass(frozen=True, kw_only=True)
class TextCodec:
    """Turns one text into `<int32>[max_tokens]`: the same when training and when serving.

    The tokenizer puts at least one token of its own into every text, so that an empty one is no empty input.
    """

    max_tokens: int
    """What is beyond is cut."""
    max_chars: int
    """Characters, counted from the first that is no blank. What is beyond is not looked at."""
    tokenizer: str
    """"learnt", or the name of the text backbone whose tokenizer it is."""
    tokenizer_json: str = field(repr=False)
    """As the package `tokenizers` writes it."""

    kind = "text"
    dtype = "int32"

    def __post_init__(self) -> None:
        for name, low, high in (("max_tokens", MIN_TOKENS, MAX_TOKENS), ("max_chars", 1, 2**31)):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise BundleError(
                    f"The text codec's {name} is wrong. Expected an integer from {low} to {high}. Received: {value!r}."
                )
        if not isinstance(self.tokenizer, str) or not self.tokenizer:
            raise BundleError(f"The text codec's tokenizer is wrong. Expected a name. Received: {self.tokenizer!r}.")
        self._opened  # noqa: B018  it is read now, so that a broken one is no surprise later

    @cached_property
    def _opened(self) -> tuple[Tokenizer, int | None]:
        """The tokenizer, and the token that it ends every text with."""
        return _open(self.tokenizer_json, self.max_tokens)

    @property
    def input_shape(self) -> tuple[int]:
        """(max_tokens,)."""
        return (self.max_tokens,)

    @property
    def vocabulary(self) -> int:
        """Number of ids, the 0 of padding included."""
        return int(self._opened[0].get_vocab_size())

    def to_json(self) -> dict[str, Any]:
        """What `codec.json` holds."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> TextCodec:
        """The codec that `to_json` described.

        Raises:
            BundleError: A field is missing, unknown or out of range.
        """
        return cls(**values_of(cls, saved))

    def encode(self, raw: str | bytes) -> np.ndarray:
        """The ids of a text's tokens, then zeros.

        Args:
            raw: Any text; bytes are read as UTF-8. Half characters (lone surrogates) become replacement characters.

        Returns:
            `<int32>[max_tokens]`.

        Raises:
            InputError: Not a text.
        """
        tokenizer, last = self._opened
        ids = tokenizer.encode(self.visible(raw)).ids
        padded = np.zeros(self.max_tokens, np.int32)
        padded[: len(ids)] = ids[: self.max_tokens]
        if last is not None and len(ids) > self.max_tokens:
            padded[-1] = last
        return padded

    def encode_batch(self, raws: Sequence[str | bytes]) -> np.ndarray:
        """What `encode` gives for each, as `<int32>[texts, max_tokens]`; on all cores.

        Raises:
            InputError: One of them is not a text.
        """
        encoded = np.empty((len(raws), self.max_tokens), np.int32)
        start = 0
        for part in self.tokenise(raws):
            encoded[start : start + len(part.lengths)] = self.pad(part)
            start += len(part.lengths)
        return encoded

    def tokenise(self, raws: Sequence[str | bytes]) -> Iterator[Tokens]:
        """The texts' tokens without padding, for whoever does not know yet how many are to be used.

        Yields:
            A part of the texts after the other; while one is gathered, the next is already cut into tokens.

        Raises:
            InputError: One of them is not a text.
        """
        if len(raws) <= CHUNK:  # a request is not worth a thread
            yield _tokens(self._encodings(raws))
            return
        with ThreadPoolExecutor(1) as pool:
            coming: deque[Future[list[Encoding]]] = deque()
            for start in range(0, len(raws), CHUNK):
                coming.append(pool.submit(self._encodings, raws[start : start + CHUNK]))
                if len(coming) > 1:
                    yield _tokens(coming.popleft().result())
            yield _tokens(coming.popleft().result())

    def _encodings(self, raws: Sequence[str | bytes]) -> list[Encoding]:
        encodings: list[Encoding] = self._opened[0].encode_batch_fast([self.visible(raw) for raw in raws])
        return encodings

    def pad(self, tokens: Tokens) -> np.ndarray:
        """Tokens as `<int32>[texts, max_tokens]`: cut, or filled up with zeros.

        Args:
            tokens: From `tokenise` of this codec, or of one that differs in a larger `max_tokens` alone.
        """
        padded = np.zeros((len(tokens.lengths), self.max_tokens), np.int32)
        places = np.arange(len(tokens.ids)) - np.repeat(np.cumsum(tokens.lengths) - tokens.lengths, tokens.lengths)
        used = places < self.max_tokens
        rows = np.repeat(np.arange(len(tokens.lengths)), tokens.lengths)
        padded[rows[used], places[used]] = tokens.ids[used]
        if (last := self._opened[1]) is not None:
            padded[tokens.lengths > self.max_tokens, -1] = last
        return padded

    def shortened(self, max_tokens: int) -> TextCodec:
        """The same codec with fewer tokens."""
        return replace(self, max_tokens=max_tokens)

    def collate(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Encoded texts as one batch, as long as its longest text: `<int32>[texts, tokens]`."""
        batch = stack(arrays)
        used = np.flatnonzero(arrays[0] if len(arrays) == 1 else batch.any(axis=0))
        return batch[:, : used[-1] + 1 if len(used) else 1]

    def describe(self) -> dict[str, Any]:
        """Limits, for `GET /describe`."""
        return {"limits": {"max_tokens": self.max_tokens, "max_chars": self.max_chars}}

    def visible(self, raw: str | bytes) -> str:
        """What is looked at of a text.

        Raises:
            InputError: Not a text.
        """
        text = decode(raw).lstrip()[: self.max_chars]
        return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def decode(raw: str | bytes) -> str:
    """A text as it came, or out of UTF-8.

    Raises:
        InputError: Not a text.
    """
    if isinstance(raw, str):
        return raw
    if not isinstance(raw, bytes | bytearray | memoryview):
        raise InputError(f"Not a text. Expected a string. Received: {type(raw).__name__}.")
    try:
        return bytes(raw).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"Not a text. Expected UTF-8. Received: other bytes, from position {error.start} on."
        ) from None


def max_chars_for(max_tokens: int) -> int:
    """Characters to read of a text of so many tokens."""
    return CHARS_PER_TOKEN * max_tokens


def _open(tokenizer_json: str, max_tokens: int) -> tuple[Tokenizer, int | None]:
    """The tokenizer, and the token that it ends every text with."""
    try:
        tokenizer = Tokenizer.from_str(tokenizer_json)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens + 1)  # one more tells that a text is cut
        # what a text says in the words of the tokenizer's own signs is said by the text: "[PAD]" is no padding
        tokenizer.encode_special_tokens = True
        empty, one = tokenizer.encode("").ids, tokenizer.encode("a").ids
    except Exception as error:  # the package raises bare exceptions
        raise BundleError(f"The text codec's tokenizer cannot be read: {error}. Expected a tokenizer.json.") from error
    if not empty or 0 in (*empty, *one):
        raise BundleError(
            "The text codec's tokenizer cannot be used. Expected at least one token in every text, and 0 for padding "
            f"alone. Received: {empty} for an empty text and {one} for 'a'."
        )
    return tokenizer, empty[-1] if empty[-1] == one[-1] else None


def _tokens(encodings: list[Encoding]) -> Tokens:
    ids = [one.ids for one in encodings]
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    return Tokens(np.fromiter(chain.from_iterable(ids), np.int32, int(lengths.sum())), lengths)
