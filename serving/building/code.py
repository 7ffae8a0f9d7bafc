"""Which of our modules a server needs, and which other packages: read from their imports, without importing them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.codecs.catalog import CODECS, TOGETHER
from serving.engines import ENGINES

ROOT = Path(__file__).resolve().parents[2]
"""Holds our packages."""
OURS = frozenset({"records", "store", "search_spaces", "serving", "pipelines", "ui"})
ROOTS = ("serving.service", "serving.launch", "serving.admitting.limited")
BACKENDS = {"keras": frozenset({"tensorflow"})}
"""By the name of an engine, what its package needs and does not declare."""


@dataclass(frozen=True)
class Code:
    """What a server is made of."""

    modules: tuple[str, ...]
    """Ours, sorted, packages among them."""
    libraries: frozenset[str]
    """Top-level names of what they import from elsewhere, the standard library's among them."""

    def files(self) -> dict[str, Path]:
        """Each module's file, by its place below the folder that holds our packages."""
        paths = [_file(name) for name in self.modules]
        return {path.relative_to(ROOT).as_posix(): path for path in paths if path is not None}


def code_for(kind: str, engine: str) -> Code:
    """The code that serves a model.

    Modules are followed through their `import` statements, also those inside functions. Codecs and engines are named in
    tables instead; of those, only the ones asked for are taken: a server of pictures needs no tokenizers.

    Args:
        kind: A key of `CODECS`.
        engine: A key of `ENGINES`.
    """
    named = [table[kind] for table in (CODECS, TOGETHER) if kind in table] + [ENGINES[engine].place]
    modules, libraries = _walk([*ROOTS, *(place.split(":")[0] for place in named)])
    left_out = {one.package for one in ENGINES.values()} - {ENGINES[engine].package}
    return Code(tuple(sorted(modules)), frozenset(libraries - left_out) | BACKENDS.get(engine, frozenset()))


def _walk(roots: Sequence[str]) -> tuple[set[str], set[str]]:
    modules: set[str] = set()
    libraries: set[str] = set()
    left = list(roots)
    while left:
        name = left.pop()
        top = name.split(".")[0]
        if top not in OURS:
            libraries.add(top)
            continue
        path = _file(name)
        if name in modules or path is None:  # `None`: the name of a function or a class, not of a module
            continue
        modules.add(name)
        left += _imported(path)
        if "." in name:
            left.append(name.rpartition(".")[0])
    return modules, libraries


def _imported(path: Path) -> list[str]:
    """The modules that a file imports; of `from a import b` both `a` and `a.b`, which may be one."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
