"""A table's codec, learnt from the training rows, and all rows through it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.datasets.tables.columns import find_day_first, is_string, to_codes, to_numbers, to_strings, to_times
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.profile import Profile, Role
from pipelines.preparing.draft import Amount
from records.errors import StoreError
from serving.codecs.missing import is_missing
from serving.codecs.table import Column, TableCodec
from serving.codecs.table_dates import DateColumn
from serving.codecs.table_fit import MAX_TOKENS, fit_category, fit_date, fit_number, fit_text, quantiles_each
from store.files import free_bytes, writing

BLOCK_BYTES = 32 * 2**20
"""Of the array that is encoded at once."""
MOST_ROWS = 65_536
"""Of a block: strings as Python objects take ten times what they take in a column."""
SPARE_BYTES = 64 * 2**20
"""Free space that is to remain."""
TEXT_SAMPLE = 1000
FEWEST_TOKENS, ALL_TOKENS = 16, 128
"""Of one column, and of all columns of texts together."""


def fit_codec(
    frame: Frame, profiles: Sequence[Profile], train: np.ndarray, tokenizer: tuple[str, str], max_tokens: int | None
) -> TableCodec:
    """The codec of the columns of these profiles.

    Args:
        frame: All rows.
        profiles: Of the columns that are inputs.
        train: `<bool>[rows]`; nothing is learnt from the others.
        tokenizer: Name of the text backbone and its tokenizer as JSON; empty where there are no texts.
        max_tokens: Of each text; `None`: from the data.
    """
    names = {profile.name for profile in profiles}
    roles = [profile.role for profile in profiles]
    quantiles = quantiles_each(roles.count(Role.NUMBER))
    tokens = max_tokens or max(FEWEST_TOKENS, min(MAX_TOKENS, ALL_TOKENS // max(1, roles.count(Role.TEXT))))
    return TableCodec(
        columns=tuple(_fit(frame, profile, train, quantiles, tokenizer[1], tokens) for profile in profiles),
        ignored=tuple(name for name in frame.names if name not in names),
        tokenizer=tokenizer[0],
        tokenizer_json=tokenizer[1],
    )


def _fit(frame: Frame, profile: Profile, train: np.ndarray, quantiles: int, tokenizer: str, tokens: int) -> Column:
    column = frame.column(profile.name)
    if profile.role is Role.NUMBER:
        return fit_number(profile.name, to_numbers(column)[train], quantiles)
    if profile.role is Role.DATE:
        day_first = is_string(column) and find_day_first(column)
        return fit_date(profile.name, to_times(column, day_first)[train], day_first)
    codes, words = to_codes(column)
    if profile.role is Role.CATEGORY:
        counts = np.bincount(codes[train & (codes >= 0)], minlength=len(words))
        return fit_category(profile.name, _counted(words, counts))
    some = codes[train & (codes >= 0)]
    sample = [words[code] for code in some[:: max(1, len(some) // TEXT_SAMPLE)]]
    return fit_text(profile.name, sample, tokenizer, tokens)


def _counted(words: Sequence[str], counts: np.ndarray) -> dict[str, int]:
    """As the codec will see them: without blanks around them, and without what says "missing"."""
    counted: dict[str, int] = {}
    for word, count in zip(words, counts.tolist(), strict=True):
        if count and not is_missing(word):
            counted[word.strip()] = counted.get(word.strip(), 0) + count
    return counted


def write_rows(codec: TableCodec, frame: Frame, path: Path, amount: Amount) -> None:
    """Encodes all rows, block by block, and writes `<float32>[rows, width]` to `path`.

    Raises:
        StoreError: The disk has no room.
    """
    width = codec.input_shape[0]
    _check_space(4 * width * frame.num_rows, path)
    step = min(MOST_ROWS, max(1, BLOCK_BYTES // (4 * width)))
    with writing(path), path.open("wb") as file:
        for start in range(0, frame.num_rows, step):
            count = min(step, frame.num_rows - start)
            file.write(_encoded(codec, frame, start, count).data)
            amount(start + count, frame.num_rows)
        file.flush()
        os.fsync(file.fileno())


def _encoded(codec: TableCodec, frame: Frame, start: int, count: int) -> np.ndarray:
    table = frame.table.select([column.name for column in codec.columns]).slice(start, count)
    cells = {}
    for column in codec.columns:
        values = table.column(column.name)
        if column.kind == "number":
            cells[column.name] = to_numbers(values)
        elif isinstance(column, DateColumn):
            cells[column.name] = to_times(values, column.day_first)
        else:
            cells[column.name] = to_strings(values)
    return codec.encode_columns(cells, count)


def _check_space(needed: int, path: Path) -> None:
    free = free_bytes(path.parent)
    if free < needed + SPARE_BYTES:
        raise StoreError(
            f"The disk is too full to prepare the table: its rows take {needed / 1e9:.2f} GB encoded, and "
            f"{free / 1e9:.2f} GB are free. Free some space, leave out columns with --ignore, or choose another "
            "KERASMITH_HOME."
        )
