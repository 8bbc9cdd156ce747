"""Do imports go downwards, as docs/architecture.md says?"""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

TREE = Path(__file__).parent.parent
PAGE = (TREE / "docs" / "architecture.md").read_text(encoding="utf-8")
COMMANDS = 7


@cache
def levels() -> dict[str, int]:
    """`bench.cell` -> 4, as the page's table has it."""
    found: dict[str, int] = {}
    for line in PAGE.splitlines():
        if match := re.match(r"\| (\d) \| ([^|]+) \|", line):
            found |= dict.fromkeys(re.findall(r"`([a-z0-9_.]+)`", match[2].replace("__main__", "")), int(match[1]))
    return found


def exceptions() -> set[str]:
    """The modules that the page allows to import upwards."""
    return set(re.findall(r"^- `([\w.]+)` imports ", PAGE, flags=re.MULTILINE))


@cache
def modules() -> dict[str, frozenset[str]]:
    """Every module of the project with the project's modules that it imports, at its top or inside a function."""
    files = {_name(path): path for room in ("bench", "baselines", "dan") for path in (TREE / room).rglob("*.py")}
    return {name: frozenset(_imports(path, files) - {name}) for name, path in files.items()}


def _name(path: Path) -> str:
    parts = path.relative_to(TREE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, known: dict[str, Path]) -> set[str]:
    found: set[str] = set()
    queue: list[ast.AST] = [ast.parse(path.read_bytes())]
    while queue:
        node = queue.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue  # for the type checker alone: at run time nothing is imported
        queue += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in below}
    return found & known.keys()


def level(module: str) -> int:
    if module.endswith("__main__"):
        return COMMANDS
    parts = module.split(".")
    room = next((name for end in range(len(parts), 0, -1) if (name := ".".join(parts[:end])) in levels()), None)
    assert room is not None or module == "bench", f"docs/architecture.md gives {module} no level"
    return levels().get(room or "", 0)


def test_every_import_goes_down_or_stays():
    upward = {
        f"{name} (level {level(name)}) imports {other} (level {level(other)})"
        for name, others in modules().items()
        for other in others
        if level(other) > level(name) and name not in exceptions()
    }
    assert not upward


def test_every_room_of_the_table_exists():
    rooms = {
        ".".join(module.split(".")[:2]) if module.startswith("bench.") else module.split(".")[0] for module in modules()
    }
    assert levels().keys() <= rooms
    assert exceptions() <= modules().keys()


def test_no_module_imports_itself_by_a_detour():
    TopologicalSorter(modules()).prepare()  # raises CycleError with the cycle


def test_the_model_knows_nothing_of_the_harness():
    assert all(
        other.split(".")[0] == "dan" for name, others in modules().items() if name.startswith("dan") for other in others
    )


def test_a_method_knows_the_contract_and_little_else():
    allowed = {"bench.method", "bench.errors", "bench.recipe", "bench.switches", "bench.data.catalog"}
    names = {other for name, others in modules().items() if name.startswith("baselines") for other in others}
    assert {name for name in names if name.startswith("bench")} <= allowed
