"""The model of a Bento: it lies beside the code, so that the server finds it without being told."""

from __future__ import annotations

import json
import os
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
"""In a Bento, the folder of its sources."""
MODEL = "model"
"""The bundle, below that folder."""
BESIDE = "model.json"
"""Says what the bundle is called and what its checksum was when the Bento was built."""


def name_model() -> None:
    """Puts the Bento's model into the environment, unless another one stands there or there is none beside us."""
    if os.environ.get("KERASMITH_MODEL_FOLDER") or not (HERE / BESIDE).is_file():
        return
    told = json.loads((HERE / BESIDE).read_text("utf-8"))
    os.environ["KERASMITH_MODEL_FOLDER"] = str(HERE / MODEL)
    os.environ["KERASMITH_MODEL_REF"] = told["ref"]
    os.environ["KERASMITH_MODEL_CHECKSUM"] = told["checksum"]
