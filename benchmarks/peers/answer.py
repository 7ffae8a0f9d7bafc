"""How `search_quality` asks a peer, and how the peer answers. Runs in the peer's own environment."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.clock import Clock


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A dataset, and what may be spent on it."""

    kind: str
    labels: Sequence[str]
    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    """Without targets: no peer can look."""
    clock: Clock
    seed: int
    scratch: Path
    """A folder that is removed afterwards."""
    backbones: Path
    """Where pretrained weights lie."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a peer made of it."""

    probabilities: Callable[[], np.ndarray]
    """Gives `<float>[test examples, classes]`, or the classes' numbers `<int>[test examples]`."""
    trials: int
    curve: list[list[float]]
    """Seconds and the best validation accuracy so far, at each improvement."""
    notes: Sequence[str] = ()


def commonest(asked: Asked, trials: int) -> Answer:
    """What is left where no trial came to the end of an epoch."""
    most = int(np.bincount(asked.train["targets"]).argmax())
    said = np.full(len(next(iter(asked.test.values()))), most)
    return Answer(probabilities=lambda: said, trials=trials, curve=[], notes=["No epoch ended; the commonest class."])


def answer(solve: Callable[[Asked], Answer], packages: Sequence[str]) -> None:
    """The command line of a peer: reads a prepared dataset, searches, and writes answer.json.

    The clock stops when the model is there; asking it for the test examples is not timed, for nobody.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--started", type=float, required=True, help="time.time() when the peer was asked for")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--backbones", type=Path, required=True)
    asked = parser.parse_args()
    facts = json.loads((asked.data / "facts.json").read_text("utf-8"))
    test = _load(asked.data / "test.npz")
    del test["targets"]
    done = solve(
        Asked(
            kind=facts["kind"],
            labels=facts["labels"],
            train=_load(asked.data / "train.npz"),
            test=test,
            clock=Clock(asked.started, asked.seconds),
            seed=asked.seed,
            scratch=asked.out / "scratch",
            backbones=asked.backbones,
        )
    )
    seconds = time.time() - asked.started
    said = np.asarray(done.probabilities())
    written: dict[str, Any] = {
        "predictions": (said.argmax(axis=1) if said.ndim == 2 else said).astype(int).tolist(),
        "seconds": round(seconds, 1),
        "trials": done.trials,
        "curve": done.curve,
        "notes": list(done.notes),
        "versions": {name: metadata.version(name) for name in packages},
    }
    (asked.out / "answer.json").write_text(json.dumps(written), encoding="utf-8")


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
