"""Files of series: `.ts`, as the UCR and UEA archives write them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pipelines.datasets.splits import split_named
from pipelines.datasets.ts_format import Header, read_header, read_series
from records.config import RunConfig
from records.data import Example, InputKind, Source, Split, Understood
from records.errors import ConfigError, DataError

ENDING = ".ts"


def load(config: RunConfig) -> Source:
    """The file that `config.data` names, with its partner where it has one, or the files of a folder.

    `NAME_TRAIN.ts` and `NAME_TEST.ts` (also `NAME_VALIDATION.ts`) belong together. Reads the headers, no series.

    Raises:
        ConfigError: No such file or folder, several datasets in one folder, or a task that the file does not have.
        DataError: A header is damaged, there are no labels, or the partners do not fit together.
    """
    asked = Path(config.data).expanduser()
    files, splits, understood = _find(asked)
    headers = {file: read_header(file) for file in files}
    _check(headers, config)
    numbers = config.task == "regression" or (config.task is None and headers[files[0]].numeric)
    return Source(
        name=_name(files),
        kind=InputKind.SERIES,
        fingerprint=_fingerprint(files, numbers),
        examples=lambda: _examples(files, splits, headers, numbers),
        understood=tuple(understood),
        labels=None if numbers else headers[files[0]].labels,
    )


def _find(asked: Path) -> tuple[list[Path], dict[Path, Split], list[Understood]]:
    """The files to read, training first; the splits that they name, and what was inferred."""
    if not asked.exists():
        raise ConfigError(f"There is no file or folder {asked}. Expected a {ENDING} file, or a folder of them.")
    candidates = [asked] if asked.is_file() else []
    folder = asked.parent if asked.is_file() else asked
    try:
        beside = sorted(file for file in folder.iterdir() if file.suffix.lower() == ENDING and file.is_file())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}. Expected a readable folder.") from error
    named = {file: split for file in beside if (split := split_named(file.stem.rpartition("_")[2])) is not None}
    if asked.is_dir():
        if not beside:
            raise DataError(f"{asked} holds no {ENDING} files.")
        if len({_problem(file, named) for file in beside}) > 1:
            some = ", ".join(file.name for file in beside[:5])
            raise ConfigError(f"{asked} holds several datasets ({some}). Name one of the files.")
        candidates = beside
    elif asked in named:
        candidates = [file for file in named if _problem(file, named) == _problem(asked, named)]
    splits = {file: named[file] for file in candidates if file in named}
    if Split.TRAIN not in splits.values() or len(candidates) == 1:
        if len(candidates) > 1:
            raise DataError(f"{folder} has no training file beside {candidates[0].name}. Expected NAME_TRAIN{ENDING}.")
        return candidates, {}, []
    if len(set(splits.values())) < len(candidates):
        some = ", ".join(file.name for file in candidates)
        raise ConfigError(f"Two of the files {some} are for the same split. Expected one file for each.")
    order = tuple(Split)
    candidates = sorted(candidates, key=lambda file: order.index(splits[file]))
    told = " and ".join(f"{file.name} is the {splits[file]} split" for file in candidates)
    return candidates, splits, [Understood(what=f"{told}.")]


def _problem(file: Path, named: dict[Path, Split]) -> str:
    return file.stem.rpartition("_")[0] if file in named else file.stem


def _name(files: list[Path]) -> str:
    stem = files[0].stem
    head, _, tail = stem.rpartition("_")
    return head if head and split_named(tail) else stem


def _check(headers: dict[Path, Header], config: RunConfig) -> None:
    first, head = next(iter(headers.items()))
    for file, header in headers.items():
        if not header.labels and not header.numeric:
            raise DataError(
                f"{file.name} says that its series have no labels. Expected @classLabel or @targetLabel true."
            )
        if header.numeric != head.numeric or (header.labels and set(header.labels) != set(head.labels)):
            raise DataError(f"{file.name} and {first.name} declare different labels. Expected the same in both.")
        if None not in (header.dimensions, head.dimensions) and header.dimensions != head.dimensions:
            raise DataError(
                f"{file.name} has {header.dimensions} dimensions and {first.name} has {head.dimensions}. "
                "Expected the same in both."
            )
    if config.task == "regression" and not head.numeric and not all(_is_number(label) for label in head.labels):
        raise ConfigError(f"`task` is regression, but the labels of {first.name} are no numbers: {head.labels[0]!r}.")


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _fingerprint(files: list[Path], numbers: bool) -> str:
    digest = hashlib.sha256(f"ts-1 {numbers}".encode())
    for file in files:
        status = file.stat()
        digest.update(f"\0{file.resolve()}\0{status.st_size}\0{status.st_mtime_ns}".encode(errors="surrogatepass"))
    return digest.hexdigest()


def _examples(
    files: list[Path], splits: dict[Path, Split], headers: dict[Path, Header], numbers: bool
) -> Iterator[Example]:
    dimensions = 0
    for file in files:
        for line, values, label in read_series(file, headers[file]):
            dimensions = dimensions or values.shape[1]
            if values.shape[1] != dimensions:
                raise DataError(
                    f"{file.name}, line {line}: the series has {values.shape[1]} dimensions. Expected {dimensions}, "
                    "as the others have."
                )
            yield Example(
                raw=values,
                label=float(label) if numbers else label,
                id=f"{file.name}:{line}",
                split=splits.get(file),
            )
