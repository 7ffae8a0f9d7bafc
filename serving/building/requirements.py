"""The packages that a server needs, as a requirements file: every one of them pinned, with the lock's hashes."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from serving.building.code import ROOT

LOCK = ROOT / "requirements" / "runtime.lock"
ALWAYS = ("uvicorn", "uvloop", "httptools", "numpy")
"""Needed by a server though nothing of ours imports them: BentoML takes uvicorn, which is a third faster with these."""
TARGET = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
"""Where a Bento is served, as far as requirements ask for it."""


@dataclass(frozen=True)
class Requirements:
    """A requirements file."""

    text: str
    names: frozenset[str]
    """Normalised."""
    note: str
    """Why there are no hashes; empty where there are."""


def requirements_for(libraries: Collection[str]) -> Requirements:
    """What has to be installed so that `libraries` can be imported, and all that this needs in turn.

    The versions are those that are installed here. Where they are the lock's, the lock's lines are taken, with their
    hashes: pip then refuses anything else.

    Args:
        libraries: Top-level names of modules; those of the standard library are passed over.
    """
    names = _closure({*_distributions(libraries), *ALWAYS})
    versions = {name: metadata.version(name) for name in names}
    locked = read_lock()
    strange = sorted(name for name in names if name not in locked or locked[name][0] != versions[name])
    if strange:
        text = "".join(f"{name}=={versions[name]}\n" for name in sorted(names))
        return Requirements(text, frozenset(names), f"other versions are installed than locked: {', '.join(strange)}")
    return Requirements("".join(locked[name][1] for name in sorted(names)), frozenset(names), "")


def read_lock() -> dict[str, tuple[str, str]]:
    """By normalised name: the version, and the lines of the lock. Empty where there is no lock.

    The lock may hold several versions of a package; the one for this Python is taken.
    """
    if not LOCK.is_file():
        return {}
    blocks: dict[str, tuple[str, str]] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", LOCK.read_text("utf-8").strip()):
        line = Requirement(block.split("\\")[0])
        if line.marker is None or line.marker.evaluate(TARGET):
            (version,) = line.specifier
            blocks[canonicalize_name(line.name)] = version.version, block.rstrip() + "\n"
    return blocks


def _distributions(libraries: Collection[str]) -> set[str]:
    """What is not installed is passed over: the server that answered here did without. So is a name that several
    distributions share, as those of OpenTelemetry do: who needs it requires one of them."""
    known: Mapping[str, list[str]] = metadata.packages_distributions()
    found = [set(known.get(name, ())) for name in libraries if name not in sys.stdlib_module_names]
    return {str(canonicalize_name(name)) for names in found if len(names) == 1 for name in names}


def _closure(roots: Collection[str]) -> set[str]:
    """Normalised names of distributions, with everything that they require on the target."""
    done: set[tuple[str, str]] = set()
    left = [(str(canonicalize_name(name)), "") for name in roots]
    while left:
        one = left.pop()
        if one in done:
            continue
        done.add(one)
        name, extra = one
        for line in metadata.requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({**TARGET, "extra": extra}):
                child = str(canonicalize_name(needed.name))
                left += [(child, ""), *((child, part) for part in needed.extras)]
    return {name for name, _ in done}
