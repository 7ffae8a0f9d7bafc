"""docs/inference_protocol.md against the code."""

from pathlib import Path

import pytest

from serving.inference_protocol.metadata import input_tensors
from serving.inference_protocol.outputs import FURTHER, OUTPUTS
from serving.routes import ROUTES
from serving.served import Served

TEXT = (Path(__file__).parents[3] / "docs" / "inference_protocol.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*FURTHER, *(name for table in OUTPUTS.values() for name in table)])
def test_every_output_is_described(name: str) -> None:
    assert f"| `{name}` |" in TEXT


def test_every_input_is_described(served: Served) -> None:
    assert served.bundle is not None
    if served.bundle.codec.kind == "table":
        return  # its tensors have the names of the columns
    for tensor in input_tensors(served.bundle):
        assert f"| `{tensor['name']}`" in TEXT


def test_every_address_is_described() -> None:
    paths = [route.path for route in ROUTES.values() if route.path.startswith("/v2") and "{version}" not in route.path]
    for path in paths:
        assert f"`{ROUTES[path].method} {path}`" in TEXT
