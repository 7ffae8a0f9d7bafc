"""Series `<float32>[batch, steps, channels + 1]`, whose last column is 1 for a step and 0 after the end: distorted.

Padding stays padding, and no series becomes longer or shorter.
"""

from __future__ import annotations

import numpy as np

FEWEST_STEPS = 6
"""Of a series whose speed is changed."""
SPEEDS = (0.5, 2.0)


def distort(
    series: np.ndarray, jitter: float, scaling: float, window_warp: float, rng: np.random.Generator
) -> np.ndarray:
    """The changes that are not 0, one after the other.

    Args:
        series: Scaled values and the mask; may be changed.
        jitter: Standard deviation of the noise on each value (Um 2017, figure 3: 0.05).
        scaling: Standard deviation of each channel's factor around 1 (Um 2017: 0.1).
        window_warp: Part of the steps that pass at half or twice the speed (Le Guennec 2016: 0.1).
        rng: Of this batch.
    """
    values, real = series[:, :, :-1], series[:, :, -1:]
    if window_warp:
        values = warp_window(values, real[:, :, 0].sum(axis=1).astype(int), window_warp, rng)
    if scaling:
        values = values * rng.normal(1.0, scaling, (len(values), 1, values.shape[2])).astype(np.float32)
    if jitter:
        values = values + jitter * rng.standard_normal(values.shape, np.float32)
    return np.concatenate([values * real, real], axis=-1)


def warp_window(values: np.ndarray, lengths: np.ndarray, part: float, rng: np.random.Generator) -> np.ndarray:
    """A window of each series passes at half or twice its speed; the whole is brought back to its length, with straight
    lines between the steps.

    Args:
        values: `<float32>[batch, steps, channels]`.
        lengths: `<int64>[batch]`: real steps; shorter series than `FEWEST_STEPS` stay as they are.
        part: Of the real steps, that the window has; it has three at least.
        rng: Of this batch.
    """
    last = np.maximum(lengths - 1, 1)[:, None].astype(np.float32)
    windows = np.minimum(np.maximum(3.0, part * lengths[:, None]), last)
    starts = rng.random((len(values), 1), np.float32) * (last - windows)
    longer = 1.0 / rng.choice(np.array(SPEEDS, np.float32), (len(values), 1))
    ends = starts + windows * longer  # on the clock of the new series
    new = np.arange(values.shape[1], dtype=np.float32)[None, :]
    clock = new * (last + windows * (longer - 1.0)) / last
    inside = starts + (clock - starts) / longer
    times = np.where(clock < starts, clock, np.where(clock < ends, inside, clock - windows * (longer - 1.0)))
    times = np.where((new <= last) & (lengths[:, None] >= FEWEST_STEPS), np.clip(times, 0.0, last), new)
    before = times.astype(np.int64)
    after = np.minimum(before + 1, np.where(new <= last, last.astype(np.int64), values.shape[1] - 1))
    later = (times - before)[:, :, None].astype(np.float32)
    rows = np.arange(len(values))[:, None]
    return values[rows, before] * (1.0 - later) + values[rows, after] * later
