"""`kerasmith predict`: a model's answers about files, without a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from pipelines.reporting import wording
from pipelines.terminal.console import make_console, plain, table
from pipelines.terminal.guard import print_json
from records.api import AnyPrediction, Prediction
from records.errors import ConfigError, InputError
from records.spec import InputKind
from serving.bundle import ModelBundle, open_bundle, verify
from serving.model_store import folder_of
from serving.parsing.parameters import Options
from store.database import open_database
from store.home import open_home
from store.registry import Registry

SHOWN_ROWS = 20
SHOWN_ERRORS = 10
SHOWN_OTHERS = 3
"""Classes that are shown with their probability."""


def predict_command(
    ref: str,
    files: Sequence[Path],
    top_k: int = 3,
    out: Path | None = None,
    as_json: bool = False,
    text: str | None = None,
    series_id: str | None = None,
) -> int:
    """Answers on the standard output or in a file; notes and errors on the standard error.

    Args:
        ref: `name` or `name:version`.
        files: Pictures, or files of texts, series or rows, as the model takes them.
        top_k: How many classes to show for a picture.
        out: A .csv or .jsonl file for everything that is in the files, and the answers; `None`: they are shown.
        as_json: Print all answers as JSON.
        text: The column that holds the texts.
        series_id: The column that names a row's series.

    Returns:
        The exit code: 0, or that of the first input without an answer.

    Raises:
        ConfigError: There is no such model, file or column, or `out` cannot be written.
        DataError: A file cannot be read.
        BundleError: The model is damaged.
    """
    if not files:
        raise ConfigError("No file was named. Expected at least one.")
    if out is not None:
        from pipelines.scoring.output import check_output

        check_output(out, files)
    with opened(ref) as (model, bundle):
        if bundle.codec.kind == InputKind.IMAGE and out is None:
            answers = _ask_pictures(model, bundle, files, top_k)
            if as_json:
                print_json(answers.as_json())
            else:
                show_predictions(answers)
            return next((error.exit_code for error in answers.failures.values()), 0)
        return _score(model, bundle, files, out, as_json, text, series_id)


@contextmanager
def opened(ref: str) -> Iterator[tuple[str, ModelBundle]]:
    """A registered model as `name:version` and as its bundle, verified, for as long as the body runs.

    Raises:
        ConfigError: There is no such model.
        BundleError: It is damaged.
    """
    home = open_home()
    engine = open_database(home)
    try:
        model = Registry(engine).resolve(ref)
    finally:
        engine.dispose()
    folder = folder_of(home, model.name, model.bundle_id)
    verify(folder, model.checksum)
    bundle = open_bundle(folder)
    try:
        yield model.ref, bundle
    finally:
        bundle.close()


@dataclass(frozen=True)
class Answers:
    """What a model said of some pictures."""

    model: str
    predictions: dict[str, AnyPrediction]
    """By file, as it was named."""
    failures: dict[str, InputError]

    def as_json(self) -> dict[str, Any]:
        """Predictions and errors, by file."""
        return {
            "model": self.model,
            "predictions": {name: one.model_dump(exclude_none=True) for name, one in self.predictions.items()},
            "errors": {name: str(error) for name, error in self.failures.items()},
        }


def predict_files(ref: str, files: Sequence[Path], top_k: int) -> Answers:
    """Asks a registered model about each picture; one that cannot be read does not keep the others from an answer.

    Raises:
        ConfigError: There is no such model.
        BundleError: It is damaged.
    """
    with opened(ref) as (model, bundle):
        return _ask_pictures(model, bundle, files, top_k)


def _ask_pictures(model: str, bundle: ModelBundle, files: Sequence[Path], top_k: int) -> Answers:
    predictions: dict[str, AnyPrediction] = {}
    failures: dict[str, InputError] = {}
    for file, answer in zip(files, bundle.predict_each(files, Options(top_k=top_k)), strict=True):
        if isinstance(answer, InputError):
            failures[str(file)] = answer
        else:
            predictions[str(file)] = answer
    return Answers(model, predictions, failures)


def show_predictions(answers: Answers) -> None:
    """A table of answers, and a line on the standard error for each file that could not be read."""
    if answers.predictions:
        make_console().print(predictions_table(list(answers.predictions), list(answers.predictions.values())))
    for name, error in answers.failures.items():
        typer.echo(f"kerasmith: {name}: {error}", err=True)


def predictions_table(names: Sequence[str], predictions: Sequence[AnyPrediction]) -> Table:
    """The answer for each file, and the classes that come after it."""
    made = table("file", "answer", "probability", "then", right=["probability"])
    for name, one in zip(names, predictions, strict=True):
        if isinstance(one, Prediction):
            then = [f"{c.label} {wording.number(c.probability)}" for c in one.classes if c.label != one.label]
            cells = (plain(one.label, "bold"), wording.number(one.probability), plain(", ".join(then), "dim"))
        else:
            cells = (plain(f"{getattr(one, 'value', '')}", "bold"), "", plain(""))
        made.add_row(plain(name), *cells)
    return made


def _score(
    model: str,
    bundle: ModelBundle,
    files: Sequence[Path],
    out: Path | None,
    as_json: bool,
    text: str | None,
    series_id: str | None,
) -> int:
    from pipelines.scoring.inputs import plain as json_cells
    from pipelines.scoring.output import write_table
    from pipelines.scoring.score import Scored, score_files

    scored: Scored = score_files(bundle, files, text, series_id)
    for note in dict.fromkeys(scored.notes):
        typer.echo(note, err=True)
    if out is not None:
        write_table(scored.table, out)
        typer.echo(f"{out} holds {wording.plural(scored.table.num_rows, 'row')} with the answers of {model}.", err=True)
    if as_json:
        print_json(
            {"model": model, "predictions": json_cells(scored.table).to_pylist(), "out": str(out) if out else None}
        )
    elif out is None:
        make_console().print(scored_table(scored))
        if (more := scored.table.num_rows - SHOWN_ROWS) > 0:
            typer.echo(f"{wording.plural(more, 'more row')}. All of them, in a file: --out FILE.csv", err=True)
    for name, error in scored.failures[:SHOWN_ERRORS]:
        typer.echo(f"kerasmith: {name}: {error}", err=True)
    if (more := len(scored.failures) - SHOWN_ERRORS) > 0:
        typer.echo(
            f"kerasmith: {wording.plural(more, 'more input')} without an answer; see the column error.", err=True
        )
    return next((error.exit_code for _, error in scored.failures), 0)


def scored_table(scored: Any) -> Table:
    """The first rows: what was asked about, and the answers.

    Args:
        scored: A `pipelines.scoring.score.Scored`.
    """
    titles = [title for title in scored.titles if not title.startswith("p_")]
    made = table("input", *titles, right=[title for title in titles if title not in ("prediction", "time")])
    rows = scored.table.select(titles).slice(0, SHOWN_ROWS).to_pylist()
    for name, row in zip(scored.names, rows, strict=False):
        made.add_row(plain(name), *(_cell(value) for value in row.values()))
    return made


def _cell(value: Any) -> Any:
    if value is None:
        return plain("")
    return f"{value:.6g}" if isinstance(value, float) else plain(value)
