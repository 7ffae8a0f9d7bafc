"""Transfer learning on texts at its cheapest: a pretrained network that stays as it is, and a small head on top."""

from __future__ import annotations

from typing import Any

import keras

from records.data import DataSpec, InputKind
from search_spaces import recipes
from search_spaces.frozen_backbone import build_head
from search_spaces.space import Space
from search_spaces.text_backbones import TEXT_BACKBONES, build_text_encoder
from search_spaces.transfer.prototypes import choose_head, with_head_rate

NAME = "frozen_text"


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """The backbone is not searched: it is the one whose tokenizer the texts were prepared with."""
    values = {
        "backbone": spec.text.tokenizer,
        # accuracy of a linear head on SST-2: every layer 0.831, the last four 0.825, the last one 0.814 (validation)
        "pooling": hp.Choice(f"{NAME}/pooling", ["every_layer", "last_layers", "last_layer"], default="every_layer"),
        **choose_head(hp, NAME, spec),
        "dropout_rate": hp.Float(f"{NAME}/dropout_rate", 0.0, 0.7, default=0.5),
        **recipes.choices(
            hp,
            NAME,
            smoothing=bool(spec.labels),
            learning_rate=(1e-4, 1e-2, 1e-3),
            max_epochs=25,
            spec=spec,
            cached=True,
        ),
    }
    return with_head_rate(values)


def encoder(values: dict[str, Any], spec: DataSpec) -> keras.Model:
    """From tokens to features."""
    return build_text_encoder(values["backbone"], values["pooling"])


def fits(spec: DataSpec) -> bool:
    """Whether the texts were prepared with a backbone's own tokenizer, and so can be read by it."""
    return spec.kind is InputKind.TEXT and spec.text.tokenizer in TEXT_BACKBONES


FROZEN_TEXT = Space(
    name=NAME,
    choices=choices,
    build=build_head,
    recipe=recipes.recipe,
    encoder=encoder,
    encoder_key=lambda values: f"{values['backbone']}@{values['pooling']}",
    input_kinds=frozenset({InputKind.TEXT}),
    fits=fits,
)
