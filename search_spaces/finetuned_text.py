"""Transfer learning on texts that changes the pretrained network: its last blocks are trained, wholly or by low-rank
adaptation, and its first ones are computed once.

The states between the two are cached for every example, so an epoch costs a fraction of one through the whole network.
"""

from __future__ import annotations

from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.frozen_text import fits
from search_spaces.space import Space
from search_spaces.text_backbones import build_text_halves
from search_spaces.transfer.lora import add_lora

NAME = "finetuned_text"
LAST_BLOCKS, LORA = "last_blocks", "lora"
LORA_SCALE = 2.0
"""Alpha in parts of the rank; another scale is another learning rate (Hu et al. 2022, section 4.1)."""
LORA_RATE = 30.0
"""Times the learning rate: thin matrices of which one starts at nothing want more than trained kernels. On 600
questions of TREC 1e-3 gave 0.819 after 3 passes, 3e-3 0.876."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """The backbone is not searched: it is the one whose tokenizer the texts were prepared with."""
    method = hp.Choice(f"{NAME}/method", [LAST_BLOCKS, LORA], default=LAST_BLOCKS)
    with hp.conditional_scope(f"{NAME}/method", [LORA]):
        # the paper finds no gain beyond 8 in most tasks, and little loss at 4 (section 7.2)
        lora_rank = hp.Choice(f"{NAME}/lora_rank", [4, 8, 16], default=8)
    values = {
        "backbone": spec.text.tokenizer,
        "method": method,
        "lora_rank": lora_rank if method == LORA else 0,
        # two: 0.860 on SST-2 after 3 passes, frozen features 0.831 (validation); each costs as much again
        "num_trained": hp.Choice(f"{NAME}/num_trained", [1, 2, 3], default=2),
        # 0.1 is BERT's own (Devlin 2019)
        "dropout_rate": hp.Choice(f"{NAME}/dropout_rate", [0.0, 0.1, 0.2], default=0.1),
        # 2e-5 to 5e-5 are usual for networks three times as wide; narrow ones want more
        **recipes.choices(
            hp,
            NAME,
            smoothing=bool(spec.labels),
            learning_rate=(3e-5, 5e-4, 1e-4),
            max_epochs=3,
            batch_sizes=(32,),
            optimizers=("adamw",),
            spec=spec,
            cached=True,
        ),
    }
    if method == LORA:
        values["learning_rate"] *= LORA_RATE
    return values


def build_top(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """The network's last blocks, with their weights, and the head, on `<float32>[batch, tokens, width + 1]` states.

    All of the blocks is trained, or two thin matrices beside the query and value projections of each.
    """
    top = build_text_halves(values["backbone"], values["num_trained"], values["dropout_rate"])[1]
    if values["method"] == LORA:
        add_lora(top, values["lora_rank"], LORA_SCALE * values["lora_rank"])
    inputs = keras.Input((None, *spec.input_shape[1:]), dtype="float32", name="states")
    # averages of states are small; normalised, the head learns at the rate that suits the blocks
    x = keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, name="feature_norm")(top(inputs))
    # zero weights: the head settles before the first gradients that mean nothing reach the network
    prediction = heads.build(task, spec, x, values["dropout_rate"], zero_weights=True)
    return keras.Model(inputs, prediction, name="top_and_head")


def encoder(values: dict[str, Any], spec: DataSpec) -> keras.Model:
    """From tokens to the states before the first block that is trained."""
    return build_text_halves(values["backbone"], values["num_trained"], values["dropout_rate"])[0]


FINETUNED_TEXT = Space(
    name=NAME,
    choices=choices,
    build=build_top,
    recipe=recipes.recipe,
    encoder=encoder,
    encoder_key=lambda values: f"{values['backbone']}-states-{values['num_trained']}",
    input_kinds=frozenset({InputKind.TEXT}),
    fits=fits,
)
