"""The end of a run: refit, evaluate, package; and the row that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.context import Context
from pipelines.costs import COSTS, GUESSED, measured
from pipelines.decisions import decision_for
from records.bundle import REPORT, Manifest
from records.candidate import Candidate
from records.data import Prepared, Source
from records.registry import ModelVersion
from records.trial import Run, RunState, Trial
from serving.bundle_files import read_manifest
from serving.model_store import folder_of


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run ended with."""

    run: Run
    model: ModelVersion
    manifest: Manifest
    trials: tuple[Trial, ...]
    report: Path
    """The HTML report, inside the bundle."""
    prepared: Prepared


def finish(
    context: Context,
    source: Source,
    prepared: Prepared,
    trials: list[Trial],
    best: Trial,
    in_a_hurry: Callable[[], bool],
) -> Outcome:
    """Everything after the search. Imported late: the modules load Keras."""
    from pipelines.bench import open_bench
    from pipelines.calibrating import calibrated, conformal_scores, unseen
    from pipelines.evaluate import evaluate
    from pipelines.members import Rest, final_candidate
    from pipelines.package import Package, package
    from pipelines.refit import from_trial, trial_folder
    from pipelines.reporting.papers import papers

    folder = context.home.run_folder(context.run.id)
    with context.step("refit"):
        bench, left_out = open_bench(context.config, prepared, context.task, context.home)
        floor = from_trial(trials[0], bench, folder) if trials[0].score is not None else None
        rest = Rest(bench, folder, context.governor, context.config.ensemble, in_a_hurry())
        candidate = final_candidate(trials, best, rest)
        by_number = {trial.number: trial for trial in trials}
        folders = [trial_folder(folder, by_number[number]) for number in candidate.members]
        candidate, seen = calibrated(candidate, unseen(candidate, prepared, folders), context.task)
        scores = conformal_scores(context.task, seen)
    with context.step("evaluate"):
        decision = decision_for(context.config, context.task, prepared.spec.labels, candidate)
        reading = evaluate(candidate, floor, prepared, context.task, context.config.seed, decision, scores)
    with context.step("package"):
        parts = Package(
            run=context.run,
            task=context.task,
            candidate=candidate,
            prepared=prepared,
            reading=reading,
            decision=decision,
            scores=scores,
            write_papers=papers(context.run, source, prepared, trials, candidate, reading, left_out, context.seconds),
        )
        model, manifest = package(parts, context.home, context.registry)
    summary = {
        "seconds": context.seconds,
        "refitted": candidate.refitted,
        "average": None if candidate.average is None else candidate.average.model_dump(mode="json"),
        "left_out": left_out,
        COSTS: _measured(context, trials, candidate, manifest),
    }
    context.ledger.update_run(context.run.id, summary=summary)
    return completed(context, prepared, model)


def registered(context: Context) -> ModelVersion | None:
    """The model of a run that was killed between registering it and saying so."""
    return next((one for one in context.registry.versions(context.run.name) if one.run_id == context.run.id), None)


def completed(context: Context, prepared: Prepared, model: ModelVersion) -> Outcome:
    folder = folder_of(context.home, model.name, model.bundle_id)
    manifest = read_manifest(folder)
    summary = {
        "total_seconds": round(context.used_seconds, 2),
        "evaluation": manifest.evaluation.model_dump(mode="json"),
        "findings": [asdict(finding) for finding in prepared.findings],
    }
    context.ledger.beat(context.run.id, context.used_seconds)
    context.ledger.finish_run(context.run.id, RunState.COMPLETED, model=model.ref, summary=summary)
    return Outcome(
        run=context.ledger.get_run(context.run.id),
        model=model,
        manifest=manifest,
        trials=tuple(context.ledger.trials(context.run.id)),
        report=folder / REPORT,
        prepared=prepared,
    )


def _measured(context: Context, trials: Sequence[Trial], candidate: Candidate, manifest: Manifest) -> dict[str, float]:
    networks = max(len(candidate.members), candidate.fits)
    predict_seconds = sum(t.result.predict_seconds for t in trials if t.number in candidate.members and t.result)
    # an export of several networks takes about as long as so many exports, beside their parameters
    together = GUESSED.packaging(manifest.num_parameters) + (networks - 1) * GUESSED.package
    return measured(
        package=context.seconds["package"] * GUESSED.packaging(manifest.num_parameters) / together,
        num_parameters=manifest.num_parameters,
        evaluate=context.seconds["evaluate"],
        expected_evaluate=GUESSED.evaluating(context.governor.num_test, predict_seconds * candidate.fits),
    )
