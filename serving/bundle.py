"""A bundle: the folder that holds a model and everything it needs to answer. Reading, checking, asking it."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from records.api import Prediction, PredictRequest
from records.bundle import CHECKSUMS, CODEC, FORMAT_VERSION, MANIFEST, SAMPLE_ANSWER, SAMPLE_REQUEST, Manifest
from records.errors import BundleError, InputError
from serving.codecs.catalog import Codec, load_codec
from serving.decoding import DECODINGS
from serving.engines import ENGINES, Engine
from store.files import sha256_file, write_atomically

BENTOML_FILE = "model.yaml"
"""BentoML's own note beside our files. Nothing of ours reads it, so it has no checksum."""
TOLERANCE = 1e-4
"""Largest difference of a probability between the machine that packaged a model and the one that serves it."""
BATCH_SIZE = 32
"""Examples that go through the network together; bounds the memory of long lists."""
AGAIN = "Package the model again, or register another version."


def read_manifest(folder: Path) -> Manifest:
    """What the bundle says of itself.

    Raises:
        BundleError: No manifest, a damaged one, or one of a format that this version does not know.
    """
    saved = _read_json(folder, MANIFEST)
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
        BundleError: A file is missing, changed, strange or a link; or the format is unknown.
    """
    if not folder.is_dir():
        raise BundleError(f"There is no bundle at {folder}. {AGAIN}")
    found = _files(folder)
    listed = _listed(folder)
    if checksum is not None and sha256_file(folder / CHECKSUMS) != checksum:
        raise BundleError(f"The bundle {folder} is not the one that was registered: its checksums changed. {AGAIN}")
    for name in sorted(listed):
        if name not in found:
            raise BundleError(f"The bundle {folder} is damaged: {name} is missing. {AGAIN}")
        if not _unchanged(folder / name, listed[name]):
            raise BundleError(f"The bundle {folder} is damaged: {name} is not what was packaged. {AGAIN}")
    if strange := sorted(found - listed.keys() - {CHECKSUMS, BENTOML_FILE}):
        raise BundleError(f"The bundle {folder} holds files that were not packaged: {', '.join(strange[:5])}. {AGAIN}")
    return read_manifest(folder)


@dataclass(frozen=True)
class ModelBundle:
    """A bundle that can be asked."""

    folder: Path
    manifest: Manifest
    codec: Codec
    engine: Engine

    def predict(
        self, raws: Sequence[Any], top_k: int | None = None, max_decode_seconds: float | None = None
    ) -> list[Prediction]:
        """One answer for each raw input.

        Args:
            raws: Images: bytes, a path, or a `<uint8>[height, width, channels]` array.
            top_k: How many classes to list; `None`: all.
            max_decode_seconds: For all inputs together; `None`: any time.

        Raises:
            InputError: An input is not what it should be; where there are several, it says which one.
        """
        predictions: list[Prediction] = []
        decode_seconds = 0.0
        for start in range(0, len(raws), BATCH_SIZE):
            batch = []
            for index in range(start, min(start + BATCH_SIZE, len(raws))):
                if max_decode_seconds is not None and decode_seconds > max_decode_seconds:
                    raise InputError(
                        f"Decoding took too long: {index} of {len(raws)} inputs in {decode_seconds:.0f} seconds. "
                        f"Expected at most {max_decode_seconds:g} seconds for all. Send fewer, or smaller ones.",
                        413,
                    )
                began = time.monotonic()
                batch.append(self._encode(raws, index))
                decode_seconds += time.monotonic() - began
            probabilities, _ = self.engine.run(np.stack(batch))
            predictions += DECODINGS[self.manifest.task](probabilities, self.manifest.labels, top_k)
        return predictions

    def reproduces_sample(self) -> bool:
        """True when the sample request still gets the answer that it got when the model was packaged.

        Raises:
            BundleError: The sample itself cannot be read.
        """
        try:
            request = PredictRequest.model_validate(self.sample_request())
            raws = [b64decode(one.image, validate=True) for one in request.inputs]
            expected = [Prediction.model_validate(one) for one in _read_json(self.folder, SAMPLE_ANSWER)["predictions"]]
            answers = self.predict(raws, request.top_k)
        except (ValueError, KeyError, TypeError, InputError) as error:
            raise BundleError(f"The sample of the bundle {self.folder} cannot be read: {error}. {AGAIN}") from error
        return len(answers) == len(expected) and all(map(_agree, answers, expected))

    def sample_request(self) -> dict[str, Any]:
        """A body for `POST /predict` that works."""
        return _read_json(self.folder, SAMPLE_REQUEST)

    def close(self) -> None:
        """Frees the network."""
        self.engine.close()

    def _encode(self, raws: Sequence[Any], index: int) -> np.ndarray:
        try:
            return self.codec.encode(raws[index])
        except InputError as error:
            if len(raws) == 1:
                raise
            raise InputError(f"Input {index + 1} of {len(raws)}: {error}", error.status) from error


def open_bundle(folder: Path, engine: str | None = None, threads: int | None = None) -> ModelBundle:
    """Loads a bundle; it is not verified here.

    Args:
        folder: Of the bundle.
        engine: A name in `ENGINES`; `None`: the one that the manifest chose.
        threads: For one batch; `None`: one.

    Raises:
        BundleError: Something in it cannot be loaded.
    """
    manifest = read_manifest(folder)
    name = engine or manifest.engine
    if name not in ENGINES:
        raise BundleError(f"There is no engine {name!r}. Known: {', '.join(ENGINES)}.")
    if manifest.task not in DECODINGS:
        raise BundleError(
            f"The bundle {folder} is for an unknown task {manifest.task!r}. Known: {', '.join(DECODINGS)}."
        )
    codec = load_codec(_read_json(folder, CODEC))
    if codec.input_shape != manifest.input_shape:
        raise BundleError(
            f"The bundle {folder} contradicts itself: its codec gives {list(codec.input_shape)}, "
            f"its network takes {list(manifest.input_shape)}. {AGAIN}"
        )
    return ModelBundle(folder, manifest, codec, ENGINES[name](folder, threads))


def _agree(answer: Prediction, expected: Prediction) -> bool:
    now = {one.label: one.probability for one in answer.classes}
    then = {one.label: one.probability for one in expected.classes}
    # Two classes that are equally likely may change places on another processor.
    same_label = answer.label == expected.label or now.get(expected.label, 0.0) >= answer.probability - TOLERANCE
    return same_label and now.keys() == then.keys() and all(abs(now[k] - then[k]) <= TOLERANCE for k in now)


def _unchanged(path: Path, entry: dict[str, Any]) -> bool:
    try:
        return path.stat().st_size == entry["size"] and sha256_file(path) == entry["sha256"]
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}. {AGAIN}") from error


def _files(folder: Path) -> set[str]:
    """Relative names of all files, with `/`; a link of any kind is refused."""
    names = set()
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise BundleError(f"The bundle {folder} holds a link: {path.relative_to(folder)}. {AGAIN}")
        if not path.is_dir():
            names.add(path.relative_to(folder).as_posix())
    return names


def _listed(folder: Path) -> dict[str, Any]:
    saved = _read_json(folder, CHECKSUMS)
    files = saved.get("files") if isinstance(saved, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(f, dict) and {"size", "sha256"} <= f.keys() for f in files.values()
    ):
        raise BundleError(f"{folder / CHECKSUMS} is damaged: it lists no files. {AGAIN}")
    return files


def _read_json(folder: Path, name: str) -> Any:
    path = folder / name
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BundleError(f"The bundle {folder} is damaged: {name} is missing. {AGAIN}") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read: {error}. {AGAIN}") from error
