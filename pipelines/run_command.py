"""The flags of `kerasmith run`: each is a field of `RunConfig`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import psutil
import typer

Texts = list[str] | None

DATA = "A folder of images, a table (csv, tsv, jsonl, parquet), a .ts file of series, tfds:NAME, or digits."
SPACE = "A search space by its name, or your own FILE.py:NAME. Repeatable."
TARGET = "The column to predict, by its name or number; for forecasting also several, with commas."
BACKBONE = "A pretrained backbone: efficientnet_lite0, applications:NAME, hub:PRESET, or FILE.keras. Repeatable."
METRIC = "What to improve, by its name: accuracy, roc_auc, f1_macro, rmse, mase and others."
TASK = "classification, regression or forecasting; else told by the target."
KIND = "What one example is: image, text, series, table or forecast; else told by the data."
KEEP = "Use a column that looks like an identifier or gives the target away. Repeatable."
COST = "What a mistake costs, TRUE>ANSWERED=COST, where others cost 1. Repeatable."
VALIDATION = "Of the examples that are not for testing; 0.15 if unsaid, and more of few examples."
UNTIL = "Stop searching when validation reaches it, METRIC=VALUE, as in accuracy=0.97."
ALGORITHM = "What proposes settings: tpe, random, grid or cmaes."
WORKERS = "Processes that train at once; else told by the machine."
MEMORY = "Gigabytes that they may use together; else most of what there is."
GROUP = "A regular expression with one group; equal matches share a split."


def run_command(
    data: Annotated[str, typer.Argument(help=DATA)],
    budget: Annotated[str, typer.Option(help="Wall clock for everything: 90s, 10m, 1h30m.")] = "10m",
    name: Annotated[str | None, typer.Option(help="The model's name; else taken from the data.")] = None,
    target: Annotated[str | None, typer.Option(help=TARGET)] = None,
    task: Annotated[str | None, typer.Option(help=TASK)] = None,
    kind: Annotated[str | None, typer.Option(help=KIND)] = None,
    metric: Annotated[str | None, typer.Option(help=METRIC)] = None,
    cost: Annotated[Texts, typer.Option(help=COST)] = None,
    text: Annotated[str | None, typer.Option(help="The column that holds the texts.")] = None,
    time_column: Annotated[str | None, typer.Option("--time", help="The column that says when.")] = None,
    series_id: Annotated[str | None, typer.Option("--id", help="The column that names a row's series.")] = None,
    split: Annotated[str | None, typer.Option(help="The column that names each row's split.")] = None,
    keep: Annotated[Texts, typer.Option(help=KEEP)] = None,
    ignore: Annotated[Texts, typer.Option(help="Leave a column out. Repeatable.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast; else one season.")] = None,
    history: Annotated[int | None, typer.Option(help="Steps of the past that a forecast sees.")] = None,
    season: Annotated[int | None, typer.Option(help="Steps after which a series repeats.")] = None,
    quantile: Annotated[list[float] | None, typer.Option(help="Of forecasts; 0.1, 0.5 and 0.9 if unsaid.")] = None,
    known: Annotated[Texts, typer.Option(help="A column whose future is known to forecasts. Repeatable.")] = None,
    source: Annotated[str | None, typer.Option(help="Your own source, FILE.py:FUNCTION, which is given DATA.")] = None,
    space: Annotated[Texts, typer.Option(help=SPACE)] = None,
    backbone: Annotated[Texts, typer.Option(help=BACKBONE)] = None,
    trials: Annotated[int | None, typer.Option(help="At most so many trials, the floor included.")] = None,
    ensemble: Annotated[int, typer.Option(help="At most so many networks are averaged; 1: one network.")] = 3,
    until: Annotated[str | None, typer.Option(help=UNTIL)] = None,
    algorithm: Annotated[str, typer.Option(help=ALGORITHM)] = "tpe",
    workers: Annotated[int | None, typer.Option(help=WORKERS)] = None,
    memory: Annotated[float | None, typer.Option(help=MEMORY)] = None,
    warm_start: Annotated[
        bool, typer.Option(help="Try what was best in earlier runs on data of the same shape.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of splits, weights and proposals.")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Where TensorFlow Datasets keeps its data.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Largest side that images are stored at, in pixels.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of a text that are read.")] = None,
    group: Annotated[str | None, typer.Option(help=GROUP)] = None,
    validation_fraction: Annotated[float | None, typer.Option(help=VALIDATION)] = None,
    test_fraction: Annotated[float, typer.Option(help="Where the data names no test split.")] = 0.15,
    keep_near_duplicates: Annotated[
        bool, typer.Option("--keep-near-duplicates", help="Leave near duplicates where they are.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say each step, also where no terminal is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Make a model: load, search, refit, evaluate, package.

    Ctrl-C once finishes with the best model so far; twice leaves, and `kerasmith resume` goes on.
    """
    from pipelines.duration import parse_duration
    from pipelines.run import run
    from pipelines.terminal.chatter import chatter_to
    from pipelines.terminal.guard import print_json
    from pipelines.terminal.results import outcome_json, show_outcome
    from pipelines.terminal.views import Progress
    from records.config import RunConfig
    from store.home import open_home

    config = RunConfig(
        data=data,
        name=name,
        source=source,
        kind=kind,
        task=task,
        target=target,
        text=text,
        time=time_column,
        series_id=series_id,
        split=split,
        keep=tuple(keep or ()),
        ignore=tuple(ignore or ()),
        costs=tuple(cost or ()),
        horizon=horizon,
        history=history,
        season=season,
        quantiles=tuple(sorted(quantile)) if quantile else (0.1, 0.5, 0.9),
        known=tuple(known or ()),
        max_tokens=max_tokens,
        spaces=tuple(space or ()),
        backbones=tuple(backbone or ()),
        metric=metric,
        budget_seconds=parse_duration(budget),
        max_trials=trials,
        ensemble=ensemble,
        until=until,
        algorithm=algorithm,
        workers=workers,
        memory_gigabytes=memory,
        warm_start=warm_start,
        seed=seed,
        data_dir=data_dir,
        image_size=image_size,
        group=group,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        keep_near_duplicates=keep_near_duplicates,
    )
    home = open_home()
    with interruption_told(), Progress(config.budget_seconds, verbose) as progress, chatter_to(home.root / "run.log"):
        outcome = run(config, home, progress, process_start())
    if as_json:
        print_json(outcome_json(outcome))
    else:
        show_outcome(outcome)


def resume_command(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or how it begins.")],
    budget: Annotated[str | None, typer.Option(help="Wall clock from now on; else what the run has left.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say each step, also where no terminal is.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Go on with a run that was killed, interrupted or failed. No trial that ended runs again."""
    from pipelines.duration import parse_duration
    from pipelines.run import FOLDER, resume
    from pipelines.terminal.chatter import chatter_to
    from pipelines.terminal.guard import print_json
    from pipelines.terminal.results import outcome_json, read_home, show_outcome
    from pipelines.terminal.views import Progress
    from store.home import open_home

    home, extra = open_home(), None if budget is None else parse_duration(budget)
    with read_home() as stores:
        record = stores.ledger.get_run(run_id)
    with suppress(OSError, KeyError):  # the data's path counts from where the run was begun
        os.chdir(record.summary[FOLDER])
    left = extra if extra is not None else record.config["budget_seconds"] - record.used_seconds
    with interruption_told(), Progress(left, verbose) as progress, chatter_to(home.root / "run.log"):
        outcome = resume(record.id, home, progress, process_start(), extra)
    if as_json:
        print_json(outcome_json(outcome))
    else:
        show_outcome(outcome)


@contextmanager
def interruption_told() -> Iterator[None]:
    """Says what an interruption says: typer turns it into an exit code without a word."""
    try:
        yield
    except KeyboardInterrupt as error:
        typer.echo(f"kerasmith: {error}", err=True)
        raise


def process_start() -> float:
    """The monotonic second at which this process began: budgets count from there, imports included."""
    return time.monotonic() - max(0.0, time.time() - psutil.Process().create_time())
