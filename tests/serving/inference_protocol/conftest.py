"""A served model of each kind."""

from pathlib import Path

import pytest

from serving.bundle import open_bundle
from serving.served import Served
from tests.serving.kinds import KITS, make_bundle


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory, pristine: Path) -> dict[str, Path]:
    """The bundles of `KITS`, and one of pictures."""
    root = tmp_path_factory.mktemp("protocol")
    return {"image": pristine, **{name: make_bundle(name, root / name) for name in KITS}}


@pytest.fixture(scope="session")
def all_served(folders: dict[str, Path]) -> dict[str, Served]:
    """Each as version 1."""
    made = {}
    for name, folder in folders.items():
        made[name] = Served()
        made[name].load(open_bundle(folder), f"{name}:1")
    return made


@pytest.fixture(params=["image", *KITS])
def served(request: pytest.FixtureRequest, all_served: dict[str, Served]) -> Served:
    """Each kind in its turn."""
    return all_served[request.param]
