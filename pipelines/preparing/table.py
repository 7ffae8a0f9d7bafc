"""Prepares tables: what each column is, which rows are for what, and every row as numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from pipelines.datasets.tables.columns import to_codes, to_numbers
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.leaks import find_leaks
from pipelines.datasets.tables.profile import Profile, Role, find_target, given_splits, is_regression, labelled, profile
from pipelines.preparing.draft import Amount, Draft
from pipelines.preparing.facts import (
    NOT_GIVEN,
    TRAIN,
    VALIDATION,
    Facts,
    RowIds,
    class_targets,
    classes_of,
    group_rows,
    groups_of,
    number_scale,
)
from pipelines.preparing.inspect import inspect
from pipelines.preparing.split import split
from pipelines.preparing.table_digests import digests, untie_common
from pipelines.preparing.table_encoding import fit_codec, write_rows
from pipelines.preparing.table_sample import sample_row
from records.config import RunConfig
from records.data import DataSpec, Finding, InputKind, Severity, Source, Understood
from records.errors import DataError
from serving.codecs.table import TableCodec

TEXT_BACKBONES = "search_spaces.text_backbones"
TOKENIZER = "minilm"
NAMES_SHOWN = 8
"""Columns of one kind that a sentence names."""
WORDS = {Role.NUMBER: "numbers", Role.CATEGORY: "categories", Role.DATE: "dates", Role.TEXT: "texts"}


def prepare_table(source: Source, config: RunConfig, path: Path, amount: Amount) -> Draft:
    """Reads, inspects, splits and encodes a table, and writes `<float32>[rows, width]` to `path`.

    Raises:
        ConfigError: A column that the request names is not there, or `config.group` is wrong.
        DataError: There is nothing to learn from.
        StoreError: The disk has no room.
    """
    assert source.frame is not None
    frame = source.frame()
    target = find_target(frame, config)
    frame = labelled(frame, target, config)
    profiles, left_out = find_leaks(frame, profile(frame, config), target, config)
    used, tokenizer, without_texts = _inputs(profiles)
    facts, equal = _facts(source, frame, target, used, config)
    inspected = inspect(facts, keep_copies=True)
    codes, told = split(facts, inspected, config)
    codec = fit_codec(frame, used, codes == TRAIN, tokenizer, config.max_tokens)
    write_rows(codec, frame, path, amount)
    spec, targets = _spec(facts, codes, codec, target)
    row = int(np.flatnonzero(codes == VALIDATION)[0])
    return Draft(
        spec=spec,
        codec=codec,
        codes=codes,
        targets=targets,
        ids=facts.ids,
        findings=(
            inspected.findings[0],
            told,
            *frame.findings,
            *left_out,
            *without_texts,
            *equal,
            *inspected.findings[1:],
        ),
        understood=(*frame.understood, Understood(what=_taken_for(used))),
        sample={"row": sample_row(frame, used, row)},
        sample_row=row,
        clusters=inspected.joined if config.group else None,
        content=_content(facts),
    )


def _inputs(profiles: Sequence[Profile]) -> tuple[list[Profile], tuple[str, str], list[Finding]]:
    """The columns that are inputs, the name and JSON of the tokenizer for their texts, and what was left out."""
    used = [found for found in profiles if found.used]
    tokenizer, findings = ("", ""), []
    texts = [found.name for found in used if found.role is Role.TEXT]
    if texts:
        tokenizer, reason = _tokenizer()
        if reason:
            used = [found for found in used if found.role is not Role.TEXT]
            findings.append(
                Finding(
                    code="texts_left_out",
                    severity=Severity.WARNING,
                    what=f"{_listed(texts)} hold texts, and no network that reads them can be had: {reason}",
                    done="They were left out.",
                    count=len(texts),
                )
            )
    if not used:
        raise DataError(
            f"There is no column to predict from. Expected numbers, categories, dates or texts. Received: "
            f"{_listed([f'{found.name} ({found.role})' for found in profiles]) or 'none'}. --keep uses a column that "
            "was left out."
        )
    return used, tokenizer, findings


def _tokenizer() -> tuple[tuple[str, str], str]:
    """Name and JSON of the text backbone's tokenizer, and why there is none."""
    backbones = import_module(TEXT_BACKBONES)  # not at the top: it brings Keras
    reason: str | None = backbones.text_backbone_available()
    if reason:
        return ("", ""), reason
    return (TOKENIZER, backbones.tokenizer_json(TOKENIZER)), ""


def _facts(
    source: Source, frame: Frame, target: str, used: Sequence[Profile], config: RunConfig
) -> tuple[Facts, list[Finding]]:
    given = given_splits(frame, config)
    if given is None:
        given = np.full(frame.num_rows, NOT_GIVEN, np.int8)
    ids = RowIds(frame.lines)
    labels: list[str] = []
    if is_regression(frame, target, config):
        targets = to_numbers(frame.column(target))
    else:
        codes, names = to_codes(frame.column(target))
        labels, positions = class_targets(names, source.labels)
        targets = positions[codes]
    joined, findings = untie_common(digests(frame, used), given)
    facts = Facts(
        ids=ids,
        labels=labels,
        targets=targets,
        given=given,
        groups=group_rows(groups_of(ids, None, config.group)) if config.group else np.arange(frame.num_rows),
        digests=joined,
        noun="rows",
    )
    return facts, findings


def _spec(facts: Facts, codes: np.ndarray, codec: TableCodec, target: str) -> tuple[DataSpec, np.ndarray]:
    spec = DataSpec(
        kind=InputKind.TABLE,
        input_shape=codec.input_shape,
        dtype=codec.dtype,
        target=target,
        layout=codec.layout,
    )
    if facts.of_classes:
        labels, label_counts, targets = classes_of(facts, codes)
        return replace(spec, task="classification", labels=labels, label_counts=label_counts), targets
    mean, std = number_scale(facts.targets, codes)
    num_train = int((codes == TRAIN).sum())
    spec = replace(spec, task="regression", num_train=num_train, target_mean=mean, target_std=std)
    return spec, facts.targets.astype(np.float32)


def _taken_for(used: Sequence[Profile]) -> str:
    """ "Taken as numbers: age, fare; as categories: sex, deck." """
    parts = []
    for role, word in WORDS.items():
        names = [found.name for found in used if found.role is role]
        if names:
            parts.append(f"as {word}: {_listed(names)}")
    return f"Taken {'; '.join(parts)}."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _content(facts: Facts) -> str:
    digest = hashlib.sha256(repr(list(facts.labels)).encode(errors="surrogatepass"))
    for array in (facts.digests, facts.targets, facts.given, facts.groups):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
