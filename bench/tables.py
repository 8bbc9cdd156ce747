"""Which pages do the results make, and are those on disk still these?

    python -m bench.tables                    render every suite that has pages (or, before the first, that has results)
    python -m bench.tables --suite paper      one suite
    python -m bench.tables --check            write nothing; exit with 1 where a page differs by a byte

Reads records, failures, stored predictions and reported numbers; never imports torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import command
from bench.atomic import write_text
from bench.errors import UserError
from bench.report import front_page
from bench.report.pages import Material, gather, index, is_of, pages_of, suites_shown, with_shown
from bench.spec import Suite
from bench.suite_file import load_suite

INDEX = "README.md"


def render(results: Path, *suites: Suite) -> tuple[Path, ...]:
    """Write the pages of these suites, remove those of their folders that nothing makes any more, and renew the index
    and the front page.

    Returns the pages.  Raises UserError for a damaged record or reported number; then nothing is written.
    """
    expected = _expected(results, suites, gather(results))
    for path, text in expected.items():
        write_text(path, text)
    for suite in suites:
        for stale in _on_disk(results / "tables" / suite.name) - expected.keys():
            stale.unlink()
    shared = (results / INDEX, results / "tables" / INDEX)
    return tuple(path for path in expected if path not in shared)


def differing(results: Path, suites: Sequence[Suite], material: Material) -> list[str]:
    """What is wrong with the pages on disk: a line for each that differs, is missing, or that nothing makes."""
    expected = _expected(results, suites, material)
    found = [line for path, text in expected.items() for line in _compared(path, text)]
    extra = {path for suite in suites for path in _on_disk(results / "tables" / suite.name)} - expected.keys()
    return found + [f"{path}: nothing makes this page" for path in sorted(extra)]


def _expected(results: Path, suites: Iterable[Suite], material: Material) -> dict[Path, str]:
    """The text of every page of these suites, of the index, and of the front page."""
    suites = tuple(suites)
    shown = with_shown(results, suites)
    everything = pages_of(shown, material)
    shown = tuple(suite for suite in shown if any(is_of(name, [suite]) for name in everything))  # some make no page
    folder = results / "tables"
    found = {folder / name: page.text() for name, page in everything.items() if is_of(name, suites)}
    found[folder / INDEX] = index(shown, everything).text()
    found[results / INDEX] = front_page.page(shown, everything, material).text()
    return found


def _compared(path: Path, text: str) -> list[str]:
    """A line that names the file and the first line in which it differs; nothing where it does not."""
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return [f"{path}: missing"]
    if found == text.encode():
        return []
    theirs, ours = found.decode(errors="replace").split("\n"), text.split("\n")
    place = next((n for n, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        place = min(len(theirs), len(ours)) - 1
    said = _cell(theirs, ours, place) or f"differs from what the results give: {ours[place].strip() or 'an empty line'}"
    return [f"{path}:{place + 1}: {said}"]


def _cell(theirs: Sequence[str], ours: Sequence[str], place: int) -> str:
    """Row and column of the table cell in which two lines differ; empty where they differ in more, or are no rows."""
    printed, again = (_cells(lines[place]) for lines in (theirs, ours))
    if len(printed) != len(again) or not again:
        return ""
    head = next((n for n in range(place, 0, -1) if ours[n].startswith("|:") or ours[n].startswith("|-")), 0) - 1
    unlike = [n for n, pair in enumerate(zip(printed, again, strict=True)) if pair[0] != pair[1]]
    if head < 0 or not unlike or unlike[0] >= len(_cells(ours[head])):
        return ""
    column = unlike[0]
    return (
        f"row '{again[0]}', column '{_cells(ours[head])[column]}': {printed[column] or 'nothing'} printed, "
        f"{again[column] or 'nothing'} from the results"
    )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" |")] if line.startswith("|") else []


def _on_disk(folder: Path) -> set[Path]:
    return set(folder.rglob("*.md")) if folder.is_dir() else set()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.tables",
        description="Render the tables from the records; nothing is trained.",
        epilog="example: python -m bench.tables --suite paper --check",
    )
    parser.add_argument("--suite", metavar="NAME", help="one suite (default: every suite that has pages, or results)")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 where a file is not as rendered"
    )
    options = parser.parse_args(arguments)
    return command.finish(lambda: _run(options.results, options.suite, options.check))


def _run(results: Path, name: str | None, check: bool) -> int:
    if not results.is_dir():
        raise UserError(
            f"{results} is not a folder; run `python -m bench.run --suite paper` first, or give --results DIR"
        )
    material = gather(results)
    suites = (load_suite(name),) if name else suites_shown(results, material.finished)
    if not suites:
        raise UserError(f"{results} has no records yet; run `python -m bench.run --suite paper` first")
    if check:
        problems = differing(results, suites, material)
        print("\n".join(problems) or f"{results / 'tables'}: as rendered ({', '.join(suite.name for suite in suites)})")
        return 1 if problems else 0
    command.writable(results)
    for path in render(results, *suites):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
