"""The model of this process, and the replies that never change while it is served."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import orjson

from serving.bundle import ModelBundle
from serving.describing.openapi import describe, openapi
from serving.describing.page import page
from serving.feedback_files import FeedbackFolder
from serving.limits import Limits
from serving.messages import HTML, Reply
from serving.parsing.parameters import PLAIN, Options
from serving.working import Outputs

if TYPE_CHECKING:
    from serving.observing.metrics import Metrics


@dataclass
class Served:
    """What the handlers answer with. The routes exist before the model is loaded; `load` fills them."""

    limits: Limits = field(default_factory=Limits)
    bundle: ModelBundle | None = None
    ref: str = ""
    """`name:version`."""
    pages: dict[str, Reply] = field(default_factory=dict)
    """By path."""
    feedback: FeedbackFolder | None = None
    """`None`: it is not kept here."""
    tokens: bool = False
    """Whether the server asks for one. Set it before `load`, which describes the server."""
    horizon: int | None = None
    """Steps of a forecast."""
    defaults: Options = PLAIN
    """How answers look where a request does not say it."""
    metrics: Metrics | None = None
    """What this worker counts; `None`: nothing is counted."""
    headers: tuple[tuple[bytes, bytes], ...] = ((b"x-model", b""), (b"x-model-version", b""))
    """Of every reply: which model answered."""
    on_batch: Callable[[int, float], None] | None = None
    """Hears of each batch that goes through the network, see `serving.batching.Batching.listener`."""

    def load(self, bundle: ModelBundle, ref: str) -> None:
        """From now on `bundle` answers, under the name `ref`."""
        description = describe(bundle, ref, self.limits)
        document = Reply(200, orjson.dumps(openapi(description, self.tokens)))
        self.pages = {
            "/describe": Reply(200, description.model_dump_json().encode()),
            "/sample.json": Reply(200, orjson.dumps(description.sample)),
            "/openapi.json": document,
            "/docs.json": document,
            "/": Reply(200, page(description, self.tokens, self.feedback is not None).encode(), HTML),
        }
        self.bundle, self.ref, self.horizon = bundle, ref, description.horizon
        self.headers = ((b"x-model", self.name.encode()), (b"x-model-version", self.version.encode()))
        if bundle.batching is not None:
            bundle.batching.listener = self._batched

    def run(self, arrays: Sequence[np.ndarray]) -> Outputs:
        """The network's outputs for encoded inputs of the model that is loaded."""
        assert self.bundle is not None
        return self.bundle.run(arrays)

    def _batched(self, size: int, waited_seconds: float) -> None:
        if self.on_batch is not None:
            self.on_batch(size, waited_seconds)

    @property
    def name(self) -> str:
        """Of the model, without its version."""
        return self.ref.rpartition(":")[0] or self.ref

    @property
    def version(self) -> str:
        """Of the model; empty where it has none."""
        return self.ref.rpartition(":")[2] if ":" in self.ref else ""
