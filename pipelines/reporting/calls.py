"""How a served model is asked: lines for a shell and for Python that work as printed."""

from __future__ import annotations

from typing import Any

from records.spec import InputKind
from serving.kinds import curl_line

URL = "http://127.0.0.1:3000"
LONGEST = 400
"""Characters of an example that is written out; a longer one is fetched from the server."""
FIELDS = {InputKind.TEXT: "text", InputKind.SERIES: "series", InputKind.TABLE: "row"}
"""How one input is called in a request; a forecast's has names of its own."""
ANSWERS = {"classification": "label", "regression": "value", "forecasting": "values"}
"""What of an answer is printed."""
REPLIES = {
    "classification": "The reply names the answer, and the most likely classes with their probabilities.",
    "regression": "The reply holds the number.",
    "forecasting": "The reply holds the times, the values, and the quantiles.",
}


def curl(kind: str, sample: dict[str, Any] | None) -> str:
    """A command for a shell that asks the server."""
    if kind != InputKind.IMAGE and sample is None:
        return f"curl -s {URL}/sample.json | curl -H 'Content-Type: application/json' --data-binary @- {URL}/predict"
    return curl_line(kind, {"inputs": [sample]}, URL)


def program(kind: str, sample: dict[str, Any] | None, task: str) -> str:
    """A program in Python that asks the server."""
    lines = ["from serving.client import Client", "", f'with Client("{URL}") as client:']
    if kind == InputKind.IMAGE:
        lines = ["from pathlib import Path", "", *lines]
    asked = _asked(kind, sample)
    if asked is None:
        given = 'client.describe().sample["inputs"]'
        field = FIELDS.get(InputKind(kind))
        lines.append(f'    inputs = [one["{field}"] for one in {given}]' if field else f"    inputs = {given}")
        asked = "inputs"
    return "\n".join([*lines, f"    print(client.predict({asked}).predictions[0].{ANSWERS[task]})"])


def reply(task: str) -> str:
    """What comes back."""
    return REPLIES[task]


def _asked(kind: str, sample: dict[str, Any] | None) -> str | None:
    """A list with the example as Python writes it; `None` where there is none, or it is long."""
    if kind == InputKind.IMAGE:
        return '[Path("picture.jpg")]'
    if sample is None:
        return None
    field = FIELDS.get(InputKind(kind))
    written = repr([sample[field] if field else sample])
    return written if len(written) <= LONGEST and "`" not in written else None
