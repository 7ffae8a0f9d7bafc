"""From the hyperparameters that a space declares to the dimensions that an algorithm chooses from."""

from __future__ import annotations

from typing import Any

from pipelines.proposing.dimensions import Category, Dimension, Number


def dimensions_of(hp: Any) -> list[Dimension]:
    """The dimensions in the order of their declaration; what is fixed is left out.

    Args:
        hp: KerasTuner's `HyperParameters`, in which a space declared what it has.

    Raises:
        ValueError: A kind of hyperparameter that KerasTuner did not have when this was written.
    """
    return [_dimension(one) for one in hp.space if type(one).__name__ != "Fixed"]


def _dimension(one: Any) -> Dimension:
    kind = type(one).__name__  # KerasTuner itself is named in pipelines/search.py alone
    conditions = tuple((condition.name, tuple(condition.values)) for condition in one.conditions)
    if kind in ("Boolean", "Choice"):
        choices = (False, True) if kind == "Boolean" else tuple(one.values)
        return Category(name=one.name, choices=choices, default=one.default, conditions=conditions)
    if kind not in ("Int", "Float"):
        raise ValueError(f"`{one.name}` must be a Boolean, Choice, Fixed, Float or Int. Received: {kind}.")
    return Number(
        name=one.name,
        low=one.min_value,
        high=one.max_value,
        default=one.default,
        step=one.step,
        sampling=one.sampling,
        whole=kind == "Int",
        conditions=conditions,
    )
