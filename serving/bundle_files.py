"""The files of a bundle: complete, unchanged, and of a format that is known."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from records.bundle import CHECKSUMS, FORMAT_VERSION, MANIFEST, Manifest
from records.errors import BundleError
from serving.admitting.contents import check_contents
from store.files import sha256_file, write_atomically

BENTOML_FILE = "model.yaml"
"""BentoML's own note beside our files. Nothing of ours reads it, so it has no checksum."""
MAX_JSON_BYTES = 64_000_000
"""A vocabulary of a quarter of a million words takes 20 MB, a picture of 20 MB as a sample 27 MB."""
MAX_FILES = 1000
AGAIN = "Package the model again, or register another version."


def read_manifest(folder: Path) -> Manifest:
    """What the bundle says of itself.

    Raises:
        BundleError: No manifest, a damaged one, or one of a format that this version does not know.
    """
    saved = read_json(folder, MANIFEST)
    version = saved.get("format_version") if isinstance(saved, dict) else None
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise BundleError(
            f"The bundle {folder} has an unknown format. Expected format_version 1 to {FORMAT_VERSION}. "
            f"Received: {version!r}. Install the version of Kerasmith that made it, or a newer one."
        )
    try:
        return Manifest.model_validate(saved)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{folder / MANIFEST} is damaged: {where}: {first['msg']}. {AGAIN}") from error


def write_checksums(folder: Path) -> str:
    """Writes `checksums.json` over every file that is there. Returns its own SHA-256, which the registry keeps."""
    files = {
        name: {"sha256": sha256_file(folder / name), "size": (folder / name).stat().st_size}
        for name in sorted(_files(folder) - {CHECKSUMS})
    }
    write_atomically(folder / CHECKSUMS, json.dumps({"files": files}, indent=1, sort_keys=True).encode())
    return sha256_file(folder / CHECKSUMS)


def verify(folder: Path, checksum: str | None = None) -> Manifest:
    """Checks that the bundle is complete and unchanged, and returns its manifest.

    Args:
        folder: Of the bundle.
        checksum: What `write_checksums` returned; `None`: the bundle's own list is believed.

    Raises:
        BundleError: A file is missing, changed, strange, a link or a device, or does not hold what its name says (see
            `serving.admitting.contents`); or the format is unknown.
    """
    if not folder.is_dir():
        raise BundleError(f"There is no bundle at {folder}. {AGAIN}")
    found = _files(folder)
    listed = _listed(folder)
    if checksum is not None and sha256_file(folder / CHECKSUMS) != checksum:
        raise BundleError(f"The bundle {folder} is not the one that was registered: its checksums changed. {AGAIN}")
    for name in sorted(listed):
        if name not in found:
            raise BundleError(f"The bundle {folder} is damaged: {_plain(name)} is missing. {AGAIN}")
        if not _unchanged(folder / name, listed[name]):
            raise BundleError(f"The bundle {folder} is damaged: {_plain(name)} is not what was packaged. {AGAIN}")
    if strange := sorted(found - listed.keys() - {CHECKSUMS, BENTOML_FILE}):
        names = ", ".join(map(_plain, strange[:5]))
        raise BundleError(f"The bundle {folder} holds files that were not packaged: {names}. {AGAIN}")
    manifest = read_manifest(folder)
    check_contents(folder, found)
    return manifest


def _unchanged(path: Path, entry: dict[str, Any]) -> bool:
    try:
        return path.stat().st_size == entry["size"] and sha256_file(path) == entry["sha256"]
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}. {AGAIN}") from error


def _files(folder: Path) -> set[str]:
    """Relative names of all files, with `/`. A link of any kind is refused; so is what would block who reads it."""
    names: set[str] = set()
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise BundleError(f"The bundle {folder} holds a link: {_plain(name)}. {AGAIN}")
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise BundleError(f"The bundle {folder} holds something that is no plain file: {_plain(name)}. {AGAIN}")
        names.add(name)
        if len(names) > MAX_FILES:
            raise BundleError(f"The bundle {folder} holds more than {MAX_FILES} files. {AGAIN}")
    return names


def _plain(name: str) -> str:
    """A stranger's name, fit for a terminal."""
    return name if name.isprintable() else repr(name)


def _listed(folder: Path) -> dict[str, Any]:
    saved = read_json(folder, CHECKSUMS)
    files = saved.get("files") if isinstance(saved, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(f, dict) and {"size", "sha256"} <= f.keys() for f in files.values()
    ):
        raise BundleError(f"{folder / CHECKSUMS} is damaged: it lists no files. {AGAIN}")
    return files


def read_json(folder: Path, name: str) -> Any:
    """What a file of the bundle holds.

    Raises:
        BundleError: It is missing, too large, nested too deeply or no JSON, which knows no NaN.
    """
    path = folder / name
    try:
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            raise ValueError(f"expected at most {MAX_JSON_BYTES} bytes, received {size}")
        return json.loads(path.read_bytes(), parse_constant=_not_json)
    except FileNotFoundError as error:
        raise BundleError(f"The bundle {folder} is damaged: {name} is missing. {AGAIN}") from error
    except RecursionError as error:
        raise BundleError(f"{path} cannot be read: it is nested too deeply. {AGAIN}") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read: {error}. {AGAIN}") from error


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
