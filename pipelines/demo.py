"""`make demo`: the main job on the embedded digits, served and asked over HTTP."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import typer

from pipelines.duration import parse_duration
from records.api import Prediction, PredictResponse
from records.config import RunConfig
from records.data import Prepared, Split
from records.errors import KerasmithError
from serving.client import Client

BUDGET = "90s"


def main() -> int:
    """Makes a model of the digits, serves it, sends it a held-back example, and says what to type next."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipelines.run import run
    from pipelines.terminal.chatter import chatter_to
    from pipelines.terminal.results import show_outcome
    from pipelines.terminal.views import Progress
    from serving.serve import start_server
    from store.home import open_home

    home = open_home()
    config = RunConfig(data="digits", budget_seconds=parse_duration(BUDGET))
    typer.echo(f"kerasmith run digits --budget {BUDGET}\n")
    with Progress(config.budget_seconds, verbose=True) as progress, chatter_to(home.root / "run.log"):
        outcome = run(config, home, progress)
    typer.echo(f"\nkerasmith serve {outcome.model.ref}")
    with start_server(home, outcome.model.ref) as url:
        image, true = held_back(outcome.prepared)
        with Client(url) as client:
            answer, milliseconds = second_time(client, image)
        typer.echo(f"  {url} answered in {milliseconds:.1f} ms about a digit that was held back from training:")
        prediction = answer.predictions[0]
        assert isinstance(prediction, Prediction)
        typer.echo(f"  it is a {true}; the model says {prediction.label} with {prediction.probability:.1%}\n")
    show_outcome(outcome)
    return 0


def held_back(prepared: Prepared) -> tuple[bytes, str]:
    """The first example of the test split as PNG, and its true class."""
    from pipelines.package import png

    row = int(prepared.indices[Split.TEST][0])
    return png(np.asarray(prepared.inputs[row])), prepared.spec.labels[int(prepared.targets[row])]


def second_time(client: Client, image: bytes) -> tuple[PredictResponse, float]:
    """The answer, and the milliseconds that it took: the first request opens the connection."""
    client.predict([image], top_k=3)
    began = time.perf_counter()
    answer = client.predict([image], top_k=3)
    return answer, (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KerasmithError as error:
        typer.echo(f"kerasmith: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
