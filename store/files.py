"""Files that survive a kill, and a disk that is full told in a sentence."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from records.errors import StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_NOT_A_FOLDER = {errno.ENOTDIR, errno.EEXIST}


def write_atomically(path: Path, data: bytes) -> None:
    """Writes the whole of `data` to `path`, or leaves what was there.

    Readers see the old content or the new one, never a part. The data is on the disk when the call returns.

    Raises:
        StoreError: The disk is full, or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    with writing(path):
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Puts the folder's entries on the disk, so that a rename in it outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write at `path` into sentences.

    Raises:
        StoreError: The disk is full, the place may not be written, or a file stands where a folder is needed.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreError(_full(path)) from error
        if error.errno in _FORBIDDEN:
            raise StoreError(
                f"{path} cannot be written ({error.strerror}). Change its permissions, "
                "or set KERASMITH_HOME to a folder of yours."
            ) from error
        if error.errno in _NOT_A_FOLDER:
            raise StoreError(f"{path} cannot be made: a file stands where a folder was expected.") from error
        raise


def _full(path: Path) -> str:
    try:
        left = f"{free_bytes(path) / 1e6:.1f} MB are free"
    except OSError:
        left = "nothing is free"
    return f"The disk is full: {path} could not be written; {left}. Free some space, then run the command again."


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write on the disk of `path`, which need not exist yet."""
    existing = path.absolute()
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free


def sha256_file(path: Path) -> str:
    """SHA-256 of the file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
