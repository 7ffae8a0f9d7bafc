"""The HTML at `/`, for people. It loads nothing from anywhere."""

from __future__ import annotations

from html import escape

from records.api import Description
from serving.kinds import WAYS, curl_line
from serving.openapi import summary
from serving.routes import ROUTES

HERE = "\0"
"""Stands for the address that the page was loaded from; no sample holds it."""
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "td,th{padding:.2rem 1rem .2rem 0;text-align:left;vertical-align:top}"
    "pre{background:#8882;padding:.5rem;white-space:pre-wrap;overflow-wrap:anywhere}"
)


def page(description: Description) -> str:
    """What is served, a command that asks it, its figures, and every address."""
    metrics = "".join(
        f"<tr><td>{escape(name)}<td>{figure['value']:.4f}<td>{figure['low']:.4f} to {figure['high']:.4f}"
        for name, figure in description.metrics.items()
    )
    routes = "".join(
        f"<tr><td>{route.method}<td>"
        + (f"<a href='{route.path}'>{route.path}</a>" if route.method == "GET" else route.path)
        + f"<td>{escape(summary(route, description))}"
        for route in ROUTES.values()
    )
    line = escape(curl_line(description.input_kind, description.sample, HERE))
    line = line.replace(HERE, "<span class='here'></span>")
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(description.model)}</title><style>{STYLE}</style>"
        f"<h1>{escape(description.model)}</h1><p>{escape(_told(description))}</p>"
        f"<p>Try it:<pre>{line}</pre>{_columns(description)}"
        f"<h2>On its test split</h2><table><tr><th>Metric<th>Value<th>95 % interval{metrics}</table>"
        f"<h2>Addresses</h2><table>{routes}</table>"
        "<script>for(const here of document.querySelectorAll('.here'))here.textContent=location.origin</script></html>"
    )


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
