"""Python processes whose Keras computes with JAX."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
needs_jax = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed: pip install 'kerasmith[jax]'")


def environment(home: Path | None = None) -> dict[str, str]:
    """Of a process on JAX, on processors."""
    told = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **told, **({} if home is None else {"KERASMITH_HOME": str(home)})}


def on_jax(*words: str, home: Path | None = None, seconds: float = 550.0) -> str:
    """What `python WORDS` prints in the project's folder. Fails with what it complained of."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout
