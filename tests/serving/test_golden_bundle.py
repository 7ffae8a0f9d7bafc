"""Bundles of every released format stay loadable, and give the answers that they gave when they were made."""

from pathlib import Path

import numpy as np
import pytest

from records.bundle import FORMAT_VERSION, Manifest
from serving.bundle import open_bundle, verify

GOLDEN = Path(__file__).parent / "golden"
BUNDLES = sorted(GOLDEN.glob("bundle_v*"))


def test_every_format_has_its_golden_bundle() -> None:
    assert [path.name for path in BUNDLES] == [f"bundle_v{version}" for version in range(1, FORMAT_VERSION + 1)]


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda path: path.name)
@pytest.mark.parametrize("engine", ["onnxruntime", "keras"])
def test_golden_bundle_still_answers(folder: Path, engine: str) -> None:
    manifest = verify(folder)
    assert isinstance(manifest, Manifest)
    bundle = open_bundle(folder, engine)
    assert bundle.reproduces_sample()
    probabilities, embedding = bundle.engine.run(np.zeros((2, *manifest.input_shape), manifest.input_dtype))
    assert probabilities.shape == (2, len(manifest.labels)) and embedding.ndim == 2


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda path: path.name)
def test_report_and_card_of_a_bundle_need_nothing_else(folder: Path) -> None:
    report = (folder / "report.html").read_text("utf-8")
    assert "<script" not in report and "https://" not in report.replace("https://www.w3.org", "")
    assert (folder / "README.md").read_text("utf-8").startswith("# golden")
