"""Commands that a benchmark runs: their output, their memory, and their end."""

import sys
import time
from pathlib import Path

import pytest

from benchmarks.watching import watched


def test_watched_command_gives_output_and_the_memory_of_its_children(tmp_path: Path) -> None:
    child = "import time; x = bytearray(150_000_000); time.sleep(1.5)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}]); print('done')"
    done = watched([sys.executable, "-c", parent], {}, 10.0, tmp_path)
    assert done.output == "done\n" and done.peak_mb >= 150 and done.seconds >= 1.5


def test_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="failed with 3:\nno luck"):
        watched([sys.executable, "-c", "import sys; sys.stderr.write('no luck'); sys.exit(3)"], {}, 10.0, tmp_path)


def test_command_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.watching.GRACE_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(SystemExit, match="took far too long"):
        watched([sys.executable, "-c", "import time; time.sleep(60)"], {}, 0.1, tmp_path)
    assert time.monotonic() - began < 20
