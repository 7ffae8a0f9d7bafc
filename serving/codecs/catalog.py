"""The table of codecs: one for each input kind. A codec's module is imported when its kind is asked for, so that a
server of pictures loads no tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from records.errors import BundleError, InputError


class Codec(Protocol):
    """What every codec can do. Made by its module's `fit`, or from what it saved."""

    @property
    def kind(self) -> str: ...

    @property
    def dtype(self) -> str: ...

    @property
    def input_shape(self) -> tuple[int, ...]: ...

    def to_json(self) -> dict[str, Any]: ...

    def encode(self, raw: Any) -> np.ndarray:
        """One raw input as `<dtype>[*input_shape]`, or an `InputError`."""
        ...

    def collate(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Encoded inputs as one batch; padding that all have at their end may be left off."""
        ...

    def describe(self) -> dict[str, Any]:
        """Its part of `records.api.Description`: any of `columns`, `channels`, `horizon` and `limits`."""
        ...


CODECS: dict[str, str] = {
    "image": "serving.codecs.image:ImageCodec",
    "text": "serving.codecs.text:TextCodec",
    "series": "serving.codecs.series:SeriesCodec",
    "table": "serving.codecs.table:TableCodec",
    "forecast": "serving.codecs.forecast:ForecastCodec",
}

TOGETHER: dict[str, str] = {"table": "serving.codecs.table_rows:encode_rows"}
"""Where encoding many inputs together is faster, a function `(codec, raws) -> batch` with the results of `encode`. It
raises an `InputError` when one of them is wrong, without saying which."""


def encode_together(codec: Codec, raws: Sequence[Any]) -> np.ndarray | None:
    """The raw inputs as one batch, or `None` where they are to be encoded one by one."""
    if len(raws) < 2 or codec.kind not in TOGETHER:
        return None
    try:
        encoded: np.ndarray = _find(TOGETHER[codec.kind])(codec, raws)
    except InputError:
        return None
    return encoded


def codec_class(kind: str) -> Any:
    """The class of the codec for `kind`, a key of `CODECS`."""
    return _find(CODECS[kind])


def load_codec(saved: dict[str, Any]) -> Codec:
    """The codec that a `codec.json` describes.

    Raises:
        BundleError: An unknown kind, or fields that are missing or out of range.
    """
    kind = saved.get("kind") if isinstance(saved, dict) else None
    if not isinstance(kind, str) or kind not in CODECS:
        raise BundleError(f"codec.json is of an unknown kind. Expected one of {', '.join(CODECS)}. Received: {kind!r}.")
    return codec_class(kind).from_json(saved)


def _find(place: str) -> Any:
    module, name = place.split(":")
    return getattr(import_module(module), name)
