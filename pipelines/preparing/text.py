"""Prepares texts: they are read once, a way to cut them into tokens is chosen on the training split, then all are
encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.preparing.draft import Amount, Draft
from pipelines.preparing.facts import LEFT_OUT, TRAIN, VALIDATION, Facts, classes_of, finding, number_scale
from pipelines.preparing.inspect import inspect
from pipelines.preparing.split import split
from pipelines.preparing.text_reading import Read, read_all
from pipelines.preparing.vocabulary import learn_tokenizer, why_unsuited
from records.config import RunConfig
from records.data import DataSpec, Finding, InputKind, Severity, Source, Understood
from records.errors import StoreError
from records.spec import TextLayout
from search_spaces.text_backbones import TEXT_BACKBONES, text_backbone_available, tokenizer_json
from serving.codecs.text import MIN_TOKENS, TextCodec, Tokens, max_chars_for
from store.files import free_bytes

LEARNT = "learnt"
MOST_TOKENS = 128
"""Unless `--max-tokens` asks for more: the cost grows with the length, and the first sentences usually tell."""
STEP = 8
SHARE = 98
"""Percent of the training texts that are to be read whole."""
SPARE_BYTES = 64 * 2**20
"""Free space that is to remain."""


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    codec: TextCodec
    """With the largest `max_tokens` that may be asked for."""
    told: tuple[Understood, ...]


def prepare_text(source: Source, config: RunConfig, path: Path, amount: Amount) -> Draft:
    """Reads, inspects, splits and encodes texts of classes or of numbers, and writes `<int32>[texts, max_tokens]`.

    Raises:
        ConfigError: `config.group` or `config.task` is wrong.
        DataError: There is nothing to learn from.
        StoreError: The disk has no room.
    """
    read = read_all(source, config, amount)
    facts = read.facts
    inspected = inspect(facts)
    codes, told = split(facts, inspected, config)
    train = np.flatnonzero(codes == TRAIN)
    chosen = choose_codec([read.texts[int(row)] for row in train], config)
    parts = list(chosen.codec.tokenise(read.texts))
    lengths = np.concatenate([part.lengths for part in parts])
    codec = chosen.codec.shortened(config.max_tokens or fitting_length(lengths[train]))
    write(codec, parts, path)
    spec, targets = _spec(config, codec, facts, codes)
    sample, row = _sample(read, codec, lengths, codes)
    return Draft(
        spec=spec,
        codec=codec,
        codes=codes,
        targets=targets,
        ids=facts.ids,
        findings=(
            inspected.findings[0],
            told,
            *read.findings,
            *inspected.findings[1:],
            *_cut(facts, codec, lengths, codes),
        ),
        understood=chosen.told,
        content=read.content,
        sample=sample,
        sample_row=row,
        clusters=facts.groups if read.grouped else None,
    )


def choose_codec(texts: Sequence[str], config: RunConfig) -> _Chosen:
    """A pretrained network's own tokenizer where it suits the texts, else one that is learnt from them.

    Args:
        texts: Of the training split.
        config: Gives the tokens to read.
    """
    most = config.max_tokens or MOST_TOKENS
    for name, backbone in TEXT_BACKBONES.items():
        if text_backbone_available(name) is not None or most > backbone.max_tokens:
            continue
        saved = tokenizer_json(name)
        reason = why_unsuited(saved, texts)
        if reason is None:
            return _Chosen(codec=_codec(name, saved, most), told=())
        title = backbone.title.partition(",")[0]
        what = f"The vocabulary of {title} does not suit these texts ({reason}): one is learnt from the training texts."
        return _Chosen(codec=_codec(LEARNT, learn_tokenizer(texts), most), told=(Understood(what=what),))
    return _Chosen(codec=_codec(LEARNT, learn_tokenizer(texts), most), told=())


def _codec(name: str, saved: str, max_tokens: int) -> TextCodec:
    return TextCodec(max_tokens=max_tokens, max_chars=max_chars_for(max_tokens), tokenizer=name, tokenizer_json=saved)


def fitting_length(lengths: np.ndarray) -> int:
    """How many tokens to read of texts such as these.

    Args:
        lengths: `<int64>[training texts]`.
    """
    longest = int(np.ceil(np.percentile(lengths, SHARE)))
    return min(max(-(-longest // STEP) * STEP, STEP, MIN_TOKENS), MOST_TOKENS)


def write(codec: TextCodec, parts: Sequence[Tokens], path: Path) -> None:
    """Writes every text; those that are left out too, so that rows stay rows."""
    needed = sum(len(part.lengths) for part in parts) * codec.max_tokens * 4 + SPARE_BYTES
    free = free_bytes(path.parent)
    if free < needed:
        raise StoreError(
            f"The disk is too full to prepare these texts: they take {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB "
            "are free. Free some space, choose fewer --max-tokens, or another KERASMITH_HOME."
        )
    with path.open("wb") as file:
        for part in parts:
            file.write(codec.pad(part).data)


def _spec(config: RunConfig, codec: TextCodec, facts: Facts, codes: np.ndarray) -> tuple[DataSpec, np.ndarray]:
    """What the network must fit, and `Prepared.targets`."""
    known: dict[str, Any] = {
        "kind": InputKind.TEXT,
        "input_shape": codec.input_shape,
        "dtype": codec.dtype,
        "target": config.target or "",
        "layout": TextLayout(vocabulary=codec.vocabulary, tokenizer=codec.tokenizer),
    }
    if facts.of_classes:
        labels, label_counts, targets = classes_of(facts, codes)
        return DataSpec(labels=labels, label_counts=label_counts, **known), targets
    mean, std = number_scale(facts.targets, codes)
    num_train = int((codes == TRAIN).sum())
    spec = DataSpec(task="regression", target_mean=mean, target_std=std, num_train=num_train, **known)
    return spec, facts.targets.astype(np.float32)


def _sample(read: Read, codec: TextCodec, lengths: np.ndarray, codes: np.ndarray) -> tuple[dict[str, Any], int]:
    """The shortest validation text as a request has it, and its row."""
    rows = np.flatnonzero(codes == VALIDATION)
    row = int(rows[lengths[rows].argmin()])
    return {"text": codec.visible(read.texts[row])}, row


def _cut(facts: Facts, codec: TextCodec, lengths: np.ndarray, codes: np.ndarray) -> list[Finding]:
    rows = np.flatnonzero((lengths > codec.max_tokens) & (codes != LEFT_OUT))
    what = f"{len(rows)} texts are longer than {codec.max_tokens} tokens."
    done = f"Their first {codec.max_tokens} tokens are read; --max-tokens says otherwise."
    return finding(facts, "long_texts", Severity.INFO, rows, what, done)
