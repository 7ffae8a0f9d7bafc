"""A small typed client for a running server."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from records.api import Description, ErrorResponse, PredictResponse
from records.errors import ConfigError, InputError, KerasmithError
from records.spec import InputKind

Answer = TypeVar("Answer", bound=BaseModel)


class Client:
    """Asks a Kerasmith server.

    Example:
        with Client("http://127.0.0.1:3000") as client:
            print(client.predict([Path("cat.jpg")]).predictions[0])
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
        self._input_kind: str | None = None
        self._http = httpx.Client(base_url=self._base_url, timeout=timeout_seconds, trust_env=not _is_local(host))

    def predict(self, inputs: Sequence[Any], top_k: int | None = None) -> PredictResponse:
        """One answer for each input, in their order.

        Args:
            inputs: At least one, all of one kind:
                images: encoded `bytes`, or a `Path`;
                texts: `str`;
                series: a list or an array `[steps]` or `[steps, channels]`; None or NaN where a value is missing;
                rows of a table: a `dict` of values by column;
                forecasts: `{"history": rows, "future": rows}`, oldest rows first; `future` may be left out.
            top_k: How many classes to list; `None`: all.

        Raises:
            InputError: The server refused an input, a file cannot be read, or something is no input.
            KerasmithError: No Kerasmith server answers there.
        """
        if isinstance(inputs, str | bytes | Path | Mapping):
            raise InputError(f"Expected a list of inputs. Received: one {type(inputs).__name__}; put it into [ ].")
        if not len(inputs):
            raise InputError("No input was given. Expected at least one.")
        if all(isinstance(one, bytes | Path) for one in inputs):
            files = [("image", (f"image{i}", _content(image))) for i, image in enumerate(inputs)]
            parameters = None if top_k is None else {"top_k": top_k}
            request = self._http.build_request("POST", "/predict", files=files, params=parameters)
        else:
            body = to_body(inputs, self._field(inputs), top_k)
            headers = {"content-type": "application/json"}
            request = self._http.build_request("POST", "/predict", content=body, headers=headers)
        return self._ask(PredictResponse, request)

    def describe(self) -> Description:
        """What the server serves.

        Raises:
            KerasmithError: No Kerasmith server answers there.
        """
        return self._ask(Description, self._http.build_request("GET", "/describe"))

    def _field(self, inputs: Sequence[Any]) -> str | None:
        """How each input is called in a request; `None` where its own names stand in it."""
        if all(isinstance(one, str) for one in inputs):
            return "text"
        if all(isinstance(one, Mapping) for one in inputs):
            if self._input_kind is None:  # a row may have columns of any name, so only the server knows
                self._input_kind = self.describe().input_kind
            return None if self._input_kind == InputKind.FORECAST else "row"
        if all(hasattr(one, "__len__") and not isinstance(one, str | bytes | Mapping) for one in inputs):
            return "series"
        names = ", ".join(sorted({type(one).__name__ for one in inputs}))
        raise InputError(
            "The inputs are not of one kind that can be sent. Expected bytes or paths of images, texts, "
            f"lists of numbers, or dictionaries. Received: {names}."
        )

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


def to_body(inputs: Sequence[Any], field: str | None, top_k: int | None) -> bytes:
    """A JSON request; NaN becomes null, and arrays lists.

    Args:
        inputs: Of one kind.
        field: What each is called; `None`: each is a mapping that is sent as it is.
        top_k: How many classes to list; `None`: all.

    Raises:
        InputError: Something in it cannot be written as JSON.
    """
    request: dict[str, Any] = {"inputs": [one if field is None else {field: one} for one in inputs]}
    if top_k is not None:
        request["top_k"] = top_k
    try:
        return orjson.dumps(request, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    except (TypeError, ValueError) as error:
        raise InputError(f"The inputs cannot be sent as JSON: {error}.") from error


def _plain(value: Any) -> Any:
    """What orjson does not know: arrays that are not contiguous, dates and numbers of other libraries."""
    for method in ("tolist", "isoformat"):
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is no number, text, list or dictionary")


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
