"""Figures of merit of numbers and of futures. Each is a function of means over examples, so that draws are cheap."""

from __future__ import annotations

import numpy as np

from pipelines.measuring.truth import Answered, Weighed


def rmse(weighed: Weighed) -> np.ndarray:
    """Root mean squared error, in the target's unit."""
    return np.sqrt(weighed.mean(squared_errors))


def mae(weighed: Weighed) -> np.ndarray:
    """Mean absolute error, in the target's unit."""
    return weighed.mean(absolute_errors)


def r2(weighed: Weighed) -> np.ndarray:
    """Share of the target's variance that is explained; 0 for always answering the mean, and where there is none."""
    mean, mean_square = weighed.mean(_centred).T
    variance = mean_square - mean**2
    # what is left of a constant by rounding is no variance
    varies = variance > 1e-12 * max(float(weighed.answered.quantity(_centred)[:, 1].mean()), 1e-300)
    return np.where(varies, 1.0 - weighed.mean(squared_errors) / np.where(varies, variance, 1.0), 0.0)


def mase(weighed: Weighed) -> np.ndarray:
    """Mean absolute scaled error (Hyndman & Koehler 2006): below 1 is better than the seasonal naive in training."""
    return weighed.mean(scaled_errors)


def pinball(weighed: Weighed) -> np.ndarray:
    """Mean quantile loss over steps and quantiles, divided by the naive forecast's error."""
    return weighed.mean(pinball_losses)


def coverage(weighed: Weighed) -> np.ndarray:
    """Share of true values between the outermost quantiles."""
    return weighed.mean(covered)


def step_errors(weighed: Weighed) -> np.ndarray:
    """`<float64>[draws, horizon]`: the mean absolute error of each step."""
    return weighed.mean(absolute_errors_by_step)


def squared_errors(answered: Answered) -> np.ndarray:
    """`<float64>[examples]`, of a future the mean over its steps."""
    return _each(answered.errors**2)


def absolute_errors(answered: Answered) -> np.ndarray:
    """`<float64>[examples]`, of a future the mean over its steps."""
    return _each(np.abs(answered.errors))


def absolute_errors_by_step(answered: Answered) -> np.ndarray:
    """`<float64>[examples, horizon]`."""
    return np.abs(answered.errors)


def scaled_errors(answered: Answered) -> np.ndarray:
    """`<float64>[examples]`: absolute errors over the naive forecast's."""
    return absolute_errors(answered) / answered.scales


def pinball_losses(answered: Answered) -> np.ndarray:
    """`<float64>[examples]`: each one's mean over steps and quantiles, scaled."""
    total = np.zeros(len(answered.predictions))
    for i, quantile in enumerate(answered.truth.quantiles):
        above = answered.truth.targets.astype(np.float64) - answered.predictions[..., i]
        total += np.maximum(quantile * above, (quantile - 1.0) * above).mean(axis=1)
    return total / len(answered.truth.quantiles) / answered.scales


def covered(answered: Answered) -> np.ndarray:
    """`<float64>[examples]`: the share of steps whose true value lies between the outermost quantiles."""
    targets, predictions = answered.truth.targets, answered.predictions
    return ((predictions[..., 0] <= targets) & (targets <= predictions[..., -1])).mean(axis=1)


def _centred(answered: Answered) -> np.ndarray:
    """Targets without their mean, and their squares, which lose digits far from 0: `<float64>[examples, 2]`."""
    targets = answered.truth.targets.astype(np.float64)
    targets = targets - targets.mean()
    return np.stack([targets, targets**2], axis=1)


def _each(values: np.ndarray) -> np.ndarray:
    """One value for each example: the mean over its steps, where it has any."""
    return values if values.ndim == 1 else values.mean(axis=1)
