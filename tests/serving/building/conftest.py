"""A home with the tiny models in its registry."""

from pathlib import Path

import pytest

from serving.bundle import write_checksums
from serving.model_store import put
from store.database import open_database
from store.home import Home
from store.registry import Registry
from tests.serving.kinds import make_bundle


@pytest.fixture
def registered(home: Home, pristine: Path, tmp_path: Path) -> Home:
    """Holds tiny:1, of pictures, and table_row:1."""
    engine = open_database(home)
    for name, folder in (("tiny", pristine), ("table_row", make_bundle("table", tmp_path / "table"))):
        put(home, name, f"{name}-1", folder)
        Registry(engine).register(name, f"{name}-1", "run-1", write_checksums(folder), {})
    engine.dispose()
    return home
