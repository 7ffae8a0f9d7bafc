"""Cores that may be used: those of the machine, and no more than a container's limit."""

import math
import os
from pathlib import Path

import pytest

from pipelines import cores
from pipelines.cores import num_cores, quota


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, "ascii")
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        # the limit of a group above holds for all below it
        (
            {
                "proc/self/cgroup": "0::/user.slice/job\n",
                "sys/fs/cgroup/user.slice/cpu.max": "200000 100000\n",
                "sys/fs/cgroup/user.slice/job/cpu.max": "max 100000\n",
            },
            2.0,
        ),
        # version 1, as a container sees it: its path is that of the machine, its files stand at the top
        (
            {
                "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            3.0,
        ),
        (
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            math.inf,
        ),
        ({"sys/fs/cgroup/cpu.max": "what is this\n"}, math.inf),
    ],
)
def test_a_containers_limit_is_read(files: dict[str, str], expected: float, tmp_path: Path) -> None:
    assert quota(write(tmp_path, files)) == expected


@pytest.mark.parametrize(("granted", "expected"), [(0.2, 1), (1.0, 1), (1.5, 2), (2.0, 2), (64.0, 3), (math.inf, 3)])
def test_cores_are_those_bound_to_within_the_limit(
    granted: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 5}, raising=False)
    monkeypatch.setattr(cores, "quota", lambda: granted)
    assert num_cores() == expected
