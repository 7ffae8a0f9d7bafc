"""How networks are made larger: width, depth and resolution together; and how often a deep block is skipped."""

from __future__ import annotations

import math

DEPTH_BASE, WIDTH_BASE, RESOLUTION_BASE = 1.2, 1.1, 1.15
"""Alpha, beta and gamma of Tan & Le 2019, section 3.3: alpha * beta^2 * gamma^2 is about 2."""
DIVISOR = 8
"""Widths are multiples of it, which processors like."""


def round_width(width: float, divisor: int = DIVISOR) -> int:
    """The nearest multiple of `divisor`, the next one where that would take off more than a tenth (Sandler 2018)."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded


def round_depth(depth: float) -> int:
    """Blocks: never fewer."""
    return max(1, math.ceil(depth - 1e-6))


def width_factor(compound_coefficient: float) -> float:
    """How much wider a network is than at 0."""
    return float(WIDTH_BASE**compound_coefficient)


def depth_factor(compound_coefficient: float) -> float:
    """How much deeper a network is than at 0."""
    return float(DEPTH_BASE**compound_coefficient)


def scaled_resolution(resolution: int, compound_coefficient: float) -> int:
    """Pixels of a side, a multiple of 8."""
    return DIVISOR * round(resolution * RESOLUTION_BASE**compound_coefficient / DIVISOR)


def stochastic_depth_rates(last: float, num_blocks: int) -> list[float]:
    """Rates that rise in a line from the input's 0 to the last block's (Huang 2016, equation 4)."""
    return [last * (i + 1) / num_blocks for i in range(num_blocks)]
