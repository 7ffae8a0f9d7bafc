"""The client of `serving.client` for asynchronous programs: the same methods, to be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import httpx

from records.api import Description, PredictResponse
from records.feedback import FeedbackResponse, Truth
from serving.clients.messages import Answer, Conversation, Conversations, Told, Wait, items_of
from serving.clients.retrying import Retry


class AsyncClient:
    """Asks a Kerasmith server, many questions at once if wanted. What the methods take and raise: see `Client`.

    Example:
        async with AsyncClient("http://127.0.0.1:3000") as client:
            answers = await asyncio.gather(*(client.predict([text]) for text in texts))
    """

    def __init__(
        self, base_url: str, timeout_seconds: float = 60.0, *, token: str | None = None, retry: Retry | None = None
    ) -> None:
        """As `Client`."""
        self._conversations = Conversations(base_url=base_url, token=token, retry=retry or Retry())
        self._http = httpx.AsyncClient(
            base_url=self._conversations.base_url, timeout=timeout_seconds, trust_env=self._conversations.trust_env
        )

    async def predict(
        self,
        inputs: Sequence[Any],
        top_k: int | None = None,
        *,
        coverage: float | None = None,
        abstain_below: float | None = None,
        model: str | None = None,
        request_id: str | None = None,
    ) -> PredictResponse:
        """As `Client.predict`."""
        return await self._run(self._conversations.predict(inputs, top_k, coverage, abstain_below, model, request_id))

    async def feedback(self, request_id: str, truth: Truth, index: int = 0) -> FeedbackResponse:
        """As `Client.feedback`."""
        return await self.feedback_all([(request_id, index, truth)])

    async def feedback_all(self, items: Sequence[tuple[str, int, Truth]]) -> FeedbackResponse:
        """As `Client.feedback_all`."""
        return await self._run(self._conversations.feedback(items_of(items)))

    async def describe(self) -> Description:
        """As `Client.describe`."""
        return await self._run(self._conversations.describe())

    async def ready(self) -> bool:
        """As `Client.ready`."""
        return await self._run(self._conversations.ready())

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, conversation: Conversation[Answer]) -> Answer:
        told: Told = None
        while True:
            try:
                step = conversation.send(told)
            except StopIteration as done:
                answer: Answer = done.value
                return answer
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
                told = None
                continue
            try:
                told = await self._http.request(
                    step.method,
                    step.path,
                    headers=step.headers,
                    params=step.params,
                    content=step.content,
                    files=step.files,
                )
            except httpx.HTTPError as error:
                told = error
