"""The table of codecs: one for each input kind."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from records.errors import BundleError
from serving.codecs.image import ImageCodec


class Codec(Protocol):
    """What every codec can do. Made by its module's `fit`, or from what it saved."""

    @property
    def kind(self) -> str: ...

    @property
    def dtype(self) -> str: ...

    @property
    def input_shape(self) -> tuple[int, ...]: ...

    def to_json(self) -> dict[str, Any]: ...

    def encode(self, raw: Any) -> np.ndarray: ...


CODECS: dict[str, Any] = {ImageCodec.kind: ImageCodec}


def load_codec(saved: dict[str, Any]) -> Codec:
    """The codec that a `codec.json` describes.

    Raises:
        BundleError: An unknown kind, or fields that are missing or out of range.
    """
    kind = saved.get("kind") if isinstance(saved, dict) else None
    if kind not in CODECS:
        raise BundleError(f"codec.json is of an unknown kind. Expected one of {', '.join(CODECS)}. Received: {kind!r}.")
    return CODECS[kind].from_json(saved)
