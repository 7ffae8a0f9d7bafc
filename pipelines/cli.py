"""The command `kerasmith`. Each command reads its flags, calls one function and shows what came of it.

Answers go to the standard output, everything else to the standard error; `--json` makes the answer JSON.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

import psutil
import typer

from pipelines.terminal.guard import guarded, print_json

DEBUG = "--debug"

app = typer.Typer(
    name="kerasmith",
    help="From a dataset to a tuned Keras model behind an HTTP endpoint.",
    epilog="Add --debug to any command to see the traceback of an error. Everything is kept in KERASMITH_HOME.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
ModelRef = Annotated[str, typer.Argument(help="NAME for its newest version, or NAME:VERSION.")]


@app.command("run")
def run_command(
    data: Annotated[str, typer.Argument(help="A folder of images, tfds:NAME, or digits.")],
    budget: Annotated[str, typer.Option(help="Wall clock for everything: 90s, 10m, 1h30m.")] = "10m",
    name: Annotated[str | None, typer.Option(help="The model's name; else taken from the data.")] = None,
    source: Annotated[str | None, typer.Option(help="Your own source, FILE.py:FUNCTION, which is given DATA.")] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(help="cnn, frozen_backbone, finetuned_backbone, or your own FILE.py:NAME. Repeatable."),
    ] = None,
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="A pretrained backbone: efficientnet_lite0, applications:NAME, or FILE.keras. Repeatable."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What to improve: accuracy, balanced_accuracy, f1_macro or log_loss.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="At most so many trials, the floor included.")] = None,
    seed: Annotated[int, typer.Option(help="Of splits, weights and proposals.")] = 0,
    data_dir: Annotated[Path | None, typer.Option(help="Where TensorFlow Datasets keeps its data.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Largest side that images are stored at, in pixels.")] = None,
    group: Annotated[
        str | None, typer.Option(help="A regular expression with one group; equal matches share a split.")
    ] = None,
    validation_fraction: Annotated[float, typer.Option(help="Of the examples that are not for testing.")] = 0.15,
    test_fraction: Annotated[float, typer.Option(help="Where the data names no test split.")] = 0.15,
    keep_near_duplicates: Annotated[
        bool, typer.Option("--keep-near-duplicates", help="Leave near duplicates where they are.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say each step, also where no terminal is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a model: load, search, refit, evaluate, package.

    Ctrl-C once finishes with the best model so far; twice leaves.
    """
    from pipelines.duration import parse_duration
    from pipelines.run import run
    from pipelines.terminal.chatter import chatter_to
    from pipelines.terminal.results import outcome_json, show_outcome
    from pipelines.terminal.views import Progress
    from records.config import RunConfig
    from store.home import open_home

    config = RunConfig(
        data=data,
        name=name,
        source=source,
        spaces=tuple(space or ()),
        backbones=tuple(backbone or ()),
        metric=metric,
        budget_seconds=parse_duration(budget),
        max_trials=trials,
        seed=seed,
        data_dir=data_dir,
        image_size=image_size,
        group=group,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        keep_near_duplicates=keep_near_duplicates,
    )
    home = open_home()
    with Progress(config.budget_seconds, verbose) as progress, chatter_to(home.root / "run.log"):
        outcome = run(config, home, progress, process_start())
    if as_json:
        print_json(outcome_json(outcome))
    else:
        show_outcome(outcome)


@app.command("runs")
def runs_command(
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20, as_json: AsJson = False
) -> None:
    """List the runs, newest first."""
    from pipelines.terminal.results import read_home, run_json
    from pipelines.terminal.views import make_console, runs_table

    with read_home() as stores:
        stores.ledger.mark_dead_runs()
        runs = stores.ledger.runs(limit)
    if as_json:
        print_json([run_json(one) for one in runs])
    elif not runs:
        typer.echo("There are no runs yet. Make one: kerasmith run digits --budget 2m")
    else:
        make_console().print(runs_table(runs))


@app.command("show")
def show_command(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or how it begins.")], as_json: AsJson = False
) -> None:
    """Show one run: what was tried, what came of it, what the data was like."""
    from pipelines.terminal.results import read_home, run_details, show_run

    with read_home() as stores:
        record = stores.ledger.get_run(run_id)
        trials = stores.ledger.trials(record.id)
    if as_json:
        print_json(run_details(record, trials))
    else:
        show_run(record, trials)


@app.command("models")
def models_command(
    name: Annotated[str | None, typer.Argument(help="Only the versions of this model.")] = None, as_json: AsJson = False
) -> None:
    """List the models that can be served."""
    from pipelines.terminal.results import model_json, read_home
    from pipelines.terminal.views import make_console, models_table

    with read_home() as stores:
        models = stores.registry.versions(name)
    if as_json:
        print_json([model_json(one) for one in models])
    elif not models:
        typer.echo("There are no models yet. Make one: kerasmith run digits --budget 2m")
    else:
        make_console().print(models_table(models))


@app.command("serve")
def serve_command(
    model: Annotated[str | None, typer.Argument(help="NAME or NAME:VERSION; else the newest model.")] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 3000,
    workers: Annotated[int, typer.Option(help="Processes that answer.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Serve a model over HTTP until Ctrl-C."""
    from serving.serve import serve
    from store.home import open_home

    def ready(ref: str, url: str) -> None:
        if as_json:
            print_json({"model": ref, "url": url, "process_id": os.getpid()})
        else:
            typer.echo(
                f"{ref} answers at {url}\nAsk it:  curl --data-binary @picture.jpg "
                f"-H 'Content-Type: image/jpeg' {url}/predict\nCtrl-C stops it."
            )
        sys.stdout.flush()

    serve(open_home(), model, host, port, workers, on_ready=ready)


@app.command("predict")
def predict_command(
    model: ModelRef,
    images: Annotated[list[Path], typer.Argument(help="Picture files.")],
    top_k: Annotated[int, typer.Option(min=1, help="How many classes to show for each.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Ask a model about pictures, without a server."""
    from pipelines.terminal.results import predict_files, show_predictions

    answers = predict_files(model, images, top_k)
    if as_json:
        print_json(answers.as_json())
    else:
        show_predictions(answers)
    if answers.failures:
        raise typer.Exit(next(iter(answers.failures.values())).exit_code)


@app.command("doctor")
def doctor_command(as_json: AsJson = False) -> None:
    """Check this machine and the home folder, and say what to do about what is wrong."""
    from dataclasses import asdict

    from pipelines.doctor.examine import examine
    from pipelines.terminal.views import checks_table, make_console
    from store.home import open_home

    checks = examine(open_home())
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        make_console().print(checks_table(checks))
    if any(check.ok is False for check in checks):
        raise typer.Exit(1)


def process_start() -> float:
    """The monotonic second at which this process began: budgets count from there, imports included."""
    return time.monotonic() - max(0.0, time.time() - psutil.Process().create_time())


def main() -> NoReturn:
    """The entry point. Errors become one sentence on the standard error and an exit code; see `records.errors`."""
    debug = DEBUG in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(guarded(app, arguments, debug))


if __name__ == "__main__":
    main()
