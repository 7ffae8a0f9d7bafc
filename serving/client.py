"""A small typed client for a running server."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from records.api import Description, ErrorResponse, PredictResponse
from records.errors import ConfigError, InputError, KerasmithError

Answer = TypeVar("Answer", bound=BaseModel)


class Client:
    """Asks a Kerasmith server.

    Example:
        with Client("http://127.0.0.1:3000") as client:
            print(client.predict([Path("cat.jpg")]).predictions[0].label)
    """

    def __init__(self, base_url: str, timeout_seconds: float = 60.0) -> None:
        try:
            parts = urlsplit(base_url)
            host = parts.hostname or ""
            _ = parts.port
        except ValueError:
            host = ""
        if not host or parts.scheme not in ("http", "https"):
            raise ConfigError(f"Not the address of a server. Expected http://HOST:PORT. Received: {base_url!r}.")
        self._base_url = base_url.rstrip("/")
        # A proxy that the environment names is for other machines, never for this one.
        self._http = httpx.Client(base_url=self._base_url, timeout=timeout_seconds, trust_env=not _is_local(host))

    def predict(self, images: Sequence[bytes | Path], top_k: int | None = None) -> PredictResponse:
        """One answer for each image, in their order.

        Raises:
            InputError: The server refused an image, or a file cannot be read.
            KerasmithError: No Kerasmith server answers there.
        """
        files = [("image", (f"image{i}", _content(image))) for i, image in enumerate(images)]
        if not files:
            raise InputError("No image was given. Expected at least one.")
        parameters = None if top_k is None else {"top_k": top_k}
        return self._ask(PredictResponse, self._http.build_request("POST", "/predict", files=files, params=parameters))

    def describe(self) -> Description:
        """What the server serves.

        Raises:
            KerasmithError: No Kerasmith server answers there.
        """
        return self._ask(Description, self._http.build_request("GET", "/describe"))

    def ready(self) -> bool:
        """True when the server would answer a prediction."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, answer: type[Answer], request: httpx.Request) -> Answer:
        try:
            response = self._http.send(request)
        except httpx.TimeoutException as error:
            raise KerasmithError(f"The server at {self._base_url} did not answer in time. Try again.") from error
        except httpx.HTTPError as error:
            raise KerasmithError(
                f"No server answers at {self._base_url} ({error}). Start one: kerasmith serve."
            ) from error
        try:
            if response.status_code == 200:
                return answer.model_validate_json(response.content)
            message = ErrorResponse.model_validate_json(response.content).error
        except ValidationError as error:
            raise KerasmithError(
                f"What answers at {self._base_url} is not a Kerasmith server. Received: status {response.status_code}."
            ) from error
        if response.status_code < 500:
            raise InputError(message, response.status_code)
        raise KerasmithError(message)


def _content(image: bytes | Path) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return image.read_bytes()
    except OSError as error:
        raise InputError(f"The file cannot be read: {image} ({error.strerror or error}).") from error


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
