"""Files of Keras that only loading can tell to be poisoned."""

import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from records.bundle import KERAS_MODEL, MANIFEST, SAMPLE_ANSWER, SAMPLE_REQUEST
from serving.admitting.limited import admit
from serving.bundle import open_bundle
from serving.parsing.bodies import parse_request
from tests.serving import poison
from tests.serving.poison import admitted_apart, edit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def keras_bundle(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that others copy, with a network that Keras runs."""
    import keras as library

    folder = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("keras") / "tiny"))
    inputs = library.Input((5, 7, 3), dtype="uint8")
    embedding = library.layers.GlobalAveragePooling2D(name="embedding")(library.layers.Rescaling(1 / 255)(inputs))
    library.Model(inputs, library.layers.Dense(3, activation="softmax", name="head")(embedding)).save(
        folder / KERAS_MODEL
    )
    edit(folder / MANIFEST, engine="keras")
    bundle = open_bundle(folder)
    raws = parse_request("application/json", b"", (folder / SAMPLE_REQUEST).read_bytes(), "image").raws
    answers = {"predictions": [one.model_dump() for one in bundle.predict(raws)]}
    (folder / SAMPLE_ANSWER).write_text(json.dumps(answers))
    poison.write_checksums(folder)
    return folder


def test_a_good_network_of_keras_is_admitted(keras_bundle: Path) -> None:
    assert admit(keras_bundle)


def with_weights(folder: Path, write: Callable[..., object]) -> None:
    """Puts other weights into the network: `write(h5_file)` changes them."""
    import h5py

    path = folder / KERAS_MODEL
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        write(file)
    members["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    poison.write_checksums(folder)


@pytest.mark.parametrize("sort", ["link", "size"])
def test_weights_that_point_elsewhere_or_declare_gigabytes_are_refused(
    sort: str, keras_bundle: Path, tmp_path: Path
) -> None:
    import h5py

    folder = Path(shutil.copytree(keras_bundle, tmp_path / "bundle"))
    with h5py.File(tmp_path / "outside.h5", "w") as outside:
        outside["secret"] = [1.0, 2.0, 3.0]

    def write(file: h5py.File) -> None:
        place = "layers/dense/vars"
        del file[f"{place}/1"]
        if sort == "link":
            file[f"{place}/1"] = h5py.ExternalLink(str(tmp_path / "outside.h5"), "secret")
        else:
            file.create_dataset(f"{place}/1", (20_000_000_000,), "float32", chunks=(1_000_000,))

    with_weights(folder, write)
    said, most_bytes = admitted_apart(folder)
    assert re.search("Keras cannot load|more memory than its files explain", said)
    assert most_bytes < 4_000_000_000
