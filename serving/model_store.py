"""BentoML's model store, inside the home. It is not atomic, so the registry's row is the truth about what is in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

from records.errors import BundleError, StoreError
from store.files import sync_folder, write_atomically, writing
from store.home import Home

TRASH = ".trash-"
LATEST = "latest"
"""BentoML's file that names the newest version of a model."""


def put(home: Home, name: str, bundle_id: str, source_folder: Path) -> Path:
    """Copies a finished bundle into the store under `name:bundle_id`. On the disk when this returns.

    Killed half-way, it leaves a partial entry without a row in the registry: `remove_unregistered` takes it away.

    Raises:
        BundleError: The store holds that entry already, or BentoML refuses the name.
        StoreError: The disk is full, or the store cannot be written.
    """
    folder = _path(home, name, bundle_id)
    if folder.exists():
        raise BundleError(f"The store holds {name}:{bundle_id} already. Package under another bundle id.")
    _prepare_environment(home)
    import bentoml
    from bentoml._internal.models import ModelStore
    from bentoml.exceptions import BentoMLException

    with writing(folder):
        try:
            # The store is named explicitly: BentoML reads BENTOML_HOME once, and may have been imported before.
            store = ModelStore(_models(home))
            with bentoml.models.create(f"{name}:{bundle_id}", _model_store=store) as entry:
                shutil.copytree(source_folder, entry.path, dirs_exist_ok=True)
        except (BentoMLException, ValueError) as error:
            raise BundleError(f"BentoML's store did not take {name}:{bundle_id}: {error}.") from error
        except shutil.Error as error:  # a list of failed copies, without an errno of its own
            raise StoreError(f"The bundle could not be copied to {folder}: {error.args[0][0][2]}.") from error
        _sync(folder)
    return folder


def folder_of(home: Home, name: str, bundle_id: str) -> Path:
    """Where the bundle lies.

    Raises:
        BundleError: It is not in the store.
    """
    folder = _path(home, name, bundle_id)
    if not folder.is_dir():
        raise BundleError(
            f"The bundle of {name} is gone: there is no {folder}. Restore it from a copy, or make the model again."
        )
    return folder


def bento_folder(home: Home, name: str, version: str) -> Path:
    """Where BentoML looks for the Bento `name:version`. It may not be there yet."""
    _check_words(name, version)
    return home.bentoml / "bentos" / name / version


def name_latest(bento: Path) -> None:
    """Makes a Bento of the store the one that BentoML takes for `name:latest`."""
    write_atomically(bento.parent / LATEST, bento.name.encode())


def remove_unregistered(home: Home, registered_ids: Collection[str]) -> list[str]:
    """Deletes every entry that no row of the registry names, also partial ones. Returns them as `name:bundle_id`.

    To be called while the home is held (`Home.exclusive`): an entry that is being packaged has no row yet.
    """
    removed = []
    with writing(_models(home)):
        for family in _folders(_models(home)):
            for entry in _folders(family):
                if entry.name not in registered_ids:
                    # Renamed first: killed half-way, there is no half-deleted entry under a good name.
                    entry.rename(home.bentoml / f"{TRASH}{uuid4().hex}")
                    removed.append(f"{family.name}:{entry.name}")
            _repair_latest(family)
        for trash in home.bentoml.glob(f"{TRASH}*"):
            shutil.rmtree(trash)
    return removed


def _repair_latest(family: Path) -> None:
    """BentoML follows its `latest` file; it must not name an entry that is gone."""
    left = sorted(_folders(family), key=lambda path: path.stat().st_mtime)
    latest = family / LATEST
    if not left:
        shutil.rmtree(family)
    elif not latest.is_file() or not (family / (latest.read_text("utf-8").strip() or "-")).is_dir():
        write_atomically(latest, left[-1].name.encode())


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _prepare_environment(home: Home) -> None:
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    os.environ.setdefault("BENTOML_HOME", str(home.bentoml))


def _models(home: Home) -> Path:
    folder = home.bentoml / "models"
    with writing(folder):
        folder.mkdir(exist_ok=True)
    return folder


def _path(home: Home, name: str, bundle_id: str) -> Path:
    _check_words(name, bundle_id)
    return _models(home) / name / bundle_id


def _check_words(name: str, bundle_id: str) -> None:
    for part in (name, bundle_id):
        if not part or part in (".", "..", LATEST) or "/" in part or os.sep in part:
            raise BundleError(f"A bundle's name and id are plain words. Received: {name!r} and {bundle_id!r}.")


def _sync(folder: Path) -> None:
    """Puts the copied files on the disk: the row that will name them must not outlive them in a power cut."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    for path in (folder, folder.parent, folder.parent.parent):
        sync_folder(path)
