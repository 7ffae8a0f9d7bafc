"""A table's file, or a folder of a train and a test file: rows, texts, series, or what is to be forecast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.datasets.table_files import TableFile, find_files, fingerprint, is_table_path
from pipelines.datasets.tables.columns import is_string, to_codes, to_numbers, to_texts
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.joining import joined, same_labels
from pipelines.datasets.tables.naming import column_named, listed
from pipelines.datasets.tables.opening import GZIP, PARQUET, head_of
from pipelines.datasets.tables.profile import Profile, Role, profile
from pipelines.datasets.tables.reading import read
from pipelines.datasets.tables.splits import given_splits
from pipelines.datasets.tables.target import choose_target, is_regression, labelled
from records.config import RunConfig
from records.data import Example, Finding, InputKind, Source, Split, Understood
from records.errors import ConfigError, DataError, KerasmithError

__all__ = ["is_table_path", "load"]

HEAD_ROWS = 5000
"""Rows that tell what one example is."""
SAMPLE = 1 << 19
AT_ONCE = 4096
"""Rows that are Python objects at a time."""
STEPS = 3
"""Rows that a series has at least, on average."""


@dataclass(frozen=True, slots=True)
class _Opened:
    files: Sequence[TableFile]
    config: RunConfig
    target: str = ""
    """Empty for forecasting, which chooses its own."""


def load(config: RunConfig) -> Source:
    """The table that `config.data` names. Reads its first rows now, to tell what one example is.

    Raises:
        ConfigError: No such file, column or kind.
        DataError: It is no table.
    """
    asked = Path(config.data).expanduser()
    files, told = find_files(asked)
    head = read(files[0].path, HEAD_ROWS)
    kind, target, text, also = _kind(head, config)
    opened = _Opened(files, config, target)
    told += also
    findings: list[Finding] = []
    examples: Callable[[], Iterator[Example]] | None = None
    if kind in (InputKind.TEXT, InputKind.SERIES):  # of the others, who reads the frame tells how it was understood
        told = [*head.understood, *told]
        examples = (
            (lambda: _texts(opened, text, findings)) if kind is InputKind.TEXT else (lambda: _series(opened, findings))
        )
    channels: tuple[str, ...] = ()
    if kind is InputKind.SERIES:
        from pipelines.datasets.series_long import choose_long_columns  # it reads frames, as this does

        chosen = choose_long_columns(head, config, target)
        channels = chosen.channels
        told += chosen.understood
    return Source(
        name=_name(asked),
        kind=kind,
        channels=channels,
        fingerprint=fingerprint(files),
        examples=examples,
        frame=None if examples else lambda: _whole(opened, kind is InputKind.TABLE),
        num_examples=None if kind is InputKind.SERIES else _estimate(files, head),
        understood=tuple(told),
        findings=findings,
    )


def _kind(head: Frame, config: RunConfig) -> tuple[InputKind, str, str, list[Understood]]:
    """What one example is, the target, the column of texts, and what to tell."""
    asked = InputKind(config.kind) if config.kind is not None else None
    if asked is InputKind.IMAGE:
        raise ConfigError("`--kind image` needs a folder of images. Received a table: leave `--kind` out.")
    if asked is InputKind.FORECAST or (asked is None and config.task == "forecasting"):
        return InputKind.FORECAST, "", "", []
    target, told = choose_target(head, config)
    notes = [told] if told else []
    if asked is InputKind.SERIES or (asked is None and _is_long(head, config, target)):
        return InputKind.SERIES, target, "", notes
    profiles = profile(replace(head, target=target), config)
    used = [one for one in profiles if one.used]
    texts = [one.name for one in used if one.role is Role.TEXT]
    if asked is InputKind.TEXT or (asked is None and config.text is not None):
        return InputKind.TEXT, target, _text_column(head, config, profiles, texts), notes
    if asked is None and len(texts) == len(used) == 1:
        notes.append(Understood(what=f"{texts[0]} holds the texts, the only column to learn from.", override="--kind"))
        return InputKind.TEXT, target, texts[0], notes
    return InputKind.TABLE, target, "", notes


def _text_column(head: Frame, config: RunConfig, profiles: Sequence[Profile], texts: Sequence[str]) -> str:
    if config.text is not None:
        return column_named(head.names, config.text, "text")
    if len(texts) == 1:
        return texts[0]
    strings = [one.name for one in profiles if is_string(head.column(one.name)) and one.role is not Role.IGNORED]
    if len(strings) == 1:
        return strings[0]
    among = texts or strings or head.names
    raise ConfigError(f"Which column holds the texts is not clear. Name one with `--text`, of: {listed(among)}.")


def _is_long(head: Frame, config: RunConfig, target: str) -> bool:
    """Whether the rows are the steps of series: an id and a time, several rows for each id, one target for each."""
    from pipelines.datasets.series_long import choose_long_columns  # it reads frames, as this does

    if config.text is not None:
        return False
    try:
        chosen = choose_long_columns(head, config, target)
    except KerasmithError:
        return False
    codes, names = to_codes(head.column(chosen.series))
    answers, _ = to_codes(head.column(target))
    if chosen.time is None or head.num_rows < STEPS * len(names) or target == chosen.time:
        return False
    pairs = np.unique(np.stack([codes, answers]), axis=1)
    return pairs.shape[1] == len(np.unique(codes)) and len(np.unique(answers)) > 1


def _whole(opened: _Opened, with_target: bool) -> Frame:
    frames = [(file.path.name, read(file.path)) for file in opened.files]
    frame = frames[0][1] if len(frames) == 1 else joined(frames, [file.split for file in opened.files])
    if not opened.target:
        return frame
    if opened.target not in frame.names:
        raise DataError(f"The column {opened.target} is not in the table any more. Start again.")
    frame = same_labels(replace(frame, target=opened.target), opened.target)
    return labelled(frame, opened.target, opened.config) if with_target else frame


def _texts(opened: _Opened, text: str, findings: list[Finding]) -> Iterator[Example]:
    frame = _whole(opened, with_target=True)
    findings[:] = frame.findings
    number = is_regression(frame, opened.target, opened.config)
    answers = frame.column(opened.target)
    splits = given_splits(frame, opened.config)
    texts, order = pc.fill_null(to_texts(frame.column(text)), ""), list(Split)
    for start in range(0, frame.num_rows, AT_ONCE):
        labels = answers.slice(start, AT_ONCE)
        named = to_numbers(labels).tolist() if number else to_texts(labels).to_pylist()
        for place, raw in enumerate(texts.slice(start, AT_ONCE).to_pylist()):
            row = start + place
            given = splits[row] if splits is not None else -1
            yield Example(
                raw=raw,
                label=named[place],
                id=f"row {frame.lines[row]}",
                split=order[given] if given >= 0 else None,
            )


def _series(opened: _Opened, findings: list[Finding]) -> Iterator[Example]:
    from pipelines.datasets.series_long import long_examples

    frame = _whole(opened, with_target=False)
    findings[:] = frame.findings
    yield from long_examples(frame, opened.config, opened.target)


def _estimate(files: Sequence[TableFile], head: Frame) -> int | None:
    """About how many rows there are; `None` where that is not cheap to tell."""
    rows = 0
    for file in files:
        start = head_of(file.path)
        if start.startswith(PARQUET):
            rows += pq.read_metadata(file.path).num_rows
        elif start.startswith(GZIP):
            return None
        else:
            with file.path.open("rb") as opened:
                sample = opened.read(SAMPLE)
            rows += file.path.stat().st_size * max(1, sample.count(b"\n")) // len(sample)
    return head.num_rows if len(files) == 1 and head.num_rows < HEAD_ROWS else rows


def _name(asked: Path) -> str:
    """The file's name without endings."""
    name = asked.resolve().name
    return name if asked.is_dir() else name.split(".")[0] or name
