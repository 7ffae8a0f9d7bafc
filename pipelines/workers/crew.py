"""How many workers there are, and what each of them gets of the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.cores import num_cores
from pipelines.workers.memory import allowed_bytes
from records.config import RunConfig
from records.spec import InputKind

CORES_PER_WORKER = {InputKind.IMAGE: 2, InputKind.TEXT: 2}
"""Of a worker with large networks, which train faster on two cores. Small ones hardly do: for all other kinds each
core gets a worker of its own, and twice as many trials are made in the same time (docs/decisions/0016)."""
WORKER_BYTES = 1_200_000_000
"""TensorFlow with a small network; a worker without so much is not worth starting."""
QUERY_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Crew:
    """The workers of a run, and each one's part of the machine."""

    num_workers: int = 1
    threads: int = 1
    """Cores of each."""
    memory_bytes: int
    """That each may use, with everything that it starts."""
    gpus: tuple[str, ...] = ()
    """The devices of all, as CUDA_VISIBLE_DEVICES names them."""

    def environment(self, index: int) -> dict[str, str]:
        """What the worker `index`, counted from 0, must find in its environment: its own GPU, where there are any."""
        if not self.gpus:
            return {}
        return {
            "CUDA_VISIBLE_DEVICES": self.gpus[index % len(self.gpus)],
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        }


def crew_of(
    config: RunConfig, cores: int | None = None, gpus: tuple[str, ...] | None = None, kind: InputKind = InputKind.IMAGE
) -> Crew:
    """The workers that a request asks for, or that suit the machine; never more than there are trials.

    Args:
        config: Gives the number of workers and of trials, and the memory.
        cores: That all may use together; `None`: all of this process.
        gpus: As `devices` gives them; `None`: it is asked.
        kind: Of the data; tells how large networks for it are.
    """
    cores = cores or num_cores()
    gpus = devices() if gpus is None else gpus
    memory = allowed_bytes(config.memory_gigabytes)
    number = config.workers or default_workers(cores // CORES_PER_WORKER.get(kind, 1), len(gpus), memory)
    if config.max_trials is not None:
        number = min(number, config.max_trials)
    return Crew(num_workers=number, threads=max(1, cores // number), memory_bytes=memory // number, gpus=gpus)


def default_workers(suiting: int, num_gpus: int, memory_bytes: int) -> int:
    """One for each GPU, or as many as suit the cores; fewer where the memory does not suffice for so many."""
    return max(1, min(num_gpus or suiting, memory_bytes // WORKER_BYTES))


def devices(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs that may be used, as CUDA_VISIBLE_DEVICES names them. None where the driver's tool is missing: nothing
    is imported to find out.

    Args:
        environment: Its CUDA_VISIBLE_DEVICES is obeyed.
    """
    tool = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if tool is None:
        return ()
    allowed = environment.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        names = [name.strip() for name in allowed.split(",")]
        return tuple(names[: next((i for i, name in enumerate(names) if name in ("", "-1")), len(names))])
    try:
        told = subprocess.run(
            [tool, "--query-gpu=uuid", "--format=csv,noheader"], capture_output=True, text=True, timeout=QUERY_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    lines = told.stdout.splitlines() if told.returncode == 0 else []
    return tuple(line.strip() for line in lines if line.strip().startswith("GPU-"))
