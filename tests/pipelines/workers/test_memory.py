"""What may be used is the least that machine and control groups allow; what is used counts children, not files."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipelines.workers.memory import SHARE, Gauge, allowed_bytes, total_bytes


def describe(root: Path, cgroup: str, limits: dict[str, str]) -> Path:
    """A file system in which the system describes itself so."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    for name, text in limits.items():
        (root / "sys/fs/cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys/fs/cgroup" / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroup", "limits", "expected"),
    [
        ("0::/user/job\n", {"user/job/memory.max": "max\n", "user/memory.max": "700000\n"}, 700_000),
        ("0::/user/job\n", {"user/job/memory.max": "600000\n", "user/memory.max": "700000\n"}, 600_000),
        ("0::/\n", {"memory.max": "500000\n"}, 500_000),
        ("0::/../../elsewhere\n", {"memory.max": "400000\n"}, 400_000),
        ("4:memory:/a\n1:cpu:/\n0::/\n", {"memory/a/memory.limit_in_bytes": "300000\n"}, 300_000),
        ("4:memory:/not/mounted\n", {"memory/memory.limit_in_bytes": "200000\n"}, 200_000),
    ],
)
def test_limits_of_control_groups_are_obeyed(
    tmp_path: Path, cgroup: str, limits: dict[str, str], expected: int
) -> None:
    assert total_bytes(describe(tmp_path, cgroup, limits)) == expected


def test_without_a_limit_it_is_the_machines(tmp_path: Path) -> None:
    machine = psutil.virtual_memory().total
    assert total_bytes(tmp_path) == machine
    unlimited = describe(tmp_path / "v1", "4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"})
    assert total_bytes(unlimited) == machine
    assert allowed_bytes(None) == pytest.approx(SHARE * total_bytes(), rel=1e-6)
    assert allowed_bytes(2.5) == 2_500_000_000


MAPPED = """
import sys
import numpy as np
from pipelines.workers.memory import own_private_bytes
before = own_private_bytes()
mapped = np.memmap(sys.argv[1], np.uint8, mode="r")
assert int(mapped.sum()) == 0
mapping = own_private_bytes() - before
held = np.ones(60_000_000, np.uint8)
print(mapping, own_private_bytes() - before - mapping)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell what is shared")
def test_pages_of_a_mapped_file_do_not_count(tmp_path: Path) -> None:
    np.zeros(60_000_000, np.uint8).tofile(tmp_path / "data")
    # in a process of its own: a large one has freed pages left, which the array would take
    command = [sys.executable, "-c", MAPPED, str(tmp_path / "data")]
    mapping, holding = map(int, subprocess.run(command, capture_output=True, check=True).stdout.split())
    assert mapping < 20_000_000
    assert holding > 50_000_000


def test_gauge_counts_children_and_reads_zero_once_all_are_gone() -> None:
    child = "held = bytearray(80_000_000); print(1, flush=True); input()"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], stdin=0)"
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin is not None and parent.stdout is not None
    with parent:
        parent.stdout.readline()
        gauge = Gauge(parent.pid)
        assert gauge.read(time.monotonic()) > 80_000_000
        parent.stdin.close()
        parent.wait(10)
        deadline = time.monotonic() + 10
        while gauge.read(time.monotonic()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert gauge.read(time.monotonic()) == 0
