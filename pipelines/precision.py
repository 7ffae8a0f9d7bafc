"""How exactly networks are computed: half precision for training, and full single precision for a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def computing_in(policy: str | None, model: keras.Model) -> Iterator[None]:
    """While the body runs, the layers of `model` compute as the policy says; then as before.

    A step that is traced in the body stays as it was traced. So nothing but the training is in half precision: weights,
    their averages, predictions, and the file that is saved are not (Micikevicius et al. 2018: the weights that are
    updated must be in single precision).

    Args:
        policy: A name that `keras.DTypePolicy` knows; `None`: nothing changes.
        model: With layers inside layers.
    """
    if policy is None:
        yield
        return
    layers = model._flatten_layers()
    before = [(layer, layer.dtype_policy) for layer in layers]
    mixed = keras.DTypePolicy(policy)
    try:
        for layer, own in before:
            if own.compute_dtype == "float32":  # a layer that asks for another precision has its reason
                layer.dtype_policy = mixed
        yield
    finally:
        for layer, own in before:
            layer.dtype_policy = own


@contextmanager
def exact(accelerator: bool) -> Iterator[None]:
    """While the body runs, products of matrices are in single precision.

    Graphics cards round the factors to ten bits (TF32) unless they are told not to: a difference of 1e-3 to what a
    processor serves, and ten times what counts as equal.

    Args:
        accelerator: Whether there is anything but processors; without, nothing changes, and nothing is compiled anew.
    """
    if not accelerator:
        yield
    elif keras.backend.backend() == "jax":
        from pipelines.jax_steps import full_precision

        with full_precision():
            yield
    elif keras.backend.backend() == "tensorflow":
        from pipelines.steps import tensor_float_32

        before = tensor_float_32(False)
        try:
            yield
        finally:
            tensor_float_32(before)
    else:
        yield
