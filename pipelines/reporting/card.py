"""The model card: the report in short, as Markdown, inside the bundle."""

from __future__ import annotations

import re
from typing import Any

import jinja2

from pipelines.reporting import calls, kinds, verdicts, wording
from pipelines.reporting.facts import ReportFacts
from pipelines.reporting.report import TEMPLATES, confusions
from pipelines.reporting.sureness import sureness_sentences
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
        say=verdicts,
        kinds=kinds,
        facts=facts,
        manifest=manifest,
        evaluation=evaluation,
        objective=evaluation.metrics[manifest.objective],
        verdicts=verdicts.verdicts(evaluation, manifest.space, manifest.input_kind),
        decided=verdicts.decision_sentences(manifest.decision, manifest.labels, manifest.objective),
        sure=sureness_sentences(manifest),
        classes=classes,
        confusions=confusions(facts),
        limitations=kinds.limitations(manifest, facts.spec, facts.source_name),
        curl=calls.curl(facts.spec.kind, facts.sample),
        program=calls.program(facts.spec.kind, facts.sample, manifest.task),
        reply=calls.reply(manifest.task),
        measured=_measured,
        code=_code,
        fenced=_fenced,
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


def _fenced(lines: str) -> Markdown:
    """Inside a block of code its lines stay lines."""
    return Markdown("\n".join(line[: len(line) - len(line.lstrip())] + _code(line) for line in lines.splitlines()))


def _measured(figure: Figure) -> str:
    return f"{wording.number(figure.value)} ({wording.interval(figure)})"
