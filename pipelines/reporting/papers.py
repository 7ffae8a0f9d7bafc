"""Gathers what the report and the model card tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pipelines.evaluate import TestReading
from pipelines.reporting.card import render_card
from pipelines.reporting.report import Mistake, ReportFacts, count_classes, render_report
from pipelines.reporting.wording import next_commands
from records.bundle import Manifest
from records.candidate import Candidate
from records.data import Prepared, Source
from records.trial import Run, Trial

NUM_MISTAKES = 8


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
            findings=prepared.findings,
            understood=prepared.understood,
            left_out=tuple(left_out),
            refitted=candidate.refitted,
            refit_note=candidate.note,
            seconds=dict(seconds),
            mistakes=mistakes(prepared, reading),
            commands=next_commands(run.name),
        )
        return render_report(facts), render_card(facts)

    return write


def mistakes(prepared: Prepared, reading: TestReading) -> tuple[Mistake, ...]:
    """The test examples that were answered wrongly with the most confidence."""
    predicted = reading.probabilities.argmax(axis=1)
    confidence = reading.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != reading.targets)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:NUM_MISTAKES]
    labels = prepared.spec.labels
    return tuple(
        Mistake(
            pixels=np.asarray(prepared.inputs[reading.rows[i]]),
            true=labels[reading.targets[i]],
            predicted=labels[predicted[i]],
            probability=float(confidence[i]),
            id=prepared.ids[reading.rows[i]],
        )
        for i in worst
    )
