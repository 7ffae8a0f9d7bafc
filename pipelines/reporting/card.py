"""The model card: the report in short, as Markdown, inside the bundle."""

from __future__ import annotations

import re
from typing import Any

import jinja2

from pipelines.reporting import wording
from pipelines.reporting.report import TEMPLATES, ReportFacts, confusions
from records.evaluation import Figure

MOST_NAMED = 40
"""Classes that the card names."""
MOST_SHOWN = 30
"""Classes whose figures it shows."""
PURPOSES = {
    "train": "fits the weights",
    "validation": "chooses between trials",
    "test": "read once, for the figures below",
}


class Markdown(str):
    """Text that is Markdown already."""


def render_card(facts: ReportFacts) -> str:
    """The whole Markdown document. Text from the data is escaped wherever it stands."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=False,  # HTML's escaping is not Markdown's: `finalize` does it
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_escape,
    )
    manifest = facts.manifest
    evaluation = manifest.evaluation
    classes = list(evaluation.per_class)
    if len(classes) > MOST_SHOWN:
        classes = sorted(classes, key=lambda row: row.f1.value)[: MOST_SHOWN // 2]
    text = environment.get_template("card.md.j2").render(
        w=wording,
        facts=facts,
        manifest=manifest,
        evaluation=evaluation,
        objective=evaluation.metrics[manifest.objective],
        verdicts=wording.verdicts(evaluation, manifest.space),
        classes=classes,
        confusions=confusions(facts),
        limitations=wording.limitations(manifest, facts.source_name),
        measured=_measured,
        code=_code,
        MOST_NAMED=MOST_NAMED,
        PURPOSES=PURPOSES,
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _escape(value: Any) -> Any:
    """Keeps text from being taken for Markdown or HTML."""
    if not isinstance(value, str) or isinstance(value, Markdown):
        return value
    text = wording.clean(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", text)


def _code(value: str) -> Markdown:
    """Inside code nothing is escaped, and nothing may end it."""
    return Markdown(wording.clean(value).replace("`", ""))


def _measured(figure: Figure) -> str:
    return f"{wording.number(figure.value)} ({wording.interval(figure)})"
