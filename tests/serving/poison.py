"""Bundles that somebody made to do harm. Each function spoils a good bundle; its checksums are right afterwards."""

from __future__ import annotations

import io
import json
import os
import pickle
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from records.bundle import CHECKSUMS, CODEC, KERAS_MODEL, MANIFEST, ONNX_MODEL, REFERENCE, SAMPLE_ANSWER
from serving.bundle import write_checksums
from store.files import sha256_file

MANY = 10**12


class Trap:
    """Unpickled, it writes the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change(folder: Path, spoil: Callable[[onnx.ModelProto], None]) -> None:
    model = onnx.load(folder / ONNX_MODEL)
    spoil(model)
    (folder / ONNX_MODEL).write_bytes(model.SerializeToString())


def external(location: str) -> Callable[[Path, Path], None]:
    """The weights in another file."""

    def spoil(model: onnx.ModelProto) -> None:
        weights = next(one for one in model.graph.initializer if one.name == "weights")
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
        weights.external_data.add(key="length", value="36")

    return lambda folder, canary: change(folder, spoil)


def listed_outside(name: str) -> Callable[[Path, Path], None]:
    """A file outside of the bundle in its list, with its true checksum."""

    def spoil(folder: Path, canary: Path) -> None:
        secret = canary.parent / "secret"
        saved = json.loads((folder / CHECKSUMS).read_text())
        where = str(secret) if name == "absolute" else f"../{secret.name}"
        saved["files"][where] = {"sha256": sha256_file(secret), "size": secret.stat().st_size}
        (folder / CHECKSUMS).write_text(json.dumps(saved))

    return spoil


def huge_initializer(model: onnx.ModelProto) -> None:
    weights = next(one for one in model.graph.initializer if one.name == "weights")
    del weights.dims[:]
    weights.dims.extend([MANY, 3])


def custom_operator(model: onnx.ModelProto) -> None:
    model.opset_import.extend([helper.make_opsetid("evil", 1)])
    model.graph.node[0].domain = "evil"


def nested(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([helper.make_node("Identity", ["image"], ["x"])], "g", [], [])
    for _ in range(20):
        node = helper.make_node("If", ["c"], ["x"], then_branch=inner, else_branch=inner)
        node.attribute[1].ClearField("g")  # one branch is enough, and does not double at every step
        inner = helper.make_graph([node], "g", [], [])
    model.graph.node.extend(inner.node)


def large_constant(model: onnx.ModelProto) -> None:
    """Ten numbers that become a hundred gigabytes while ONNX Runtime folds constants."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [10**5, 250_000])
    model.graph.initializer.append(shape)
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["large"]),
        helper.make_node("ReduceSum", ["large"], ["nothing"], keepdims=0),
        helper.make_node("Add", ["logits", "nothing"], ["sum"]),
    ]
    softmax = model.graph.node[-1]
    softmax.input[0] = "sum"
    kept = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*kept[:-1], *nodes, softmax])


def endless(model: onnx.ModelProto) -> None:
    """A loop of 2**60 steps."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["a", "a"], ["b"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, None),
        ],
    )
    model.graph.initializer.append(helper.make_tensor("steps", TensorProto.INT64, [], [2**60]))
    softmax = model.graph.node[-1]
    loop = helper.make_node("Loop", ["steps", "", "logits"], ["looped"], body=body)
    softmax.input[0] = "looped"
    kept = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*kept[:-1], loop, softmax])


def npz(folder: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(folder / REFERENCE, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def npy(array: np.ndarray, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


def huge_array(folder: Path, canary: Path) -> None:
    header = npy(np.zeros(3)).replace(b"(3,), ", b"(%d,), " % MANY, 1)
    npz(folder, {"embeddings.npy": header})


def pickled_array(folder: Path, canary: Path) -> None:
    npz(folder, {"embeddings.npy": npy(np.array([Trap(canary)], object), pickled=True)})


def keras(config: Any, members: dict[str, bytes] | None = None) -> Callable[[Path, Path], None]:
    """A network of Keras with this description, chosen to be served."""

    def spoil(folder: Path, canary: Path) -> None:
        text = json.dumps(config).replace("CANARY", str(canary))
        with zipfile.ZipFile(folder / KERAS_MODEL, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
            archive.writestr("config.json", text)
            archive.writestr("model.weights.h5", b"")
            for name, content in (members or {}).items():
                archive.writestr(name, content)
        edit(folder / MANIFEST, engine="keras")

    return spoil


def layer(module: str, name: str, config: dict[str, Any]) -> Any:
    one = {"module": module, "class_name": name, "config": config, "registered_name": None}
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "x", "layers": [one]}}


def tokenizer(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    saved = json.loads((folder / CODEC).read_text())
    described = json.loads(saved["tokenizer_json"])
    change(described)
    edit(folder / CODEC, tokenizer_json=json.dumps(described))


def catastrophic(described: dict[str, Any]) -> None:
    described["pre_tokenizer"] = {
        "type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False
    }  # fmt: skip


def large_vocabulary(described: dict[str, Any]) -> None:
    described["model"]["vocab"] |= {f"{i} {'a' * 1_000_000}": i for i in range(8, 80)}


def unix_socket(folder: Path, canary: Path) -> None:
    before = Path.cwd()
    os.chdir(folder)  # such a name may not be long
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("listening.json")
    finally:
        os.chdir(before)


def swap_answer(folder: Path, canary: Path) -> None:
    path = folder / SAMPLE_ANSWER
    path.write_text(path.read_text().replace('"red"', '"blue"', 1))


def rewritten(spoil: Callable[[Path, Path], object]) -> Callable[[Path, Path], None]:
    """With checksums that are right again: a stranger can write them too."""

    def both(folder: Path, canary: Path) -> None:
        spoil(folder, canary)
        write_checksums(folder)

    return both


def raw_pickle(folder: Path, canary: Path) -> None:
    (folder / REFERENCE).write_bytes(pickle.dumps(Trap(canary)))


ADMITTING = """
import json, resource, sys
from pathlib import Path
from records.errors import BundleError
from serving.admitting.limited import admit

try:
    said = admit(Path(sys.argv[1]))
except BundleError as error:
    said = str(error)
print(json.dumps([said, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""


def admitted_apart(folder: Path) -> tuple[str, int]:
    """What `admit` gives or says, and the bytes that its child took at most. Asked in a process that has no other."""
    command = [sys.executable, "-c", ADMITTING, str(folder)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    said, most = json.loads(done.stdout)
    return said, most * (1 if sys.platform == "darwin" else 1024)
