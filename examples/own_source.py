"""A source of one's own: pictures whose classes stand in a table. Use it with

    kerasmith run photos/ --source examples/own_source.py:load

where photos/ holds the pictures and a file labels.csv with the columns file, label and (may be left out) split.
"""

import csv
from collections.abc import Iterator
from pathlib import Path


def load(path: str) -> Iterator[dict]:
    """Yields a mapping for each picture; `split` is train, validation or test, or left out."""
    folder = Path(path)
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            example = {"image": folder / row["file"], "label": row["label"]}
            if row.get("split"):
                example["split"] = row["split"]
            yield example
