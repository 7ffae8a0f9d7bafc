"""Weights of PyTorch are read as data: what is not a tensor is refused, and nothing in the file is run."""

import io
import os
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from records.errors import ConfigError
from search_spaces.torch_weights import MAGIC, PROTOCOL, read_state_dict


class FakeTensor:
    """Pickled as PyTorch pickles a tensor."""

    def __init__(self, key, shape, strides, offset=0, size=None, kind="FloatStorage"):
        self.parts = (key, offset, shape, strides)
        self.size = int(np.prod(shape)) if size is None else size
        self.kind = kind

    def __reduce__(self):
        key, offset, shape, strides = self.parts
        torch = sys.modules["torch"]
        storage = types.SimpleNamespace(pid=("storage", getattr(torch, self.kind), key, "cpu", self.size, None))
        return torch._utils._rebuild_tensor_v2, (storage, offset, shape, strides, False, OrderedDict())


class FakePickler(pickle.Pickler):
    def persistent_id(self, item):
        return getattr(item, "pid", None)


@pytest.fixture
def torch(monkeypatch):
    """As much of PyTorch as its pickles name."""

    def member(module, name):
        made = type(name, (), {"__module__": module.__name__, "__qualname__": name})
        setattr(module, name, made)

    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch._utils = utils
    for name in ("FloatStorage", "LongStorage", "ByteStorage"):
        member(torch, name)
    member(utils, "_rebuild_tensor_v2")
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def write(path: Path, state, storages=(), magic=MAGIC) -> Path:
    stream = io.BytesIO()
    for item in (magic, PROTOCOL, {"little_endian": True}, state):
        FakePickler(stream, protocol=2).dump(item)
    FakePickler(stream, protocol=2).dump([key for key, _ in storages])
    for _, numbers in storages:
        stream.write(numbers.size.to_bytes(8, "little") + numbers.tobytes())
    path.write_bytes(stream.getvalue())
    return path


def test_reads_tensors_of_any_layout(torch, tmp_path):
    numbers = np.arange(6, dtype="<f4")
    state = OrderedDict(
        rows=FakeTensor("a", (2, 3), (3, 1)),
        columns=FakeTensor("a", (3, 2), (1, 3)),  # a transposed view of the same storage
        last=FakeTensor("a", (2,), (1,), offset=4, size=6),
        count=FakeTensor("b", (), (), kind="LongStorage"),
    )
    read = read_state_dict(write(tmp_path / "w.pth", state, [("b", np.array([7], "<i8")), ("a", numbers)]))
    np.testing.assert_array_equal(read["rows"], numbers.reshape(2, 3))
    np.testing.assert_array_equal(read["columns"], numbers.reshape(2, 3).T)
    np.testing.assert_array_equal(read["last"], [4, 5])
    assert read["count"] == 7 and read["count"].dtype == np.int64
    assert all(tensor.flags["C_CONTIGUOUS"] and tensor.flags["OWNDATA"] for tensor in read.values())


class Calls:
    """A pickle that calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("place", ["state", "header"])
@pytest.mark.parametrize("function", [os.mkdir, eval, getattr, np.fromfile], ids=lambda f: f.__name__)
def test_runs_nothing_that_a_file_asks_for(torch, tmp_path, place, function):
    victim = tmp_path / "victim"
    arguments = {os.mkdir: (str(victim),), eval: (f"__import__('os').mkdir({str(victim)!r})",)}
    evil = Calls(function, *arguments.get(function, ("a", "b")))
    state = OrderedDict(evil=evil) if place == "state" else OrderedDict()
    path = write(tmp_path / "w.pth", state, magic=evil if place == "header" else MAGIC)
    with pytest.raises(ConfigError, match=r"^The weights in w\.pth cannot be read: it asks for \w+\.\w+"):
        read_state_dict(path)
    assert not victim.exists()


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (dict(shape=(7,), strides=(1,), size=6), "larger than its storage"),
        (dict(shape=(2, 3), strides=(4, 1)), "larger than its storage"),
        (dict(shape=(2**40,), strides=(0,), size=6), "larger than its storage"),
        (dict(shape=(2,), strides=(1,), offset=-1, size=6), "impossible shape"),
        (dict(shape=(6,), strides=(-1,)), "impossible shape"),
        (dict(shape=(9,), strides=(1,)), "cut short"),
        (dict(shape=(6,), strides=(1,), kind="ByteStorage"), r"asks for torch\.ByteStorage"),
    ],
)
def test_reaches_no_memory_outside_a_storage(torch, tmp_path, tensor, message):
    path = write(tmp_path / "w.pth", OrderedDict(t=FakeTensor("a", **tensor)), [("a", np.zeros(6, "<f4"))])
    with pytest.raises(ConfigError, match=message):
        read_state_dict(path)


def test_says_what_is_wrong_with_a_damaged_file(torch, tmp_path):
    state = OrderedDict(t=FakeTensor("a", (6,), (1,)))
    path = write(tmp_path / "w.pth", state, [("a", np.zeros(6, "<f4"))])
    whole = path.read_bytes()
    for length in (0, 10, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match="Install the package of these weights again"):
            read_state_dict(path)
    path.write_text("not weights")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_state_dict(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_state_dict(tmp_path / "absent.pth")
    with pytest.raises(ConfigError, match="more than tensors"):
        read_state_dict(write(path, OrderedDict(epoch=3)))
