"""Which library Keras computes with: TensorFlow, or JAX without TensorFlow."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from records.errors import ConfigError

BACKENDS = ("tensorflow", "jax")
"""Keras has others; nobody has tried Kerasmith on them."""


def configured(environment: Mapping[str, str] = os.environ) -> str:
    """What Keras would choose, found as Keras finds it; nothing is imported for it.

    Args:
        environment: Its KERAS_BACKEND counts first, then `keras.json` in KERAS_HOME or `~/.keras`.
    """
    if named := environment.get("KERAS_BACKEND"):
        return named
    folder = Path(environment.get("KERAS_HOME") or Path.home() / ".keras").expanduser()
    try:
        named = json.loads((folder / "keras.json").read_text("utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):
        named = None
    return named if isinstance(named, str) and named else "tensorflow"


def what_is_wrong(backend: str) -> str | None:
    """Why this backend cannot be used here, in a sentence or two; `None` where it can."""
    if backend not in BACKENDS:
        return f"KERAS_BACKEND is {backend!r}. Expected tensorflow or jax."
    if find_spec(backend) is None:
        advice = "pip install 'kerasmith[jax]'" if backend == "jax" else "pip install tensorflow"
        return f"KERAS_BACKEND is {backend}, which is not installed. Run: {advice}"
    return None


def check_backend() -> None:
    """Says before any work what a worker could only say later.

    Raises:
        ConfigError: KERAS_BACKEND names what is not installed, or nobody has tried.
    """
    if wrong := what_is_wrong(configured()):
        raise ConfigError(wrong)


def libraries() -> tuple[str, ...]:
    """The packages that networks are computed and exported with."""
    return ("tensorflow",) if configured() != "jax" else ("jax", "tensorflow")


def keep_tensorflow_out() -> None:
    """Has Keras take TensorFlow for missing, where it computes with something else.

    Keras asks in `set_random_seed` and whenever it saves a network whether TensorFlow is installed, by importing it:
    5 s and 300 MB, for a generator and types that are not used.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        return
    from keras.src.utils.module_utils import tensorflow

    tensorflow._available = False


def environment_of_child(threads: int | None = None) -> dict[str, str]:
    """For a process that writes what only TensorFlow can write. It computes on processors: what it makes runs there,
    and the cards are the trials'.

    Args:
        threads: Cores that it may use; `None`: as this process.
    """
    told = {**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if threads is not None:
        told |= {name: str(threads) for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
    return told
