"""What the clients say and hear: requests built, replies read, attempts repeated. No input or output of its own.

Each question is a conversation: a generator that yields what to send, or how long to wait, and is told the response or
the error. `serving.client` and `serving.async_client` only do what a conversation asks them to.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from records.api import Description, ErrorResponse, PredictResponse
from records.errors import ConfigError, InputError, KerasmithError
from records.feedback import MAX_ITEMS, REQUEST_ID, FeedbackItem, FeedbackResponse, Truth
from records.spec import InputKind
from serving.clients.inputs import content_of, is_local, server_host, to_body, to_json
from serving.clients.retrying import Retry, pause

TOKEN = "KERASMITH_TOKEN"
"""The environment variable with the token, where none is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A request to send."""

    method: str
    path: str
    headers: Mapping[str, str]
    params: Mapping[str, str] | None = None
    content: bytes | None = None
    files: Sequence[tuple[str, tuple[str, bytes]]] | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for so long."""

    seconds: float


Told = httpx.Response | httpx.HTTPError | None
Answer = TypeVar("Answer")
Model = TypeVar("Model", bound=BaseModel)
Conversation = Generator[Outgoing | Wait, Told, Answer]


@dataclass(kw_only=True)
class Conversations:
    """What can be asked of one server."""

    base_url: str
    token: str | None = field(repr=False)
    """`None`: KERASMITH_TOKEN; empty: none."""
    retry: Retry
    input_kind: str | None = None
    """Of the model, once it had to be asked for."""

    def __post_init__(self) -> None:
        host = server_host(self.base_url)
        self.base_url = self.base_url.rstrip("/")
        self.trust_env = not is_local(host)
        """A proxy that the environment names is for other machines, never for this one."""
        token = os.environ.get(TOKEN, "") if self.token is None else self.token
        if not all(33 <= ord(letter) < 127 for letter in token.strip()):
            raise ConfigError("The token cannot be sent. Expected letters, digits and signs of ASCII without spaces.")
        self.token = token.strip()

    def predict(
        self,
        inputs: Sequence[Any],
        top_k: int | None,
        coverage: float | None,
        abstain_below: float | None,
        model: str | None,
        request_id: str | None,
    ) -> Conversation[PredictResponse]:
        """See `Client.predict`."""
        if isinstance(inputs, str | bytes | Path | Mapping):
            raise InputError(f"Expected a list of inputs. Received: one {type(inputs).__name__}; put it into [ ].")
        if not len(inputs):
            raise InputError("No input was given. Expected at least one.")
        told = {"top_k": top_k, "coverage": coverage, "abstain_below": abstain_below}
        options = {name: value for name, value in told.items() if value is not None}
        path = "/predict" if model is None else f"/models/{quote(model, safe=':')}/predict"
        headers = self._headers(request_id)
        if all(isinstance(one, bytes | Path) for one in inputs):
            files = [("image", (f"image{i}", content_of(image))) for i, image in enumerate(inputs)]
            params = {name: _digits(value) for name, value in options.items()} or None
            out = Outgoing(method="POST", path=path, headers=headers, files=files, params=params)
        else:
            named = yield from self._name(inputs)
            headers["content-type"] = "application/json"
            out = Outgoing(method="POST", path=path, headers=headers, content=to_body(inputs, named, options))
        return _read(PredictResponse, (yield from self._ask(out)), self.base_url)

    def describe(self) -> Conversation[Description]:
        """See `Client.describe`."""
        out = Outgoing(method="GET", path="/describe", headers=self._headers(None))
        return _read(Description, (yield from self._ask(out)), self.base_url)

    def feedback(self, items: Sequence[FeedbackItem]) -> Conversation[FeedbackResponse]:
        """See `Client.feedback_all`."""
        if not items:
            raise InputError("No feedback was given. Expected at least one.")
        kept = 0
        for start in range(0, len(items), MAX_ITEMS):
            part = [item.model_dump(mode="json") for item in items[start : start + MAX_ITEMS]]
            headers = {**self._headers(None), "content-type": "application/json"}
            out = Outgoing(method="POST", path="/feedback", headers=headers, content=to_json(part))
            answer = _read(FeedbackResponse, (yield from self._ask(out)), self.base_url)
            kept += answer.kept
        return answer.model_copy(update={"kept": kept})

    def ready(self) -> Conversation[bool]:
        """See `Client.ready`."""
        told = yield Outgoing(method="GET", path="/readyz", headers=self._headers(None))
        return isinstance(told, httpx.Response) and told.status_code == 200

    def _headers(self, request_id: str | None) -> dict[str, str]:
        if request_id is not None and not REQUEST_ID.fullmatch(request_id):
            raise InputError(
                "The id of the request cannot be sent. Expected 1 to 64 letters, digits, dots, - or _. "
                f"Received: {request_id[:80]!r}."
            )
        headers = {"x-request-id": request_id or uuid.uuid4().hex}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        return headers

    def _name(self, inputs: Sequence[Any]) -> Conversation[str | None]:
        """How each input is called in a request; `None` where its own names stand in it."""
        if all(isinstance(one, str) for one in inputs):
            return "text"
        if all(isinstance(one, Mapping) for one in inputs):
            if self.input_kind is None:  # a row may have columns of any name, so only the server knows
                self.input_kind = (yield from self.describe()).input_kind
            return None if self.input_kind == InputKind.FORECAST else "row"
        if all(hasattr(one, "__len__") and not isinstance(one, str | bytes | Mapping) for one in inputs):
            return "series"
        names = ", ".join(sorted({type(one).__name__ for one in inputs}))
        raise InputError(
            "The inputs are not of one kind that can be sent. Expected bytes or paths of images, texts, "
            f"lists of numbers, or dictionaries. Received: {names}."
        )

    def _ask(self, out: Outgoing) -> Conversation[httpx.Response]:
        """Sends it until there is an answer, as often and as long as `retry` allows. Every request of ours may come
        twice: a prediction changes nothing, and the same feedback is counted once."""
        began, attempt = time.monotonic(), 0
        while True:
            told = yield out
            attempt += 1
            seconds = pause(told, attempt, self.retry, random.random())
            if seconds is None or time.monotonic() - began + seconds > self.retry.seconds:
                break
            yield Wait(seconds)
        if isinstance(told, httpx.TimeoutException):
            raise KerasmithError(f"The server at {self.base_url} did not answer in time. Try again.") from told
        if isinstance(told, httpx.HTTPError):
            message = f"No server answers at {self.base_url} ({told}). Start one: kerasmith serve."
            raise KerasmithError(message) from told
        assert told is not None
        return told


def items_of(items: Sequence[tuple[str, int, Truth]]) -> list[FeedbackItem]:
    """As they are sent.

    Raises:
        InputError: One is not what a server takes.
    """
    made = []
    for number, (request_id, index, truth) in enumerate(items, 1):
        try:
            made.append(FeedbackItem(request_id=request_id, index=index, truth=truth))
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in wrong["loc"])
            raise InputError(f"Feedback {number} of {len(items)} is wrong: {where}: {wrong['msg']}.") from None
    return made


def _digits(value: float) -> str:
    """As it stands in an address: never as 1e-05."""
    return format(Decimal(repr(value)), "f")


def _read(answer: type[Model], response: httpx.Response, base_url: str) -> Model:
    try:
        if response.status_code == 200:
            return answer.model_validate_json(response.content)
        message = ErrorResponse.model_validate_json(response.content).error
    except ValidationError as error:
        raise KerasmithError(
            f"What answers at {base_url} is not a Kerasmith server. Received: status {response.status_code}."
        ) from error
    if response.status_code < 500:
        raise InputError(message, response.status_code)
    raise KerasmithError(message)
