"""The command `kerasmith`. Each command reads its flags, calls one function and shows what came of it.

Answers go to the standard output, everything else to the standard error; `--json` makes the answer JSON.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pipelines.build_command import build_command
from pipelines.feedback_command import feedback_command
from pipelines.run_command import resume_command, run_command
from pipelines.runs_command import runs_app
from pipelines.serve_command import serve_command
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


app.command("run")(run_command)
app.add_typer(runs_app, name="runs")
app.command("resume")(resume_command)
app.command("build")(build_command)
app.command("feedback")(feedback_command)


@app.command("show")
def show_command(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or how it begins.")], as_json: AsJson = False
) -> None:
    """Show one run: what was tried, what came of it, what the data was like."""
    from pipelines.terminal.results import logs_of, read_home, run_details, show_run

    with read_home() as stores:
        record = stores.ledger.get_run(run_id)
        trials, logs = stores.ledger.trials(record.id), logs_of(stores.home, record.id)
    if as_json:
        print_json(run_details(record, trials, logs))
    else:
        show_run(record, trials, logs)


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


app.command("serve")(serve_command)


@app.command("predict")
def predict_command(
    model: ModelRef,
    files: Annotated[list[Path], typer.Argument(help="Pictures, or tables, texts or series as `run` takes them.")],
    out: Annotated[Path | None, typer.Option(help="Write every row with its answer to this csv or jsonl file.")] = None,
    top_k: Annotated[int, typer.Option(min=1, help="How many classes to show for each.")] = 3,
    text: Annotated[str | None, typer.Option(help="The column that holds the texts.")] = None,
    series_id: Annotated[str | None, typer.Option("--id", help="The column that names a row's series.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a model about files, without a server."""
    from pipelines.terminal.predictions import predict_command as predict

    code = predict(model, files, top_k, out, as_json, text, series_id)
    if code:
        raise typer.Exit(code)


@app.command("ui")
def ui_command(
    model: Annotated[str | None, typer.Argument(help="NAME or NAME:VERSION to try; else the newest model.")] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8501,
    server: Annotated[str | None, typer.Option(help="A server that runs already, http://HOST:PORT.")] = None,
) -> None:
    """Open the page: try a model, look at runs. Ctrl-C stops it."""
    from pipelines.terminal.page import open_page
    from store.home import open_home

    def ready(url: str, server_url: str | None) -> None:
        asked = f"It asks {server_url}." if server_url else "There is no model yet: kerasmith run digits --budget 2m"
        typer.echo(f"The page is at {url}\n{asked}\nCtrl-C stops it.")
        sys.stdout.flush()

    open_page(open_home(), model, server, host, port, ready)


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


def main() -> NoReturn:
    """The entry point. Errors become one sentence on the standard error and an exit code; see `records.errors`."""
    debug = DEBUG in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(guarded(app, arguments, debug))


if __name__ == "__main__":
    main()
