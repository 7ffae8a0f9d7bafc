"""One transformer block whose every switch is a named argument, from Vaswani 2017 to today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
from keras import ops

from search_spaces.attention import positions
from search_spaces.attention.attending import attend, unseen_steps
from search_spaces.attention.feed_forward import ACTIVATIONS, feed_forward
from search_spaces.attention.norms import branch, norm


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """How every block of a network is made.

    Raises:
        ValueError: A choice that is not known, or a number of heads that cannot be.
    """

    pre_norm: bool
    """Norms at the beginning of each branch, and one after the last block (Xiong 2020); else on each sum."""
    rms_norm: bool
    """See `norms.norm`."""
    positions: str
    """"sinusoidal" or "learnt" (Vaswani 2017, section 3.5): added to the first block's input. "rotary" (Su 2021): see
    `rotary_embedding`. "none"."""
    activation: str
    """"relu", "gelu" or "swiglu"; see `feed_forward`."""
    use_bias: bool
    """Of all layers and norms."""
    num_heads: int = 4
    num_key_value_heads: int | None = None
    """A divisor of `num_heads`; see `attending.attend`. `None`: as many."""
    expansion_ratio: float = 2.0
    """Of the feed-forward layer's units to the width; more than 0."""
    causal: bool = False
    """Whether a step sees only itself and those before it: a decoder without an encoder (Radford 2018)."""
    dropout_rate: float = 0.0
    """Of the first block's input and of what each branch adds (Vaswani 2017, section 5.4)."""
    stochastic_depth_rate: float = 0.0
    """Of the last block's branches; rises evenly from the first block on (Huang 2016)."""

    def __post_init__(self) -> None:
        for name, known in (("positions", positions.POSITIONS), ("activation", ACTIVATIONS)):
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be one of {', '.join(known)}. Received: {getattr(self, name)!r}.")
        if self.num_heads % self.key_value_heads:
            raise ValueError(
                f"`num_key_value_heads` must divide the {self.num_heads} heads. Received: {self.key_value_heads}."
            )

    @property
    def key_value_heads(self) -> int:
        """`num_key_value_heads`, as a number."""
        return self.num_key_value_heads or self.num_heads

    @property
    def rotary_embedding(self) -> bool:
        """Whether queries and keys are rotated by their positions."""
        return self.positions == "rotary"


def encode(
    x: keras.KerasTensor,
    block: Block,
    num_blocks: int,
    *,
    most_steps: int,
    mask: keras.KerasTensor | None = None,
    coordinates: Sequence[keras.KerasTensor] = (),
) -> keras.KerasTensor:
    """`<float32>[batch, steps, width]` after `num_blocks` blocks. What stands at padding means nothing.

    Args:
        x: Of the same shape.
        block: How each is made.
        num_blocks: At least 1.
        most_steps: For which positions are learnt, where they are.
        mask: `<float32>[batch, steps, 1]`: 1 for a real step, 0 for padding; `None`: there is no padding.
        coordinates: Of each step, see `positions`; none: its number.

    Raises:
        ValueError: The heads do not divide the width.
    """
    if x.shape[-1] % block.num_heads:
        raise ValueError(f"`num_heads` must divide the width of {x.shape[-1]}. Received: {block.num_heads}.")
    coordinates = coordinates or positions.steps_of(x)
    x = positions.add_to(x, block.positions, coordinates, most_steps)
    if mask is not None:
        x = ops.multiply(x, mask)
    x = branch(x, block.dropout_rate, 0.0)
    rotations = _rotations(coordinates, block, x.shape[-1] // block.num_heads) if block.rotary_embedding else None
    unseen = unseen_steps(x, mask, causal=block.causal, shared=block.num_heads // block.key_value_heads)
    for i in range(num_blocks):
        rate = block.stochastic_depth_rate * (i + 1) / num_blocks
        x = one_block(x, block, f"block_{i}", unseen=unseen, rotations=rotations, stochastic_depth_rate=rate)
    return _norm(x, block, "last") if block.pre_norm else x


def _rotations(
    coordinates: Sequence[keras.KerasTensor], block: Block, size: int
) -> tuple[positions.Rotation, positions.Rotation]:
    """Of queries and of keys."""
    of_queries = positions.rotation(coordinates, size, block.num_heads)
    if block.key_value_heads == block.num_heads:
        return of_queries, of_queries
    return of_queries, positions.rotation(coordinates, size, block.key_value_heads)


def one_block(
    x: keras.KerasTensor,
    block: Block,
    name: str,
    *,
    unseen: keras.KerasTensor | None,
    rotations: tuple[positions.Rotation, positions.Rotation] | None,
    stochastic_depth_rate: float,
) -> keras.KerasTensor:
    """`x + layer(norm(x))` with `pre_norm`, else `norm(x + layer(x))`, first for attention, then for the feed-forward
    layer (Xiong 2020, table 1). Of `x`'s shape."""

    def attention(y: keras.KerasTensor) -> keras.KerasTensor:
        return attend(
            y,
            num_heads=block.num_heads,
            num_key_value_heads=block.key_value_heads,
            use_bias=block.use_bias,
            name=f"{name}_attention",
            unseen=unseen,
            rotations=rotations,
        )

    def forward(y: keras.KerasTensor) -> keras.KerasTensor:
        return feed_forward(
            y,
            activation=block.activation,
            expansion_ratio=block.expansion_ratio,
            use_bias=block.use_bias,
            name=f"{name}_feed_forward",
        )

    for part, layer in ((f"{name}_attention", attention), (f"{name}_feed_forward", forward)):
        y = layer(_norm(x, block, part) if block.pre_norm else x)
        x = ops.add(x, branch(y, block.dropout_rate, stochastic_depth_rate))
        if not block.pre_norm:
            x = _norm(x, block, part)
    return x


def _norm(x: keras.KerasTensor, block: Block, name: str) -> keras.KerasTensor:
    return norm(x, rms_norm=block.rms_norm, use_bias=block.use_bias, name=f"{name}_norm")
