"""Which inputs can change a cell's number?  Its key is the digest of exactly these; the plan says which one changed.

Sources count by what the cell imports: an edit of markdown.py stales nothing, an edit of dan/losses.py DAN's cells
only.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from baselines.registry import entry
from bench.record import canonical
from bench.spec import Cell, settings_of
from bench.switches import flatten

TREE = Path(__file__).resolve().parent.parent
PACKAGES = ("bench", "dan", "baselines")
ENGINE = ("bench.cell",)
# Read by a cell, but unable to change its number: where files lie, how errors are worded, what is known of the machine,
# and the declarations whose values the key holds already (recipe, settings, switches).
NEUTRAL = frozenset(
    f"bench/{name}.py"
    for name in (
        "atomic",
        "errors",
        "store",
        "record",
        "provenance",
        "checkpoint",
        "memory",
        "spec",
        "recipe",
        "switches",
        "trained",
        "data/catalog",
    )
) | {"baselines/registry.py", "baselines/settings.py", "dan/options.py"}


# Imported by every cell, run by those of numeric mode `fast` alone.
FAST = frozenset({"bench/captured.py", "bench/compiled.py"})


@dataclass(frozen=True)
class Inputs:
    """Everything that a cell's number depends on.  `sources` maps a file of this tree to the SHA-256 of its bytes,
    `key` is the SHA-256 of the canonical JSON of the four others."""

    cell: Mapping[str, Any]
    data: str
    weights: str | None
    sources: Mapping[str, str]
    key: str


def inputs(cell: Cell, data_digest: str, weights_digest: str | None) -> Inputs:
    """The inputs of a cell on data and weights of these digests."""
    content = {**_of_row(replace(cell, seed=0)), "seed": cell.seed}
    numeric = cell.recipe.numeric
    # A plan asks for thousands of keys: what a row or a method shares is written once (test: equal to the plain way).
    parts = (canonical(content), canonical(data_digest), _sources_text(cell.method, numeric), canonical(weights_digest))
    key = hashlib.sha256(b'{"cell":%s,"data":%s,"sources":%s,"weights":%s}' % parts).hexdigest()
    return Inputs(content, data_digest, weights_digest, sources(cell.method, numeric), key)


@cache
def _of_row(cell: Cell) -> dict[str, Any]:
    """What the cells of a row share: all axes, the recipe's fields, the settings' switches."""
    switches = {"variant": dict(cell.variant), "settings": flatten(settings_of(cell.method, cell.variant))}
    return asdict(cell) | switches


@cache
def _sources_text(method: str, numeric: str) -> bytes:
    return canonical(sources(method, numeric))


@cache
def sources(method: str, numeric: str) -> dict[str, str]:
    """The files that a method's cells of a numeric mode import and run, with their digests."""
    files = set(imported(entry(method).module))
    for module in ENGINE:
        files |= imported(module)
    idle = NEUTRAL if numeric == "fast" else NEUTRAL | FAST
    return {name: _digest(name) for name in sorted(files - idle)}


@cache
def imported(module: str) -> frozenset[str]:
    """The files of this project that importing `module` reads, itself included (static imports, followed)."""
    seen: set[str] = set()
    queue = [module]
    while queue:
        path = _file(queue.pop())
        if path is None or path in seen:
            continue
        seen.add(path)
        queue += _imports(path)
    return frozenset(seen)


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """The files that differ between two `sources`."""
    return tuple(sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)))


@cache
def _imports(path: str) -> tuple[str, ...]:
    found: list[str] = []
    for node in ast.walk(ast.parse((TREE / path).read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in found if name.split(".")[0] in PACKAGES)


def _file(module: str) -> str | None:
    base = module.replace(".", "/")
    for name in (f"{base}.py", f"{base}/__init__.py"):
        if (TREE / name).is_file():
            return name
    return None


@cache
def _digest(path: str) -> str:
    return hashlib.sha256((TREE / path).read_bytes()).hexdigest()
