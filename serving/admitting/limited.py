"""Trying a stranger's bundle in a process that may not take much, before anything of a server loads it.

A bundle is known when its checksum is the registry's, or the one that a Bento was built with. Any other is a
stranger's. What loads a bundle runs no code of it, but a kilobyte can declare gigabytes, or hours of work; here that
costs a child its life and nothing else.

Run as a program, this is the child: `python -m serving.admitting.limited FOLDER`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from records.bundle import CHECKSUMS
from records.errors import BundleError
from store.files import sha256_file

try:
    import resource
except ImportError:  # Windows has no limits of this kind; the time is limited there too
    resource = None  # type: ignore[assignment]

MAX_SECONDS = 120.0
"""Of the clock. TensorFlow, which the Keras engine needs, takes ten to be imported on a slow machine."""
MAX_CPU_SECONDS = 90
BASE_BYTES = {"onnxruntime": 1_000_000_000, "litert": 1_000_000_000, "keras": 3_000_000_000}
"""What the process may take beside the model: an empty one takes a tenth of it."""
MODEL_FACTOR = 6
"""And so many times the bundle's files: an engine holds the file, the weights and what it made of them."""
MAX_SCRATCH_BYTES = 4_000_000_000
"""Of one file that Keras writes while it loads. ONNX Runtime writes none."""
MAX_REPLY_BYTES = 4000
REFUSED = 6


def admit(folder: Path) -> str:
    """Checks, loads and asks a bundle in a limited process.

    Returns:
        Its checksum, for `verify`: what is loaded afterwards is what was tried.

    Raises:
        BundleError: It is not one that can be served, or it takes too much memory or time.
    """
    command = [sys.executable, "-P", "-B", "-m", "serving.admitting.limited", str(folder.absolute())]
    try:
        done = subprocess.run(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"The bundle {folder} is not served: checking it took over {MAX_SECONDS:g} s.") from error
    try:
        reply = json.loads(done.stdout[:MAX_REPLY_BYTES])
    except ValueError:
        reply = {}
    if done.returncode == 0 and isinstance(reply.get("checksum"), str):
        return str(reply["checksum"])
    if isinstance(reply.get("error"), str):
        raise BundleError(reply["error"])
    raise BundleError(
        f"The bundle {folder} is not served: the process that checked it ended with code {done.returncode}, "
        "most likely because it takes too much memory or time."
    )


@contextmanager
def capped(max_bytes: int) -> Iterator[None]:
    """While the body runs, this process may hold `max_bytes` of memory of its own; beyond it there is a MemoryError.

    Threads' stacks count, pages that are shared with others do not. Where the system cannot do it, nothing happens.
    """
    if resource is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    _limit(resource.RLIMIT_DATA, max_bytes, hard)
    try:
        yield
    finally:
        _limit(resource.RLIMIT_DATA, soft, hard)


def most_bytes(folder: Path, engine: str) -> int:
    """What a process may hold that loads a bundle with so large files."""
    files = sum(path.stat().st_size for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    return BASE_BYTES.get(engine, max(BASE_BYTES.values())) + MODEL_FACTOR * min(files, 2**40)


def _environment() -> dict[str, str]:
    """Of this process, without what a child that looks at a stranger's files does not need: secrets, among others."""
    kept = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "HOME", "SYSTEMROOT", "VIRTUAL_ENV")
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""}
    # BentoML puts the sources of a Bento on the path of its own process alone
    path = os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]).rstrip(
        os.pathsep
    )
    return {name: os.environ[name] for name in kept if name in os.environ} | threads | quiet | {"PYTHONPATH": path}


def _limit(which: int, soft: int, hard: int) -> None:
    if hard != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or soft > hard):
        soft = hard
    with suppress(ValueError, OSError):  # a lower limit stands already, or the system has none of this kind
        resource.setrlimit(which, (soft, hard))


def _limit_this_process(max_bytes: int, max_file: int) -> None:
    if resource is None:
        return
    for which, most in (
        (resource.RLIMIT_DATA, max_bytes),
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, max_file),
        (resource.RLIMIT_CORE, 0),
    ):
        _limit(which, most, most)


def _asked_engine(folder: Path) -> str:
    """The engine that the manifest names. It decides what the process may take, so it is read under the lower limit."""
    from serving.bundle_files import read_manifest

    return read_manifest(folder).engine


def main(folder: Path) -> int:
    """Prints `{"checksum": …}` or `{"error": …}`."""
    _limit_soft(most_bytes(folder, "onnxruntime") if folder.is_dir() else BASE_BYTES["onnxruntime"])
    try:
        engine = _asked_engine(folder)
        _limit_this_process(most_bytes(folder, engine), MAX_SCRATCH_BYTES if engine == "keras" else 0)
        reply = {"checksum": _try(folder)}
    except MemoryError:
        reply = {"error": f"The bundle {folder} is not served: it takes more memory than its files explain."}
    except BundleError as error:
        reply = {"error": str(error)}
    except Exception as error:  # a stranger's bundle can be wrong in ways that nobody thought of
        reply = {"error": f"The bundle {folder} is not served: {type(error).__name__}: {error}"}
    reply = {name: " ".join(text.split())[: MAX_REPLY_BYTES // 8] for name, text in reply.items()}
    sys.stdout.write(json.dumps(reply))
    sys.stdout.flush()
    return REFUSED if "error" in reply else 0


def _limit_soft(max_bytes: int) -> None:
    if resource is not None:
        _limit(resource.RLIMIT_DATA, max_bytes, resource.getrlimit(resource.RLIMIT_DATA)[1])


def _try(folder: Path) -> str:
    from serving.admitting.foreign import check_foreign
    from serving.bundle import open_bundle, verify

    verify(folder)
    checksum = sha256_file(folder / CHECKSUMS)
    check_foreign(folder)
    bundle = open_bundle(folder)
    if not bundle.reproduces_sample():
        raise BundleError(
            f"The bundle {folder} does not reproduce its own sample on this machine, so it is not served. "
            "Package it again here."
        )
    return checksum


if __name__ == "__main__":
    code = main(Path(sys.argv[1]))
    os._exit(code)  # the engine's threads need not be waited for
