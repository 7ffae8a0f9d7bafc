"""`kerasmith feedback`: the true answers that a served model was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.terminal.guard import print_json
from records.errors import ConfigError
from records.feedback import Feedback

MOST_CLASSES = 20
"""That are shown; JSON has all."""


def feedback_command(
    model: Annotated[str | None, typer.Argument(help="NAME or NAME:VERSION; else the newest model.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write every true answer to this new file, as lines of JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Count the true answers that a model was told at /feedback, or write them to a file."""
    from pipelines.terminal.results import read_home
    from serving.feedback_files import read_feedback

    with read_home() as stores:
        found = stores.registry.resolve(model)
        folder = stores.home.feedback_folder(found.name, found.version)
    kept = read_feedback(folder)
    told = {"model": found.ref, "folder": str(folder), **summary(kept if out is None else _written(kept, out))}
    if as_json:
        print_json(told)
        return
    lines = [f"{found.ref} was told {told['count']} true answers."]
    if told["count"]:
        lines = [f"{found.ref} was told {told['count']} true answers, {told['first']} to {told['last']}."]
        shown = list(told["classes"].items())[:MOST_CLASSES]
        lines += [f"  {count:7}  {label}" for label, count in shown]
        lines += (
            [f"  and {len(told['classes']) - len(shown)} more classes"] if len(told["classes"]) > len(shown) else []
        )
    typer.echo("\n".join([*lines, f"They are in {out or folder}"]))


def summary(kept: Iterable[Feedback]) -> dict[str, Any]:
    """How many there are, from when to when, and of classes how often each, the most frequent first."""
    times: list[str] = []
    classes: Counter[str] = Counter()
    count = 0
    for one in kept:
        count += 1
        times = [min([one.time, *times[:1]]), max([one.time, *times[1:]])]
        if isinstance(one.truth, str):
            classes[one.truth] += 1
    first, last = times or (None, None)
    return {"count": count, "first": first, "last": last, "classes": dict(classes.most_common())}


def _written(kept: Iterable[Feedback], out: Path) -> Iterable[Feedback]:
    """The same, each written to the file as it passes."""
    try:
        file = out.open("x", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}). Name a file that does not exist yet.") from None
    with file:
        for one in kept:
            file.write(one.model_dump_json() + "\n")
            yield one
