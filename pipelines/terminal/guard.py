"""Turns what a command raises into one sentence on the standard error and an exit code."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click
import typer

from records.errors import KerasmithError

EXIT_UNEXPECTED = 70
EXIT_INTERRUPTED = 130


def guarded(app: typer.Typer, arguments: list[str], debug: bool) -> int:
    """Runs a command; returns its exit code. `records.errors` lists those of our own errors.

    Args:
        app: The commands.
        arguments: Without the program's name.
        debug: Lets errors through, so that their traceback is seen.
    """
    try:
        return app(arguments, standalone_mode=False) or 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        return _fail(str(error) or "Interrupted. Nothing that was there before is lost.", EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has seen enough
        return 0
    except KerasmithError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code, as_json="--json" in arguments, kind=type(error).__name__)
    except Exception as error:
        if debug:
            raise
        text = f"Something unexpected went wrong: {type(error).__name__}: {error}. Add --debug to see where."
        return _fail(text, EXIT_UNEXPECTED, as_json="--json" in arguments, kind=type(error).__name__)


def _fail(text: str, exit_code: int, as_json: bool = False, kind: str = "") -> int:
    typer.echo(f"kerasmith: {text}", err=True)
    if as_json:
        print_json({"error": text, "kind": kind, "exit_code": exit_code})
    return exit_code


def print_json(value: Any) -> None:
    """One JSON document on the standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
