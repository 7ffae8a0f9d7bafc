"""What a table's codec learns from the training split: quantiles, known categories, the middle of dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from serving.codecs.table_columns import MAX_QUANTILES, MAX_VALUES, CategoryColumn, NumberColumn
from serving.codecs.table_dates import CIRCLES, DateColumn, steps_of
from serving.codecs.table_text import TextColumn, open_tokenizer

DIGITS = 9
"""Of a stored quantile: more than float32 tells apart."""
MANY_QUANTILES = 100_000
"""Of all columns together: with thousands of columns each keeps fewer."""
FEWEST_QUANTILES = 20
SEEN_OFTEN = 2
"""Times a category must occur in training to be known. Of one that was seen once nothing can be learnt, and the code
for unknown ones gets examples."""
DAY = 86_400.0
USUAL_TOKENS = 0.95
"""Part of the texts that are to be read to their end."""
MAX_TOKENS, MIN_TOKENS = 64, 8
"""Reading 128 took 20 ms a row on one core: too long for tables, whose other columns tell much too."""


def quantiles_each(num_numbers: int) -> int:
    """How many quantiles a column keeps where there are so many columns of numbers."""
    return min(MAX_QUANTILES, max(FEWEST_QUANTILES, MANY_QUANTILES // max(num_numbers, 1)))


def fit_number(name: str, cells: np.ndarray, num_quantiles: int = MAX_QUANTILES) -> NumberColumn:
    """The column of these training numbers.

    A value becomes the standard normal's quantile at its middle rank, so that many equal values (zeros) stay in the
    middle of where they lie, and a far outlier comes to lie at about 4.9 in a million rows.

    Args:
        name: Of the column.
        cells: `<float64>[rows]`, missing ones not finite.
        num_quantiles: At most so many are kept.
    """
    known = np.sort(cells[np.isfinite(cells)])
    if not len(known):
        return NumberColumn(name=name, values=(0.0,), scores=(0.0,), flag=False, typical=0.0, low=0.0, high=0.0)
    distinct = np.unique(known)
    if len(distinct) > num_quantiles:
        distinct = np.unique(known[np.round(np.linspace(0, len(known) - 1, num_quantiles)).astype(np.int64)])
    ranks = (np.searchsorted(known, distinct) + np.searchsorted(known, distinct, side="right")) / (2.0 * len(known))
    inverse = NormalDist().inv_cdf
    curve = {float(f"{value:.{DIGITS}g}"): round(inverse(rank), 4) for value, rank in zip(distinct, ranks, strict=True)}
    return NumberColumn(
        name=name,
        values=tuple(curve),
        scores=tuple(min(5.0, max(-5.0, score)) for score in curve.values()),
        flag=len(known) < len(cells),
        typical=float(known[len(known) // 2]),
        low=float(known[0]),
        high=float(known[-1]),
    )


def fit_category(name: str, counts: Mapping[str, int]) -> CategoryColumn:
    """The column whose words occur so often in training.

    Args:
        name: Of the column.
        counts: By word, without missing ones and without blanks around them.
    """
    known = [(-count, word) for word, count in counts.items() if count >= SEEN_OFTEN]
    return CategoryColumn(name=name, values=tuple(word for _, word in sorted(known)[:MAX_VALUES]))


def fit_date(name: str, cells: np.ndarray, day_first: bool = False) -> DateColumn:
    """The column of these training dates.

    Args:
        name: Of the column.
        cells: `<datetime64>[rows]`, missing ones NaT.
        day_first: Whether "1/7/2016" is in July.
    """
    known = cells[~np.isnat(cells)].astype("datetime64[s]")
    if not len(known):
        return DateColumn(name=name, mean=0.0, scale=DAY, rounds=(), flag=False, day_first=day_first)
    seconds = known.astype(np.int64)
    steps = steps_of(known)
    return DateColumn(
        name=name,
        mean=float(seconds.mean()),
        scale=max(float(seconds.std()), 1.0),
        rounds=tuple(round_ for round_ in CIRCLES if np.ptp(steps[round_]) > 0),
        flag=len(known) < len(cells),
        day_first=day_first,
    )


def fit_text(name: str, texts: Sequence[str], tokenizer_json: str, most: int = MAX_TOKENS) -> TextColumn:
    """The column of texts such as these training texts.

    Args:
        name: Of the column.
        texts: A sample is enough.
        tokenizer_json: Of the text backbone.
        most: Tokens that it may have at most.
    """
    tokenizer = open_tokenizer(tokenizer_json, most)
    lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))] or [MIN_TOKENS]
    usual = int(np.ceil(np.quantile(lengths, USUAL_TOKENS)))
    tokens = min(most, max(min(MIN_TOKENS, most), usual))
    return TextColumn(name=name, max_tokens=tokens, vocabulary=tokenizer.get_vocab_size())
