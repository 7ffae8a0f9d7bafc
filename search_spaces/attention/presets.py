"""Named settings of the one block, and the hyperparameters that choose between them or mix."""

from __future__ import annotations

from typing import Any

from search_spaces.attention.block import Block
from search_spaces.attention.feed_forward import ACTIVATIONS
from search_spaces.attention.positions import POSITIONS

PRESETS: dict[str, Block] = {
    # "Attention is all you need": norms on the sums, ReLU, waves (Vaswani 2017)
    "vaswani_2017": Block(pre_norm=False, rms_norm=False, positions="sinusoidal", activation="relu", use_bias=True),
    # norms first, which trains without a long warm-up (Xiong 2020), and GELU
    "xiong_2020": Block(pre_norm=True, rms_norm=False, positions="sinusoidal", activation="gelu", use_bias=True),
    # the large language models of 2023: Llama 2 (Touvron 2023), Mistral (Jiang 2023)
    "modern_2023": Block(
        pre_norm=True,
        rms_norm=True,
        num_key_value_heads=2,
        positions="rotary",
        activation="swiglu",
        use_bias=False,
    ),
}
MIXED = "mixed"
"""The choice that leaves every switch to the search."""


def choices(hp: Any, family: str, preset: str, *, positions: str, causal: bool) -> dict[str, Any]:
    """Declares the switches and reads their values: those of a preset, or each one by itself.

    Args:
        hp: KerasTuner's `HyperParameters`, or a `Replay`.
        family: First part of the names.
        preset: The default.
        positions: The default where the switches are mixed.
        causal: Whether a decoder is offered, which needs an order of the steps.

    Raises:
        ValueError: An unknown preset.
    """
    chosen = hp.Choice(f"{family}/preset", [*PRESETS, MIXED], default=preset)
    # the switches count only together with "mixed": a preset is tried as a whole, in one dimension of the search
    with hp.conditional_scope(f"{family}/preset", [MIXED]):
        mixed = {
            "pre_norm": hp.Boolean(f"{family}/pre_norm", default=True),
            "rms_norm": hp.Boolean(f"{family}/rms_norm", default=True),
            "positions": hp.Choice(f"{family}/positions", list(POSITIONS), default=positions),
            "activation": hp.Choice(f"{family}/activation", list(ACTIVATIONS), default="gelu"),
            # more than there are heads: as many as there are
            "num_key_value_heads": hp.Choice(f"{family}/num_key_value_heads", [1, 2, 4, 8], default=8),
            "causal": hp.Boolean(f"{family}/causal", default=False) if causal else False,
        }
    if chosen == MIXED:
        return {"preset": chosen, "use_bias": True, **mixed}
    if chosen not in PRESETS:
        raise ValueError(f"`{family}/preset` must be one of {', '.join([*PRESETS, MIXED])}. Received: {chosen!r}.")
    settings = {name: getattr(PRESETS[chosen], name) for name in mixed}
    return {"preset": chosen, "use_bias": PRESETS[chosen].use_bias, **settings}


def block_of(values: dict[str, Any]) -> Block:
    """The block that `values` describe: those of `choices`, and `num_heads`, `expansion_ratio`, `dropout_rate` and
    `stochastic_depth_rate` of the space's own.

    Raises:
        ValueError: A choice that is not known.
    """
    num_heads, shared = values["num_heads"], values["num_key_value_heads"]
    return Block(
        pre_norm=values["pre_norm"],
        rms_norm=values["rms_norm"],
        positions=values["positions"],
        activation=values["activation"],
        use_bias=values["use_bias"],
        num_heads=num_heads,
        # both are powers of two, so that the smaller divides the larger
        num_key_value_heads=None if shared is None else min(shared, num_heads),
        expansion_ratio=values["expansion_ratio"],
        causal=values["causal"],
        dropout_rate=values["dropout_rate"],
        stochastic_depth_rate=values["stochastic_depth_rate"],
    )
