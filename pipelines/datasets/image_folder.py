"""A folder of images: one folder per class, or train, validation and test with a folder per class in each."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.datasets.splits import split_named
from records.config import RunConfig
from records.data import Example, InputKind, Source, Split, Understood
from records.errors import ConfigError, DataError

READ = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"})
NOT_READ = frozenset(
    {".tif", ".tiff", ".heic", ".heif", ".avif", ".svg", ".psd", ".ico", ".jp2", ".pdf", ".dcm", ".raw"}
)
LAYOUT = "Expected a folder for each class, or folders train, validation and test with a folder for each class in each"


@dataclass(frozen=True, slots=True)
class _Found:
    parts: tuple[str, ...]
    """Of the path below the root, as on the disk."""
    size: int
    modified_ns: int


@dataclass(slots=True)
class _Scan:
    files: list[_Found] = field(default_factory=list)
    not_read: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)
    """Folders directly under the root that hold no image."""


def load(config: RunConfig) -> Source:
    """The folder that `config.data` names. Lists it now; opens no image.

    Raises:
        ConfigError: No such folder.
        DataError: It holds no images in folders of classes.
    """
    asked = Path(config.data).expanduser()
    if not asked.exists():
        raise ConfigError(f"There is no folder {config.data}. Expected a folder of images, digits, or tfds:NAME.")
    if not asked.is_dir():
        raise ConfigError(f"{config.data} is a file. Expected a folder of images; extract an archive first.")
    try:
        root, scan = _descend(asked)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}. Expected a readable folder.") from error
    understood: list[Understood] = []
    if root != asked:
        understood.append(Understood(what=f"The images are taken from {root.relative_to(asked.parent)}/."))
    splits = _splits(scan, understood)
    depth = 1 if splits else 0
    files = [found for found in scan.files if len(found.parts) > depth + 1]
    if not files:
        raise DataError(_nothing_found(config.data, scan))
    understood += _told(scan, len(scan.files) - len(files), any(len(found.parts) > depth + 2 for found in files))
    return Source(
        name=asked.resolve().name,
        kind=InputKind.IMAGE,
        fingerprint=_fingerprint(files),
        examples=lambda: _examples(root, files, splits),
        num_examples=len(files),
        understood=tuple(understood),
    )


def _descend(root: Path) -> tuple[Path, _Scan]:
    """Steps into a folder that holds nothing but one folder of folders, as an extracted archive often does."""
    while True:
        scan = _scan(root)
        tops = {found.parts[0] for found in scan.files}
        (top,) = tops if len(tops) == 1 else (None,)
        deep = min((len(found.parts) for found in scan.files), default=0) >= 3
        if top is None or not deep or split_named(top) is not None:
            return root, scan
        root = root / top


def _scan(root: Path) -> _Scan:
    scan = _Scan()
    visited: set[tuple[int, int]] = set()
    for top in sorted(_visible(root), key=lambda entry: entry.name):
        before = len(scan.files)
        if top.is_dir():
            _walk(top, (top.name,), scan, visited)
            if len(scan.files) == before:
                scan.empty.append(top.name)
        else:
            _take(top, (top.name,), scan)
    return scan


def _walk(folder: os.DirEntry[str], parts: tuple[str, ...], scan: _Scan, visited: set[tuple[int, int]]) -> None:
    identity = (folder.stat().st_dev, folder.stat().st_ino)
    if identity in visited:  # a symbolic link to a folder above would go round for ever
        return
    visited.add(identity)
    for entry in sorted(_visible(Path(folder.path)), key=lambda entry: entry.name):
        if entry.is_dir():
            _walk(entry, (*parts, entry.name), scan, visited)
        else:
            _take(entry, (*parts, entry.name), scan)


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]


def _take(entry: os.DirEntry[str], parts: tuple[str, ...], scan: _Scan) -> None:
    ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (a Path for each of 100,000 names costs seconds)
    if ending in NOT_READ:
        scan.not_read[ending] += 1
    if ending in READ and entry.is_file():
        status = entry.stat()
        scan.files.append(_Found(parts, status.st_size, status.st_mtime_ns))


def _splits(scan: _Scan, understood: list[Understood]) -> dict[str, Split]:
    """The top folders as splits, where all of them are named like splits and one is for training."""
    tops = list(dict.fromkeys(found.parts[0] for found in scan.files if len(found.parts) > 1))
    named = {top: split for top in tops if (split := split_named(top)) is not None}
    if len(named) < len(tops) or Split.TRAIN not in named.values():
        if named and tops:
            others = ", ".join(top for top in tops if top not in named) or "no train"
            understood.append(
                Understood(what=f"{_list(tops)} are taken as classes, not as splits, because there is {others} too.")
            )
        return {}
    what = ", ".join(f"{top}/ is the {split} split" for top, split in named.items())
    understood.append(Understood(what=f"The folders are taken as splits: {what}.", override="--source"))
    return named


def _told(scan: _Scan, num_stray: int, nested: bool) -> list[Understood]:
    told = []
    if num_stray:
        told.append(Understood(what=f"{num_stray} images lie in no class's folder and are left out."))
    if scan.not_read:
        kinds = ", ".join(f"{count} {ending}" for ending, count in scan.not_read.most_common())
        told.append(Understood(what=f"Files of other kinds are left out: {kinds}. JPEG, PNG, WebP, BMP, GIF are read."))
    if scan.empty:
        told.append(Understood(what=f"Folders without images are no classes: {_list(scan.empty)}."))
    if nested:
        told.append(Understood(what="Images in deeper folders belong to the class whose folder they are in."))
    return told


def _nothing_found(data: str, scan: _Scan) -> str:
    if scan.files:
        return f"{data} holds {len(scan.files)} images, but no folders of classes. {LAYOUT}."
    if scan.not_read:
        kinds = ", ".join(f"{count} {ending}" for ending, count in scan.not_read.most_common())
        return f"{data} holds no image that can be read, only {kinds}. Expected JPEG, PNG, WebP, BMP or GIF files."
    return f"{data} holds no images. {LAYOUT}, with JPEG, PNG, WebP, BMP or GIF files."


def _list(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(_readable(name) for name in names[:most]) + more


def _fingerprint(files: list[_Found]) -> str:
    digest = hashlib.sha256()
    for found in files:
        digest.update(os.fsencode(f"{'/'.join(found.parts)}\0{found.size}\0{found.modified_ns}\n"))
    return f"folder-{digest.hexdigest()}"


def _examples(root: Path, files: list[_Found], splits: dict[str, Split]) -> Iterator[Example]:
    for found in files:
        yield Example(
            raw=root.joinpath(*found.parts),
            label=_readable(found.parts[1 if splits else 0]),
            id="/".join(_readable(part) for part in found.parts),
            split=splits.get(found.parts[0]),
        )


def _readable(name: str) -> str:
    """The name as text: what is not UTF-8 is replaced, and "é" is one character wherever the file was written."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", errors="replace"))
