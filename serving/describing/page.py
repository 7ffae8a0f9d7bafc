"""The HTML at `/`, for people. It loads nothing from anywhere."""

from __future__ import annotations

import shlex
from html import escape

import orjson

from records.api import Description
from serving.describing.parts import captured
from serving.describing.predict import summary, true_answer
from serving.kinds import WAYS, curl_line
from serving.routes import ROUTES

HERE = "\0"
"""Stands for the address that the page was loaded from; no sample holds it."""
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "td,th{padding:.2rem 1rem .2rem 0;text-align:left;vertical-align:top}"
    "pre{background:#8882;padding:.5rem;white-space:pre-wrap;overflow-wrap:anywhere}"
)
TOKEN = (
    '<p>This server asks for a token: add <code>-H "Authorization: Bearer $KERASMITH_TOKEN"</code> to each curl, '
    "with the token in that variable."
)
SCRIPT = "for(const here of document.querySelectorAll('.here'))here.textContent=location.origin"
"""`serving.guarding.security` lets this text and `STYLE` run, and no other."""


def page(description: Description, tokens: bool = False, feedback: bool = False) -> str:
    """What is served, commands that ask it, its figures, and every address.

    Args:
        description: Of the model.
        tokens: Whether the server asks for one.
        feedback: Whether true answers are kept here.
    """
    metrics = "".join(
        f"<tr><td>{escape(name)}<td>{figure['value']:.4f}<td>{figure['low']:.4f} to {figure['high']:.4f}"
        for name, figure in description.metrics.items()
    )
    line = curl_line(description.input_kind, description.sample, HERE)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(description.model)}</title><style>{STYLE}</style>"
        f"<h1>{escape(description.model)}</h1><p>{escape(_told(description))}</p>"
        f"<p>Try it:{_command(line)}"
        + (f"<p>Tell it later what was right:{_command(feedback_line(description))}" if feedback else "")
        + (TOKEN if tokens else "")
        + f"{_columns(description)}"
        f"<h2>On its test split</h2><table><tr><th>Metric<th>Value<th>95 % interval{metrics}</table>"
        f"<h2>Addresses</h2>{_addresses(description)}"
        f"<script>{SCRIPT}</script></html>"
    )


def feedback_line(description: Description) -> str:
    """A command that tells the true answer to an earlier request."""
    body = orjson.dumps({"request_id": "ID-OF-THE-REQUEST", "index": 0, "truth": true_answer(description)}).decode()
    return f"curl -H 'Content-Type: application/json' --data-raw {shlex.quote(body)} {HERE}/feedback"


def _command(line: str) -> str:
    shown = escape(line).replace(HERE, "<span class='here'></span>")
    return f"<pre>{shown}</pre>"


def _addresses(description: Description) -> str:
    """A table for each group of routes, in their order."""
    groups: dict[str, str] = {}
    for route in ROUTES.values():
        path = route.path
        for name, value in captured(route, description.model).items():
            path = path.replace(f"{{{name}}}", value)
        shown = f"<a href='{escape(path)}'>{escape(path)}</a>" if route.method == "GET" else escape(path)
        row = f"<tr><td>{route.method}<td>{shown}<td>{escape(summary(route, description))}"
        groups[route.group] = groups.get(route.group, "") + row
    return "".join(f"<h3>{name}</h3><table>{rows}</table>" for name, rows in groups.items())


def _told(description: Description) -> str:
    several = WAYS[description.input_kind].several
    target = f" for {description.target!r}" if description.target else ""
    if description.labels:
        classes = f"{len(description.labels)} classes: {_some(description.labels)}"
        return f"Answers {description.task} requests for {several}{target}. It knows {classes}."
    steps = f" {description.horizon} steps ahead" if description.horizon else ""
    return f"Answers {description.task} requests for {several}{target}{steps}."


def _columns(description: Description) -> str:
    if description.channels:
        return f"<p>Each step has a value for: {escape(_some(description.channels))}."
    if not description.columns:
        return ""
    rows = ""
    for column in description.columns:
        told = _some(column.values, 8)
        if column.low is not None and column.high is not None:
            told = f"{column.low:g} to {column.high:g} in training"
        rows += f"<tr><td>{escape(column.name)}<td>{escape(column.kind)}<td>{escape(told)}"
    return f"<h2>Columns</h2><table>{rows}</table>"


def _some(names: list[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
