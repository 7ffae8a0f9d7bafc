"""Writes tests/serving/golden/bundle_v1: `python -m tests.serving.make_golden_bundle`.

To be run once for a new `format_version`, never to make a failing test pass: bundles that people have must still load.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from records.bundle import FORMAT_VERSION

GOLDEN = Path(__file__).parent / "golden"


def main() -> None:
    from pipelines.bench import open_bench
    from pipelines.datasets.catalog import open_source
    from pipelines.evaluate import evaluate
    from pipelines.package import Package, package
    from pipelines.reporting.papers import papers
    from records.config import RunConfig
    from records.task import MOST_LIKELY, get_task
    from records.trial import Run, RunState
    from serving.model_store import folder_of
    from store.database import open_database
    from store.home import Home
    from store.registry import Registry
    from tests.pipelines.test_package import make_candidate
    from tests.tiny import make_prepared

    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        prepared = make_prepared(home.root)
        task = get_task("classification")
        bench, _ = open_bench(RunConfig(data="tiny", spaces=("cnn",)), prepared, task, home)
        candidate = make_candidate(bench, home, "golden")
        run = Run(
            id="golden",
            name="golden",
            state=RunState.RUNNING,
            config={},
            task=task.name,
            objective=task.objective,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        reading = evaluate(candidate, candidate, prepared, task, seed=0)
        source = dataclasses.replace(open_source(RunConfig(data="digits")), name="tiny")
        write = papers(run, source, prepared, [candidate.trial], candidate, reading, [], {})
        parts = Package(
            run=run,
            task=task,
            candidate=candidate,
            prepared=prepared,
            reading=reading,
            decision=MOST_LIKELY,
            write_papers=write,
        )
        model, _ = package(parts, home, Registry(open_database(home)))
        target = GOLDEN / f"bundle_v{FORMAT_VERSION}"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder_of(home, model.name, model.bundle_id), target, ignore=shutil.ignore_patterns("*.yaml"))


if __name__ == "__main__":
    main()
