"""From a registered model to a Bento: a folder with the model, the code that serves it and its pinned requirements."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from records.bundle import SAMPLE_REQUEST, Manifest
from records.errors import BundleError, ConfigError, KerasmithError
from serving.beside import BESIDE, MODEL
from serving.building.code import Code, code_for
from serving.building.manifests import Deployed, manifests
from serving.building.requirements import Requirements, requirements_for
from serving.bundle import verify
from serving.limits import Limits
from serving.model_store import bento_folder, name_latest
from serving.serve import find_model, running
from serving.settings import Settings
from store.files import sync_folder, writing
from store.home import Home

CREATE = Path(__file__).with_name("create.py")
MAX_SECONDS = 300.0
"""For BentoML to make a Bento; it takes three."""
REQUIREMENTS = "env/python/requirements.txt"
DEPLOY = "deploy"
BUILDING = ".building-"
STALE_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Built:
    """A Bento."""

    tag: str
    """`name:version`. Equal contents have equal versions."""
    folder: Path
    """`bentoml serve FOLDER` serves it."""
    model: str
    """The reference of the model in it."""
    size_bytes: int
    packages: tuple[str, ...]
    """Names of all that its requirements hold."""
    memory_bytes: int
    """Of a server that has answered the sample."""
    note: str
    """What is not as it should be; empty where all is well."""


def build(home: Home, ref: str | None = None, output: Path | None = None) -> Built:
    """Makes a Bento of a registered model, after it was served and has answered its sample.

    Args:
        home: Where the model is.
        ref: `name` or `name:version`; `None`: the newest model.
        output: A folder that is not there yet, or empty; `None`: BentoML's store in the home.

    Raises:
        ConfigError: No such model, or the output folder holds something.
        BundleError: The model is damaged, or its server does not answer.
        StoreError: The disk is full, or the folder cannot be written.
    """
    settings = find_model(home, ref)
    if output is not None and (output.is_file() or (output.is_dir() and any(output.iterdir()))):
        raise ConfigError(f"{output} holds something already. Expected a folder that is new or empty.")
    manifest = verify(settings.folder, settings.checksum)
    code = code_for(manifest.input_kind, manifest.engine)
    requirements = requirements_for(code.libraries)
    version = f"{settings.ref.rpartition(':')[2]}-{_digest(settings, code, requirements)}"
    place = output.absolute() if output else bento_folder(home, manifest.name, version)
    if output is None and place.is_dir():
        memory = int(json.loads((place / "src" / BESIDE).read_text("utf-8"))["memory_bytes"])
    else:
        memory = measure(settings)
        with _scratch(place) as scratch:
            made = _make(scratch, settings, manifest, code, requirements, version, memory)
            _move(made, place)
        if output is None:
            name_latest(place)
    return Built(
        tag=f"{manifest.name}:{version}",
        folder=place,
        model=settings.ref,
        size_bytes=sum(path.stat().st_size for path in place.rglob("*") if path.is_file()),
        packages=tuple(sorted(requirements.names)),
        memory_bytes=memory,
        note=f"The requirements have no hashes: {requirements.note}." if requirements.note else "",
    )


def measure(settings: Settings) -> int:
    """Bytes that a server of the model takes once it has answered the sample, all its processes together.

    Raises:
        BundleError: It does not answer the sample.
    """
    with running(settings) as server:
        body = (settings.folder / SAMPLE_REQUEST).read_bytes()
        headers = {"content-type": "application/json"}
        answer = httpx.post(server.url + "/predict", content=body, headers=headers, timeout=60, trust_env=False)
        if answer.status_code != 200:
            raise BundleError(f"{settings.ref} does not answer its own sample: status {answer.status_code}.")
        family = psutil.Process(server.process.pid)
        return sum(_memory(one) for one in (family, *family.children(recursive=True)))


def _memory(process: psutil.Process) -> int:
    """Bytes; what processes share counts once where the system can tell."""
    told = process.memory_full_info()
    return int(getattr(told, "pss", told.rss))


def _digest(settings: Settings, code: Code, requirements: Requirements) -> str:
    """Of everything that goes in: eight hexadecimal digits."""
    digest = hashlib.sha256(f"{settings.checksum}\n{requirements.text}\n".encode())
    for name, path in sorted(code.files().items()):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def _make(
    scratch: Path,
    settings: Settings,
    manifest: Manifest,
    code: Code,
    requirements: Requirements,
    version: str,
    memory: int,
) -> Path:
    context, made = scratch / "context", scratch / "bento"
    for name, path in code.files().items():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, context / name)
    shutil.copytree(settings.folder, context / MODEL)
    verify(context / MODEL, settings.checksum)
    told = {"ref": settings.ref, "checksum": settings.checksum, "memory_bytes": memory}
    (context / BESIDE).write_text(json.dumps(told, indent=1), "utf-8")
    description = f"# {settings.ref}\n\nServe it: `bentoml serve .` here. In a container: see `{DEPLOY}`.\n"
    _create(scratch, context, made, manifest.name, version, description)
    (made / REQUIREMENTS).write_text(requirements.text, "utf-8")
    (made / DEPLOY).mkdir()
    deployed = Deployed(
        name=manifest.name,
        version=version,
        measured_bytes=memory,
        body_bytes=Limits().max_held_bytes,
        hashes=not requirements.note,
    )
    for name, text in manifests(deployed).items():
        (made / DEPLOY / name).write_text(text, "utf-8")
    return made


def _create(scratch: Path, context: Path, made: Path, name: str, version: str, description: str) -> None:
    """Runs `create.py` with an environment of its own: what the user set for BentoML is about other services."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BENTOML_", "BENTOCLOUD_"))}
    environment |= {"BENTOML_HOME": str(scratch / "home"), "BENTOML_DO_NOT_TRACK": "True"}
    path = os.pathsep.join([str(context), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", str(CREATE), str(context), str(made), name, version, description]
    try:
        done = subprocess.run(
            command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=MAX_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise KerasmithError(f"BentoML did not make the Bento within {MAX_SECONDS:g} seconds.") from error
    if done.returncode:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
        raise KerasmithError(f"BentoML could not make the Bento: {last}")


@contextmanager
def _scratch(place: Path) -> Iterator[Path]:
    """A folder on the disk of `place`, so that what is made there can be moved in one step."""
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        for left in place.parent.glob(f"{BUILDING}*"):  # by a build that was killed
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=BUILDING, dir=place.parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)


def _move(made: Path, place: Path) -> None:
    for path in made.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    try:
        made.replace(place)  # an empty folder may be there
    except OSError:
        if not (place / "bento.yaml").is_file():  # another build of the same was faster
            raise
    sync_folder(place.parent)
