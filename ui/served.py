"""The server that the page asks: where it is, what it serves, and what it says."""

from __future__ import annotations

import base64
import json
import os
import shlex
import time
from dataclasses import dataclass
from typing import Any

import streamlit as st
from pydantic import ValidationError

from records.api import Description, PredictResponse
from records.errors import KerasmithError
from records.evaluation import Figure
from records.spec import InputKind
from serving.client import Client

DEFAULT_SERVER = "http://127.0.0.1:3000"
SERVER = "KERASMITH_SERVER"
"""The environment variable that names another."""
DESCRIBE_SECONDS = 5.0
PREDICT_SECONDS = 60.0
LONGEST_LINE = 700
"""Characters of a request that still stand in the command to copy."""


@dataclass(frozen=True)
class Answer:
    """What the server said of an input."""

    model: str
    raw: Any
    """The input, so that the answer is shown with it only."""
    response: PredictResponse | None
    sentence: str
    """What was wrong; empty when there is a response."""
    seconds: float


def default_server() -> str:
    """The server that is asked unless the field says otherwise."""
    return os.environ.get(SERVER, "").strip() or DEFAULT_SERVER


def look(url: str) -> Description | str:
    """What is served there, or the sentence that says why nobody knows."""
    try:
        with Client(url.strip(), DESCRIBE_SECONDS) as client:
            return client.describe()
    except KerasmithError as error:
        return str(error)


def ask(url: str, description: Description, raw: Any) -> Answer:
    """One question."""
    top_k = min(10, len(description.labels)) or None
    began = time.perf_counter()
    response, sentence = None, ""
    try:
        with Client(url.strip(), PREDICT_SECONDS) as client:
            response = client.predict([raw], top_k)
    except KerasmithError as error:
        sentence = str(error)
    return Answer(description.model, raw, response, sentence, time.perf_counter() - began)


def sample(description: Description) -> Any:
    """The raw input of the server's own example; `None` where it has none."""
    try:
        first = description.sample["inputs"][0]
        match description.input_kind:
            case InputKind.IMAGE:
                return base64.b64decode(first["image"])
            case InputKind.TEXT:
                return first["text"]
            case InputKind.SERIES:
                return first["series"]
            case InputKind.TABLE:
                return first["row"]
            case _:
                return first
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def body(kind: str, raw: Any) -> str:
    """The JSON request for one input."""
    one: Any = raw
    if kind == InputKind.IMAGE:
        one = {"image": base64.b64encode(raw).decode()}
    elif kind in (InputKind.TEXT, InputKind.SERIES):
        one = {str(kind): raw}
    elif kind == InputKind.TABLE:
        one = {"row": raw}
    return json.dumps({"inputs": [one]}, ensure_ascii=False)


def command(url: str, kind: str, raw: Any) -> str:
    """The line that asks the same from a terminal; `request.json` where the input is long."""
    address = shlex.quote(f"{url.strip().rstrip('/')}/predict")
    if kind == InputKind.IMAGE:
        return f"curl -H 'Content-Type: image/jpeg' --data-binary @picture.jpg {address}"
    told = "" if raw is None else body(kind, raw)
    fits = 0 < len(told) <= LONGEST_LINE
    data = f"--data-raw {shlex.quote(told)}" if fits else "--data-binary @request.json"
    return f"curl -H 'Content-Type: application/json' {data} {address}"


def figures(description: Description) -> dict[str, Figure]:
    """The metrics on the test split with their intervals, the objective first."""
    read = {}
    for name, fields in description.metrics.items():
        try:
            read[name] = Figure.model_validate(fields)
        except ValidationError:
            continue
    return dict(sorted(read.items(), key=lambda item: item[0] != description.objective))


def remember(answer: Answer) -> None:
    """Keeps the answer for as long as the page is open."""
    st.session_state["answer"] = answer


def remembered(description: Description, raw: Any) -> Answer | None:
    """The last answer, where it is one to this input of this model."""
    answer = st.session_state.get("answer")
    fits = isinstance(answer, Answer) and answer.model == description.model and answer.raw == raw
    return answer if fits else None
