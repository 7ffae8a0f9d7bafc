"""`kerasmith build`: a Bento of a model, to be served anywhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pipelines.terminal.guard import print_json


def build_command(
    model: Annotated[str | None, typer.Argument(help="NAME or NAME:VERSION; else the newest model.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write it to this new folder instead of BentoML's store in the home.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Make a Bento: the model, the code that serves it, pinned requirements, a Dockerfile and Kubernetes manifests."""
    from serving.building.bento import build
    from store.home import open_home

    built = build(open_home(), model, output)
    if as_json:
        print_json(asdict(built))
        return
    lines = [
        f"{built.tag} holds {built.model}: {built.size_bytes / 1e6:.1f} MB, {len(built.packages)} packages to install, "
        f"{built.memory_bytes / 2**20:.0f} MiB of memory when served.",
        f"It is in {built.folder}",
        f"Install:  pip install -r {built.folder}/env/python/requirements.txt",
        f"Serve:    bentoml serve {built.folder}",
        f"Image:    docker build -f {built.folder}/deploy/Dockerfile {built.folder}",
    ]
    typer.echo("\n".join([*lines, *([built.note] if built.note else [])]))
