"""How many workers, and what each gets: cores, memory and a GPU of its own."""

import stat
from pathlib import Path

import pytest

from pipelines.workers.crew import WORKER_BYTES, Crew, crew_of, devices
from records.config import RunConfig
from records.spec import InputKind

PLENTY = 100.0
"""Gigabytes."""


@pytest.mark.parametrize(
    ("kind", "cores", "gpus", "memory", "expected"),
    [
        (InputKind.IMAGE, 1, 0, PLENTY, 1),
        (InputKind.IMAGE, 2, 0, PLENTY, 1),
        (InputKind.TEXT, 8, 0, PLENTY, 4),
        (InputKind.TABLE, 2, 0, PLENTY, 2),
        (InputKind.SERIES, 3, 0, PLENTY, 3),
        (InputKind.IMAGE, 8, 0, 2.0 * WORKER_BYTES / 1e9, 2),
        (InputKind.TABLE, 64, 0, 0.5 * WORKER_BYTES / 1e9, 1),
        (InputKind.TABLE, 16, 3, PLENTY, 3),
        (InputKind.IMAGE, 2, 4, PLENTY, 4),
    ],
)
def test_large_networks_get_two_cores_each_and_small_ones_one_unless_there_are_gpus(
    kind: InputKind, cores: int, gpus: int, memory: float, expected: int
) -> None:
    devices = tuple(f"GPU-{i}" for i in range(gpus))
    config = RunConfig(data="x", memory_gigabytes=memory)
    assert crew_of(config, cores, devices, kind).num_workers == expected


def test_cores_and_memory_are_shared_out() -> None:
    crew = crew_of(RunConfig(data="x", workers=3, memory_gigabytes=6.0), cores=8, gpus=())
    assert crew == Crew(num_workers=3, threads=2, memory_bytes=2_000_000_000)
    assert crew.environment(0) == {}


def test_never_more_workers_than_trials_or_fewer_than_a_core_each() -> None:
    assert crew_of(RunConfig(data="x", workers=4, max_trials=2), cores=2, gpus=()).num_workers == 2
    assert crew_of(RunConfig(data="x", workers=4), cores=2, gpus=()).threads == 1


def test_each_worker_sees_one_gpu() -> None:
    crew = crew_of(RunConfig(data="x", workers=3), cores=8, gpus=("GPU-a", "GPU-b"))
    seen = [crew.environment(index)["CUDA_VISIBLE_DEVICES"] for index in range(3)]
    assert seen == ["GPU-a", "GPU-b", "GPU-a"]
    assert crew.environment(0)["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def driver(folder: Path, script: str) -> dict[str, str]:
    """An environment in which the driver's tool answers so."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    return {"PATH": str(folder)}


def test_devices_are_what_the_driver_tells(tmp_path: Path) -> None:
    assert devices({"PATH": str(tmp_path)}) == ()
    environment = driver(tmp_path, "echo GPU-1f; echo GPU-2e")
    assert devices(environment) == ("GPU-1f", "GPU-2e")
    assert devices(driver(tmp_path, "echo No devices were found; exit 6")) == ()
    assert devices(driver(tmp_path, "echo No devices were found")) == ()


@pytest.mark.parametrize(
    ("allowed", "expected"), [("", ()), ("-1", ()), ("2", ("2",)), ("0, GPU-x", ("0", "GPU-x")), ("1,-1,0", ("1",))]
)
def test_what_the_environment_hides_is_not_used(tmp_path: Path, allowed: str, expected: tuple[str, ...]) -> None:
    assert devices(driver(tmp_path, "echo GPU-1f") | {"CUDA_VISIBLE_DEVICES": allowed}) == expected
