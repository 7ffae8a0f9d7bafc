"""The search against others.

Every program gets the same training examples, the same wall clock from the start of its process (3 minutes, 10 for
images) and the same two cores, and answers the same test examples afterwards; accuracy is computed by one function.
What a publisher set aside for validation belongs to the training examples, and each program splits off its own.

- Kerasmith runs through its command line with `--metric accuracy` and its other defaults. Random search is Kerasmith
  with `--algorithm random`: the same spaces, without the portfolio of known good configurations and without a model of
  what is good. Both may use what the installation brings: an image network and a sentence encoder, both pretrained.
- KerasTuner searches spaces written by hand for each kind of data (`benchmarks/peers/spaces.py`), for images with the
  same pretrained network and a MobileNet. Its spaces for texts learn from the texts alone.
- AutoKeras runs its image, text and table classifiers, and its blocks put together for series.

KerasTuner and AutoKeras have no wall clock; a callback ends the search when its last fit, on all training examples,
has to begin. `KERASMITH_BENCH_DATA` names the folder with the datasets, `scripts/peers` makes the environments.

    python -m benchmarks.search_quality --list
    python -m benchmarks.search_quality                      # everything that is missing or stale, seed by seed
    python -m benchmarks.search_quality 'trec-*' '*-ours-0'  # cells by name or pattern
    python -m benchmarks.search_quality --examples 300 --seconds 30 trec-hyperband-0   # a try, not written down
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import traceback
from collections.abc import Sequence
from functools import partial

from benchmarks.cells import Cell, run, say
from benchmarks.quality_data import DATASETS
from benchmarks.quality_methods import METHODS, measure

SEEDS = (0, 1, 2)
CELLS = tuple(
    Cell(
        bench="search_quality",
        name=f"{dataset}-{method}-{seed}",
        measure=partial(measure, dataset, method, seed),
        files=METHODS[method].files,
        packages=("keras", "tensorflow") if METHODS[method].module is None else (),
    )
    for seed in SEEDS  # first, so that a stop leaves all methods and datasets with as many seeds
    for dataset in DATASETS
    for method in METHODS
)


def chosen(patterns: Sequence[str]) -> list[Cell]:
    """The cells that a name or pattern fits, in the order of `CELLS`; all where there is none.

    Raises:
        SystemExit: One fits no cell.
    """
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(cell.name, pattern) for cell in CELLS):
            raise SystemExit(
                f"No cell is called {pattern}. Expected DATASET-METHOD-SEED, a pattern may hold *; datasets: "
                f"{', '.join(DATASETS)}; methods: {', '.join(METHODS)}; seeds: {', '.join(map(str, SEEDS))}."
            )
    return [cell for cell in CELLS if not patterns or any(fnmatch.fnmatchcase(cell.name, one) for one in patterns)]


def main(arguments: Sequence[str]) -> int:
    """Measures cell by cell; one that fails does not keep the others from being measured.

    Returns:
        The exit code: 1 where a cell failed.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="cells or patterns of them; all when left out")
    parser.add_argument("--again", action="store_true", help="measure also what is up to date")
    parser.add_argument("--list", action="store_true", help="say how each cell stands, and end")
    parser.add_argument("--examples", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    flags = [f"--{name}" for name in ("again", "list") if getattr(asked, name)]
    failed = []
    for cell in chosen(asked.names):
        try:
            if asked.examples or asked.seconds:
                dataset, method, seed = cell.measure.args  # type: ignore[attr-defined]
                figures = measure(dataset, method, seed, asked.examples, asked.seconds)
                say(f"{cell.name} (a try): {json.dumps(figures)}")
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
