"""The networks that are served in the benchmarks: fixed seeds, never trained, packaged and registered as a run does it.

`python -m benchmarks.serving_networks` makes them, which is the only part of the serving benchmarks that needs
TensorFlow. They lie in KERASMITH_BENCH_SERVING, else in the temporary folder.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.cells import ROOT, hash_files, say
from benchmarks.tokenise import make_texts
from records.config import RunConfig
from records.data import Example, InputKind, Source
from serving.model_store import folder_of
from store.database import open_database
from store.home import Home
from store.registry import Registry

if TYPE_CHECKING:
    import keras

    from records.data import Prepared

FOLDER_VARIABLE = "KERASMITH_BENCH_SERVING"
MADE_FROM = (
    *("benchmarks/serving_networks.py", "records/bundle.py", "serving/codecs/*.py", "serving/bundle_files.py"),
    *("pipelines/package.py", "pipelines/export.py", "pipelines/evaluate.py", "search_spaces/bert.py"),
)
"""A change makes the networks again, so that what is served is what a run would package today."""
CLASSES = 10
EXAMPLES = 240
TOKENS = 64
LABELS = tuple(f"class {number}" for number in range(CLASSES))


@dataclass(frozen=True, kw_only=True)
class Network:
    """One of them."""

    name: str
    kind: InputKind
    side: int = 0
    """Pixels of the square that an image network takes."""
    sent: tuple[int, int] = (0, 0)
    """Width and height of the JPEG that a request holds."""


NETWORKS = {
    one.name: one
    for one in (
        Network(name="cnn", kind=InputKind.IMAGE, side=32, sent=(48, 48)),
        Network(name="mobilenet", kind=InputKind.IMAGE, side=96, sent=(320, 240)),
        Network(name="encoder", kind=InputKind.TEXT),
    )
}


def cache_folder() -> Path:
    """Where networks, homes and payloads lie."""
    return Path(os.environ.get(FOLDER_VARIABLE) or Path(tempfile.gettempdir()) / "kerasmith-bench-serving")


def home() -> Home:
    """With every network registered under its name. Makes what is missing, in a process of its own."""
    made = Home(cache_folder() / "home")
    made.root.mkdir(parents=True, exist_ok=True)
    if not all((bundle_of(made, name) / "manifest.json").is_file() for name in NETWORKS):
        say("Making the networks that are served (a minute) …")
        subprocess.run([sys.executable, "-m", "benchmarks.serving_networks"], cwd=ROOT, check=True)
        bundle_of.cache_clear()
    return made


@cache
def bundle_of(made: Home, name: str) -> Path:
    """The folder of a registered network; one that is not there where it is not registered."""
    engine = open_database(made)
    try:
        versions = [one for one in Registry(engine).versions(name) if one.name == name]
    finally:
        engine.dispose()
    return folder_of(made, name, versions[-1].bundle_id) if versions else made.root / "missing"


def labels_of(folder: Path) -> list[str]:
    """What the outputs of a bundle's network are called, in their order."""
    return list(json.loads((folder / "manifest.json").read_text("utf-8"))["labels"])


def picture(size: tuple[int, int], seed: int) -> Image.Image:
    """Smooth colours with some grain, as photographs have it."""
    rng = np.random.default_rng(seed)
    colours = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = rng.normal(0, 6, (size[1], size[0], 3))
    return Image.fromarray((np.asarray(colours) + grain).clip(0, 255).astype(np.uint8))


def jpeg(size: tuple[int, int], seed: int) -> bytes:
    """`picture` as a request holds it."""
    buffer = io.BytesIO()
    picture(size, seed).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _examples(network: Network) -> Iterator[Example]:
    texts = make_texts(4000, TOKENS) if network.kind is InputKind.TEXT else []
    for number in range(len(texts) or EXAMPLES):
        raw = texts[number] if texts else np.asarray(picture((network.side, network.side), number))
        yield Example(raw=raw, label=LABELS[number % CLASSES], id=str(number))


def _build(network: Network, prepared: Prepared) -> keras.Model:
    import keras

    from records.task import get_task
    from search_spaces import bert, heads

    keras.utils.set_random_seed(0)
    task = get_task("classification")
    if network.kind is InputKind.TEXT:
        inputs = keras.Input((None,), dtype="int32", name="tokens_in")
        vocabulary = int(prepared.spec.layout.vocabulary)  # type: ignore[union-attr]
        sizes = bert.Bert(vocabulary=vocabulary, max_tokens=TOKENS, width=320, hidden=1280, num_blocks=4, num_heads=10)
        mask, x = bert.mask_of(inputs), bert.embed(sizes, inputs)
        for number in range(sizes.num_blocks):
            x = bert.block(sizes, number, x, mask)
        model = keras.Model(inputs, heads.build(task, prepared.spec, bert.mean(x, mask)), name="encoder")
        for name in ("tokens", "positions"):  # they begin at zero, where a pretrained network's own are put in
            shape = model.get_layer(name).get_weights()[0].shape
            model.get_layer(name).set_weights([np.random.default_rng(0).normal(0, 0.5, shape)])
        return model
    inputs = keras.Input(prepared.spec.input_shape, dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    if network.name == "mobilenet":
        body = keras.applications.MobileNetV2((network.side, network.side, 3), include_top=False, weights=None)
        features = keras.layers.GlobalAveragePooling2D()(body(x))
    else:
        for filters in (32, 64, 128):
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
            x = keras.layers.MaxPooling2D()(x)
        features = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, heads.build(task, prepared.spec, features), name=network.name)


def make(network: Network, made: Home) -> Path:
    """Prepares data, builds the network, packages and registers it."""
    from pipelines.evaluate import evaluate
    from pipelines.package import Package, package
    from pipelines.preparing.prepare import prepare
    from records.candidate import Candidate
    from records.data import Split
    from records.task import MOST_LIKELY, get_task
    from records.trial import Run, RunState, Trial, TrialState

    config = RunConfig(
        data="made-up", name=network.name, max_tokens=TOKENS if network.kind is InputKind.TEXT else None,
        keep_near_duplicates=True,
    )  # fmt: skip
    source = Source(
        name=network.name, kind=network.kind, fingerprint=f"bench-{network.name}", examples=lambda: _examples(network)
    )
    prepared, task = prepare(source, config, made), get_task("classification")
    model = _build(network, prepared)
    rows = np.asarray(prepared.indices[Split.VALIDATION])
    trial = Trial(
        run_id=network.name, number=1, space=network.name, values={}, state=TrialState.COMPLETED, seed=0, score=0.1
    )
    candidate = Candidate(
        model=model, trial=trial, refitted=False, seconds=0.0,
        validation_predictions=model.predict(prepared.inputs[rows], verbose=0),
        validation_targets=np.asarray(prepared.targets)[rows],
    )  # fmt: skip
    run = Run(
        id=network.name, name=network.name, state=RunState.RUNNING, config={}, task=task.name,
        objective=task.objective, started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    parts = Package(
        run=run, task=task, candidate=candidate, prepared=prepared,
        reading=evaluate(candidate, None, prepared, task, seed=0), decision=MOST_LIKELY,
        write_papers=lambda manifest: (f"<h1>{manifest.name}</h1>", f"# {manifest.name}"),
    )  # fmt: skip
    engine = open_database(made)
    version, manifest = package(parts, made, Registry(engine))
    engine.dispose()
    if manifest.engine == "keras":  # ten times as slow as the others: only a busy machine measures it as the fastest
        shutil.rmtree(made.root)
        raise SystemExit(f"{network.name} would be served by Keras: {manifest.engines}. Make it on a quiet machine.")
    say(f"{version.ref}: {manifest.num_parameters} parameters, {manifest.size_bytes / 1e6:.1f} MB, {manifest.engines}")
    return folder_of(made, version.name, version.bundle_id)


def main() -> None:
    """All of them, anew."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    made, before = Home(cache_folder() / "home"), hash_files(MADE_FROM)
    shutil.rmtree(made.root, ignore_errors=True)
    made.root.mkdir(parents=True)
    for network in NETWORKS.values():
        make(network, made)
    (cache_folder() / "made-from").write_text(before, "utf-8")


if __name__ == "__main__":
    main()
