"""`kerasmith runs`: lists them, or compares some of them."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.terminal.guard import print_json

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]

runs_app = typer.Typer(
    help="List the runs, newest first; or compare some of them.",
    invoke_without_command=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@runs_app.callback()
def runs_command(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the runs, newest first; or compare some of them."""
    if context.invoked_subcommand is not None:
        return
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


@runs_app.command("compare")
def compare_command(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Two runs' ids or more, or how they begin.")],
    as_json: AsJson = False,
) -> None:
    """Show runs side by side: what was asked, tried and found, and what of it may be compared."""
    from pipelines.compare import compare, compared_json
    from pipelines.terminal.comparison import comparison_view
    from pipelines.terminal.results import read_home
    from pipelines.terminal.views import make_console

    with read_home() as stores:
        stores.ledger.mark_dead_runs()
        compared = compare(runs, stores.home, stores.ledger)
    if as_json:
        print_json(compared_json(compared))
    else:
        make_console().print(comparison_view(compared))
