"""Low-rank adaptation: a pretrained network learns through two thin matrices beside each of some of its kernels.

Hu et al. 2022, "LoRA", https://arxiv.org/abs/2106.09685, equation 3: `W0 + alpha / rank * A B`, A random and B zero, so
that training starts from the pretrained network itself. Keras' own Dense layer holds A and B; it adds their product to
the kernel, so the exported network has one matrix again, and in a saved file there is no trace of the two.
"""

from __future__ import annotations

from collections.abc import Collection

import keras

ATTENTION = ("query", "value")
"""The projections that are adapted: with a given number of weights, the best two of an attention (section 7.1)."""


def add_lora(network: keras.Model, rank: int, alpha: float, parts: Collection[str] = ATTENTION) -> list[str]:
    """Freezes a network, and gives the chosen Dense layers two trainable matrices each.

    To be called after the pretrained weights were set: a layer has more weights afterwards.

    Args:
        network: Of stock layers, with its weights. Changed in place; it answers as before until it is trained.
        rank: Columns of A and rows of B, at least 1; 4 to 16 are usual.
        alpha: The product is scaled by `alpha / rank`, so that another rank needs no other learning rate.
        parts: Ends of the names of the layers that are adapted.

    Returns:
        The adapted layers' names.

    Raises:
        ValueError: The network has no such layer.
    """
    adapted = [layer for layer in network.layers if layer.name.endswith(tuple(parts))]
    if not adapted:
        raise ValueError(f"{network.name} has no layer whose name ends in {' or '.join(parts)}.")
    network.trainable = False
    network.trainable = True  # the flag alone: each layer's own is set below
    for layer in network.layers:
        layer.trainable = layer in adapted
    for layer in adapted:
        layer.enable_lora(rank, lora_alpha=alpha)
        # the matrices alone are learnt, as in the paper; Keras freezes the kernel by itself
        layer.bias.trainable = False
    return [layer.name for layer in adapted]
