"""A small typed client for a running server. `serving.async_client` has the same for asynchronous programs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import httpx

from records.api import Description, PredictResponse
from records.feedback import FeedbackResponse, Truth
from serving.clients.messages import Answer, Conversation, Conversations, Told, Wait, items_of
from serving.clients.retrying import Retry


class Client:
    """Asks a Kerasmith server.

    Example:
        with Client("http://127.0.0.1:3000") as client:
            print(client.predict([Path("cat.jpg")]).predictions[0])
    """

    def __init__(
        self, base_url: str, timeout_seconds: float = 60.0, *, token: str | None = None, retry: Retry | None = None
    ) -> None:
        """No request is sent yet.

        Args:
            base_url: `http://HOST:PORT`.
            timeout_seconds: For each step of an attempt: to connect, to send, to receive.
            token: Where the server asks for one; `None`: the environment's KERASMITH_TOKEN, if it is set.
            retry: How often a request is sent again where the server is busy or the connection broke.

        Raises:
            ConfigError: Not an address, or not a token.
        """
        self._conversations = Conversations(base_url=base_url, token=token, retry=retry or Retry())
        self._http = httpx.Client(
            base_url=self._conversations.base_url, timeout=timeout_seconds, trust_env=self._conversations.trust_env
        )

    def predict(
        self,
        inputs: Sequence[Any],
        top_k: int | None = None,
        *,
        coverage: float | None = None,
        abstain_below: float | None = None,
        model: str | None = None,
        request_id: str | None = None,
    ) -> PredictResponse:
        """One answer for each input, in their order.

        Args:
            inputs: At least one, all of one kind:
                images: encoded `bytes`, or a `Path`;
                texts: `str`;
                series: a list or an array `[steps]` or `[steps, channels]`; None or NaN where a value is missing;
                rows of a table: a `dict` of values by column;
                forecasts: `{"history": rows, "future": rows}`, oldest rows first; `future` may be left out.
            top_k: How many classes to list; `None`: all.
            coverage: How often the answer's set of classes, or its interval, shall hold the truth; from 0 to 1.
            abstain_below: No class is answered where the most likely one is less likely than this; from 0 to 1.
            model: NAME or NAME:VERSION: answered only if it is the one that is served.
            request_id: Up to 64 letters, digits, dots, - or _; `None`: a new one. It comes back in the response.

        Raises:
            InputError: The server refused an input, a file cannot be read, or something is no input.
            KerasmithError: No Kerasmith server answers there.
        """
        return self._run(self._conversations.predict(inputs, top_k, coverage, abstain_below, model, request_id))

    def feedback(self, request_id: str, truth: Truth, index: int = 0) -> FeedbackResponse:
        """Tells the true answer to an earlier input. Telling the same again changes nothing.

        Args:
            request_id: `PredictResponse.request_id` of that request.
            truth: The class, also one that the model does not know; the number; for a forecast, a number per step.
            index: Of the input in its request.

        Raises:
            InputError: The server does not keep feedback (404), or the truth does not fit its model.
            KerasmithError: No Kerasmith server answers there.
        """
        return self.feedback_all([(request_id, index, truth)])

    def feedback_all(self, items: Sequence[tuple[str, int, Truth]]) -> FeedbackResponse:
        """Tells many true answers, a thousand in a request: for each its request's id, its index and the truth.

        Raises:
            InputError: As `feedback`; of a request with a wrong one, nothing is kept.
            KerasmithError: No Kerasmith server answers there.
        """
        return self._run(self._conversations.feedback(items_of(items)))

    def describe(self) -> Description:
        """What the server serves.

        Raises:
            KerasmithError: No Kerasmith server answers there.
        """
        return self._run(self._conversations.describe())

    def ready(self) -> bool:
        """True when the server would answer a prediction."""
        return self._run(self._conversations.ready())

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, conversation: Conversation[Answer]) -> Answer:
        told: Told = None
        while True:
            try:
                step = conversation.send(told)
            except StopIteration as done:
                answer: Answer = done.value
                return answer
            if isinstance(step, Wait):
                time.sleep(step.seconds)
                told = None
                continue
            try:
                told = self._http.request(
                    step.method,
                    step.path,
                    headers=step.headers,
                    params=step.params,
                    content=step.content,
                    files=step.files,
                )
            except httpx.HTTPError as error:
                told = error
