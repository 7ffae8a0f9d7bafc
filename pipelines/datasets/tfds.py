"""TensorFlow Datasets that hold images or texts with a class; prepared directories are read without a network."""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.datasets.quiet import quietly
from pipelines.datasets.splits import split_named
from pipelines.datasets.tfds_fields import Fields, find_fields
from records.config import RunConfig
from records.data import Example, InputKind, Source, Split, Understood
from records.errors import ConfigError, DataError

NAME = re.compile(r"(?P<name>\w+)(/(?P<config>[^/:]+))?(:(?P<version>\d+\.\d+\.\d+))?")
BATCH = 256
"""Records taken from TensorFlow at once; one at a time costs four times as much."""
NETWORK_RETRIES = 2
"""Of each file. TFDS's own ten keep a machine without a network waiting for minutes."""

log = logging.getLogger(__name__)


def load(config: RunConfig) -> Source:
    """The dataset `tfds:NAME[/config][:version]`, from `config.data_dir` or TFDS's own default folder.

    What is prepared there is read as it is, also without a network; anything else is downloaded first.

    Raises:
        ConfigError: A name that TFDS does not know.
        DataError: It cannot be downloaded, or holds neither images nor texts with a class.
    """
    asked = config.data.removeprefix("tfds:")
    match = NAME.fullmatch(asked)
    if match is None:
        raise ConfigError(f"{config.data!r} names no TFDS dataset. Expected tfds:NAME or tfds:NAME/CONFIG.")
    with quietly():
        import tensorflow_datasets as tfds

        root = config.data_dir or Path(str(tfds.core.constants.DATA_DIR))
        folder = _prepared(root.expanduser() / match["name"], match["config"], match["version"])
        builder = tfds.builder_from_directory(folder) if folder else _download(asked, root.expanduser(), config)
    fields = find_fields(builder.info, asked, config)
    splits, understood = _splits(builder.info, asked)
    return Source(
        name=match["name"],
        kind=fields.kind,
        fingerprint=_fingerprint(builder.info, fields),
        examples=lambda: _examples(builder, fields, splits),
        num_examples=sum(builder.info.splits[name].num_examples for name in splits),
        understood=(*fields.understood, *understood),
        labels=fields.names,
    )


def _prepared(folder: Path, config: str | None, version: str | None) -> Path | None:
    """The newest prepared version below `folder`, or `None`."""
    infos = [*folder.glob("*/dataset_info.json"), *folder.glob("*/*/dataset_info.json")]
    found = []
    for info in infos:
        parts = info.relative_to(folder).parts[:-1]
        numbers = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", parts[-1])
        its_config = parts[0] if len(parts) == 2 else None
        if numbers and config in (None, its_config) and version in (None, parts[-1]):
            found.append((tuple(map(int, numbers.groups())), its_config, info.parent))
    configs = sorted({its_config for _, its_config, _ in found if its_config})
    if config is None and len(configs) > 1:
        raise ConfigError(
            f"tfds:{folder.name} is prepared in several configurations. Expected tfds:{folder.name}/CONFIG, "
            f"with one of {', '.join(configs)}."
        )
    return max(found)[2] if found else None


def _download(asked: str, root: Path, config: RunConfig) -> Any:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import downloader

    try:
        builder = tfds.builder(asked, data_dir=root)
    except tfds.core.DatasetNotFoundError as error:
        raise ConfigError(_unknown(asked, tfds.list_builders(with_community_datasets=False))) from error
    except (ValueError, AssertionError) as error:  # an unknown configuration or version
        raise ConfigError(f"tfds:{asked} cannot be opened: {_first_line(error)}") from error
    if builder.info.features is not None:
        find_fields(builder.info, asked, config)  # before gigabytes are fetched for nothing
    retries, downloader.MAX_RETRIES = downloader.MAX_RETRIES, NETWORK_RETRIES
    try:
        builder.download_and_prepare()
    except Exception as error:  # TFDS passes on whatever its network, archive and file libraries raise
        raise DataError(
            f"tfds:{asked} is not prepared in {root} and could not be downloaded: {_first_line(error)} "
            f"Check the network, or name a folder that has it with --data-dir."
        ) from error
    finally:
        downloader.MAX_RETRIES = retries
    return builder


def _unknown(asked: str, known: list[str]) -> str:
    near = difflib.get_close_matches(asked.split("/")[0].split(":")[0], known, n=5, cutoff=0.5)
    advice = f"Did you mean {', '.join(near)}?" if near else "See https://www.tensorflow.org/datasets for their names."
    return f"TFDS knows no dataset {asked!r}. {advice}"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    text = f"{type(error).__name__}: {lines[0]}".rstrip(": .")
    return f"{text[:200]}{'…' if len(text) > 200 else '.'}"


def _splits(info: Any, asked: str) -> tuple[dict[str, Split | None], tuple[Understood, ...]]:
    """What each of the dataset's splits is for; all of them together are split anew where none is for training."""
    names = [name for name, split in info.splits.items() if split.num_examples]
    labelled = [name for name in names if not name.lower().startswith(("unlabel", "unsup"))]
    if not labelled:
        raise DataError(f"tfds:{asked} has no examples with labels. Its splits: {', '.join(info.splits) or 'none'}.")
    named = {name: split for name in labelled if (split := split_named(name)) is not None}
    if Split.TRAIN not in named.values():
        what = f"TFDS gives no train split, only {', '.join(labelled)}: all examples are taken together and split anew."
        return dict.fromkeys(labelled), (Understood(what=what, override="--source"),)
    told = [f"the split {name} of TFDS is the {split} split" for name, split in named.items() if name != split]
    told += [f"the split {name} of TFDS is left out" for name in names if name not in named]
    understood = tuple(Understood(what=f"{what[0].upper()}{what[1:]}.", override="--source") for what in told)
    return dict(named), understood


def _fingerprint(info: Any, fields: Fields) -> str:
    described = {
        "dataset": info.full_name,
        "fields": [fields.raw, fields.label],
        "splits": {name: [split.num_bytes, list(split.shard_lengths)] for name, split in sorted(info.splits.items())},
    }
    return f"tfds-{hashlib.sha256(json.dumps(described).encode()).hexdigest()}"


def _examples(builder: Any, fields: Fields, splits: dict[str, Split | None]) -> Iterator[Example]:
    import tensorflow_datasets as tfds

    for name, split in splits.items():
        with quietly():
            dataset = builder.as_dataset(
                split=name,
                shuffle_files=False,
                decoders=tfds.decode.PartialDecoding(
                    {fields.raw: True, fields.label: True},
                    decoders={fields.raw: tfds.decode.SkipDecoding()} if fields.kind is InputKind.IMAGE else None,
                ),
            )
            batches = dataset.batch(BATCH).as_numpy_iterator()
        number = 0
        for batch in batches:
            for raw, label in zip(batch[fields.raw], batch[fields.label], strict=True):
                if label >= 0:  # -1 marks a hidden label
                    text = raw.decode("utf-8", "replace") if fields.kind is InputKind.TEXT else raw
                    yield Example(raw=text, label=fields.names[label], id=f"{name}/{number:06d}", split=split)
                number += 1
