"""Which files a table is made of: one, or those of a folder that are for training, validation and test."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.datasets.splits import split_named
from pipelines.datasets.tables.naming import listed
from pipelines.datasets.tables.reading import ending
from records.data import Split, Understood
from records.errors import ConfigError

SURE = frozenset({".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".pq"})
"""Endings of tables."""
MAYBE = frozenset({".txt", ".data", ".json", ".dat"})
"""Endings of tables, and of other things that lie beside them."""
OTHERS = frozenset({".ts", ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".py", ".keras", ".onnx"})
"""Endings of what is surely no table."""
LAYOUT = "Expected one file, or files whose names say train, test and maybe validation"


@dataclass(frozen=True, slots=True)
class TableFile:
    """One file, and what its name says that it is for."""

    path: Path
    split: Split | None = None


def is_table_path(path: Path) -> bool:
    """Whether `path` is, or would be, a table: a file that is nothing else, or a folder of a train and a test file."""
    if path.is_dir():
        try:
            entries = list(path.iterdir())
        except OSError:
            return False
        files = _candidates(entries)
        folders = any(entry.is_dir() and not entry.name.startswith((".", "__MACOSX")) for entry in entries)
        trains = any(file.split is Split.TRAIN for file in files)
        return trains or (bool(files) and not folders)
    return ending(path) not in OTHERS if path.is_file() else ending(path) in SURE | MAYBE


def find_files(asked: Path) -> tuple[list[TableFile], list[Understood]]:
    """The files of the table, those for training first.

    Args:
        asked: A file or a folder.

    Raises:
        ConfigError: There is none, or a folder's files do not say which is for what.
    """
    if not asked.is_dir():
        return [TableFile(asked)], []
    try:
        entries = list(asked.iterdir())
    except OSError as error:
        raise ConfigError(f"{asked} cannot be read: {error.strerror}. Expected a readable folder.") from error
    files = _candidates(entries)
    if not files:
        raise ConfigError(f"{asked} holds no table. {LAYOUT}.")
    if len(files) == 1:
        only = files[0].path
        return [TableFile(only)], [Understood(what=f"The table is {only.name}, the only one in the folder.")]
    named = [file for file in files if file.split is not None]
    others = [file.path for file in files if file.split is None]
    if Split.TRAIN not in {file.split for file in named}:
        if not named or len(others) != 1:
            names = listed([file.path.name for file in files])
            raise ConfigError(f"{asked} holds {len(files)} tables: {names}. {LAYOUT}; or name one of them.")
        named, others = [TableFile(others[0], Split.TRAIN), *named], []
    order = list(Split)
    named.sort(key=lambda file: (order.index(file.split or Split.TRAIN), file.path.name))
    return named, _told(named, others)


def _candidates(entries: Sequence[Path]) -> list[TableFile]:
    files = [entry for entry in sorted(entries) if entry.is_file() and not entry.name.startswith((".", "_", "~"))]
    tables = [TableFile(file, _split_of(file)) for file in files if ending(file) in SURE]
    if not tables:
        maybe = [file for file in files if ending(file) in MAYBE or split_named(ending(file).lstrip("."))]
        tables = [TableFile(file, _split_of(file)) for file in maybe]
        named = [table for table in tables if table.split is not None]
        tables = tables if len(tables) - len(named) <= 1 or not named else named
    return tables


def _split_of(path: Path) -> Split | None:
    """What the name says: "train.csv", "adult.test", "X_TRAIN.csv", "train-00000-of-00002.parquet"; `None` where it
    says nothing, or two things."""
    words = re.split("[^a-z]+", path.name.lower())
    found = {split for word in words if (split := split_named(word)) is not None}
    return found.pop() if len(found) == 1 else None


def _told(named: Sequence[TableFile], others: Sequence[Path]) -> list[Understood]:
    what = ", ".join(f"{file.path.name} is for {file.split}" for file in named)
    told = [Understood(what=f"The files are taken as splits: {what}.")]
    if others:
        told.append(Understood(what=f"Other tables of the folder are left out: {listed([o.name for o in others])}."))
    return told


def fingerprint(files: Sequence[TableFile]) -> str:
    """Changes when a file does: of their paths, sizes and times."""
    digest = hashlib.sha256()
    for file in files:
        status = file.path.stat()
        path = os.fsencode(file.path.resolve())
        digest.update(path + f"\0{status.st_size}\0{status.st_mtime_ns}\0{file.split}\n".encode())
    return f"table-{digest.hexdigest()}"
