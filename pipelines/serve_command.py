"""The flags of `kerasmith serve`: each is a field of `ServeOptions`, or says where to listen."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

MODEL = "NAME or NAME:VERSION; else the newest model."
TOKENS = "A file with one token on each line. Only who sends one is answered; else everybody who reaches the port."
CONCURRENT = "Requests that a worker answers or keeps waiting; the next one gets 429. 64 if unsaid."
BODY = "The largest request in megabytes. 32 if unsaid."
COVERAGE = "How often sets and intervals hold the truth, 0.5 to 0.999, where a request does not say it."
ABSTAIN = "Withhold answers of a lower probability, 0 to 1, where a request does not say it."
LOG = "Write a line of JSON for each request to the standard error. Never what was sent."


def serve_command(
    model: Annotated[str | None, typer.Argument(help=MODEL)] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 3000,
    workers: Annotated[int, typer.Option(help="Processes that answer. One that dies is started again.")] = 1,
    tokens_file: Annotated[Path | None, typer.Option(envvar="KERASMITH_TOKENS_FILE", help=TOKENS)] = None,
    max_concurrent: Annotated[int | None, typer.Option(envvar="KERASMITH_MAX_CONCURRENT", help=CONCURRENT)] = None,
    max_body_mb: Annotated[float | None, typer.Option(envvar="KERASMITH_MAX_BODY_MB", help=BODY)] = None,
    coverage: Annotated[float | None, typer.Option(envvar="KERASMITH_COVERAGE", help=COVERAGE)] = None,
    abstain_below: Annotated[float | None, typer.Option(envvar="KERASMITH_ABSTAIN_BELOW", help=ABSTAIN)] = None,
    log_requests: Annotated[bool, typer.Option("--log-requests", envvar="KERASMITH_LOG_REQUESTS", help=LOG)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON once it answers.")] = False,
) -> None:
    """Serve a model over HTTP until Ctrl-C.

    Health is told at /livez and /readyz, counts and durations at /metrics.
    """
    from pipelines.terminal.guard import print_json
    from serving.serve import serve
    from serving.settings import ServeOptions
    from store.home import open_home

    options = ServeOptions(
        tokens_file=tokens_file,
        max_concurrent=max_concurrent,
        max_body_megabytes=max_body_mb,
        coverage=coverage,
        abstain_below=abstain_below,
        log_requests=log_requests,
    )

    def ready(ref: str, url: str) -> None:
        if as_json:
            print_json({"model": ref, "url": url, "process_id": os.getpid()})
        else:
            typer.echo(f"{ref} answers at {url}\nAsk it:  {_line(url, tokens_file)}\nCtrl-C stops it.")
        sys.stdout.flush()

    serve(open_home(), model, host, port, workers, on_ready=ready, options=options)


def _line(url: str, tokens_file: Path | None) -> str:
    """A command for a shell that asks the server."""
    from serving.client import Client
    from serving.guarding.tokens import LIST
    from serving.kinds import curl_line

    if tokens_file is not None or os.environ.get(LIST):
        return f"curl -H 'Authorization: Bearer TOKEN' {url}/describe"
    with Client(url) as client:
        served = client.describe()
    return curl_line(served.input_kind, served.sample, url)
