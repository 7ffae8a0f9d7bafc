"""Gathers what the report and the model card tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pipelines.evaluate import TestReading
from pipelines.reporting.card import render_card
from pipelines.reporting.examples import count_classes, mistakes, pairs, windows
from pipelines.reporting.facts import ReportFacts
from pipelines.reporting.kinds import next_commands
from pipelines.reporting.report import render_report
from records.bundle import Manifest
from records.candidate import Candidate
from records.data import Prepared, Source
from records.trial import Run, Trial


def papers(
    run: Run,
    source: Source,
    prepared: Prepared,
    trials: Sequence[Trial],
    candidate: Candidate,
    reading: TestReading,
    left_out: Sequence[str],
    seconds: Mapping[str, float],
) -> Callable[[Manifest], tuple[str, str]]:
    """A function from the manifest, which is known last, to the report's HTML and the card's Markdown."""

    def write(manifest: Manifest) -> tuple[str, str]:
        facts = ReportFacts(
            manifest=manifest,
            run=run,
            trials=tuple(trials),
            winner=candidate.trial.number,
            spec=prepared.spec,
            source_name=source.name,
            class_counts=count_classes(prepared),
            sample=prepared.sample,
            findings=prepared.findings,
            understood=prepared.understood,
            left_out=tuple(left_out),
            refitted=candidate.refitted,
            refit_note=candidate.note,
            seconds=dict(seconds),
            mistakes=mistakes(prepared, reading),
            pairs=pairs(prepared, reading),
            windows=windows(prepared, reading),
            commands=next_commands(run.name, prepared.spec.kind),
        )
        return render_report(facts), render_card(facts)

    return write
