"""Kerasmith's server against others.

One machine, one network, the same question for all, wrapped as each server wants it: an image as base64 in JSON or as
its bytes, a text as JSON. The networks are made with fixed seeds and never trained: `cnn` (32 x 32 pixels, 95 thousand
parameters), `mobilenet` (96 x 96, MobileNetV2, 2.3 million) and `encoder` (4 blocks of 320, 64 tokens). Kerasmith runs
`kerasmith serve` with everything on: each guard that is listed was tried right before, and a cell ends with an error
where one is missing. The others run the same ONNX file with the same decoding and the same tokenizer:

- `bare`: uvicorn (uvloop, httptools), orjson and ONNX Runtime in some fifty lines, without a check of anything.
- `bentoml`: its default API, JSON as arguments, the image's bytes as a file of a form.
- `mlserver`: a runtime of one's own, V2 JSON; the image's bytes at an address of its own, past its V2 layers.
- `litserve`: JSON, or a file of a form.

Each has one worker. What a peer can be set up with (threads of a batch, requests in threads, batching) was tried
before, see settings; the better is used. The load comes from a process of its own, on the same cores.

    scripts/peers mlserver litserve                # once; KERASMITH_PEERS names the folder
    python -m benchmarks.serving_networks          # once, on a quiet machine; KERASMITH_BENCH_SERVING names the folder
    python -m benchmarks.serving --list
    python -m benchmarks.serving                   # everything that is missing or stale
    python -m benchmarks.serving 'closed-*'        # cells by name or pattern
    python -m benchmarks.serving --try open-cnn-json   # a few seconds of it, not written down; missing guards are told
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.cells import Cell, run, say
from benchmarks.serving_closed import TRY, closed, settings
from benchmarks.serving_costs import generator, memory, ready
from benchmarks.serving_networks import NETWORKS
from benchmarks.serving_open import opened
from records.spec import InputKind

PEERS = ("benchmarks/peers/serving_*.py", "benchmarks/peers/requirements-mlserver.txt")
HARNESS = (
    *("benchmarks/serving_load.py", "benchmarks/serving_wire.py", "benchmarks/serving_methods.py"),
    *("benchmarks/serving_networks.py", "benchmarks/serving_payloads.py", "benchmarks/serving_traffic.py"),
    *PEERS,
    "benchmarks/peers/requirements-litserve.txt",
)
SERVER = ("serving/**/*.py",)
PACKAGES = ("bentoml", "uvicorn", "uvloop", "httptools", "orjson", "onnxruntime", "pillow", "tokenizers")
FORMS = {name: ("json", "image") if one.kind is InputKind.IMAGE else ("json",) for name, one in NETWORKS.items()}
Measure = Callable[..., dict[str, Any]]


def _cell(name: str, measure: Measure, files: tuple[str, ...], *arguments: str) -> Cell:
    return Cell(bench="serving", name=name, measure=partial(measure, *arguments), files=files, packages=PACKAGES)


CLOSED = (*SERVER, *HARNESS, "benchmarks/serving_closed.py", "benchmarks/serving_guards.py")
CELLS = (
    _cell("generator", generator, ("benchmarks/serving_load.py", "benchmarks/serving_wire.py")),
    *(_cell(f"settings-{network}", settings, HARNESS, network) for network in NETWORKS),
    *(
        _cell(f"closed-{network}-{form}", closed, CLOSED, network, form)
        for network in NETWORKS
        for form in FORMS[network]
    ),
    *(
        _cell(f"open-{network}-{form}", opened, (*CLOSED, "benchmarks/serving_open.py"), network, form)
        for network in NETWORKS
        for form in FORMS[network]
    ),
    _cell("memory", memory, (*SERVER, *HARNESS, "benchmarks/serving_costs.py")),
    _cell("ready", ready, (*SERVER, *HARNESS, "benchmarks/serving_costs.py")),
)


def main(arguments: Sequence[str]) -> int:
    """Measures cell by cell; one that fails does not keep the others from being measured.

    Returns:
        The exit code: 1 where a cell failed.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="cells or patterns of them; all when left out")
    parser.add_argument("--again", action="store_true", help="measure also what is up to date")
    parser.add_argument("--list", action="store_true", help="say how each cell stands, and end")
    parser.add_argument("--try", action="store_true", dest="trying", help="briefly, and write nothing down")
    asked = parser.parse_args(arguments)
    for pattern in asked.names:
        if not any(fnmatch.fnmatchcase(cell.name, pattern) for cell in CELLS):
            parser.error(f"no cell is called {pattern}; known: {', '.join(cell.name for cell in CELLS)}")
    flags = [f"--{name}" for name in ("again", "list") if getattr(asked, name)]
    failed = []
    for cell in CELLS:
        if asked.names and not any(fnmatch.fnmatchcase(cell.name, pattern) for pattern in asked.names):
            continue
        try:
            if asked.trying:
                say(f"{cell.name} (a try): {json.dumps(cell.measure(pace=TRY))}")  # type: ignore[call-arg]
            else:
                run([cell], flags)
        except (SystemExit, Exception) as error:
            failed.append(cell.name)
            say(f"{cell.name} failed: {error if isinstance(error, SystemExit) else traceback.format_exc()}")
    if failed:
        say(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
