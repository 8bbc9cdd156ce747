"""Does every printed number follow from what is stored?  Exits with 1, naming the table cell, where one does not.

python -m bench.audit                 predictions -> scores -> tables, and whether the results are stale
python -m bench.audit --reported      the printed figures of others alone: attainable on their test sizes?
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from bench import command, store, tables
from bench.errors import UserError
from bench.figures import manifest
from bench.heads import lab
from bench.markdown import plural, spans
from bench.record import Record
from bench.report import pages, recompute, reported_audit
from bench.report.places import Place, places
from bench.report.table_rows import Conditions, Finished, conditions_of
from bench.robustness import text as robustness

Staleness = Callable[[Record], str]  # why the cell of a record would be run again now; empty where it would not


def audit(results: Path, stale: Staleness | None = None) -> tuple[list[str], str]:
    """Every difference that was found, a line each, and a line that says what was checked.

    `stale` is the staleness test; without one staleness is not looked at.
    """
    damaged = list(_damaged(results))
    if damaged:
        return damaged, "nothing else was checked: a damaged record can be in any table"
    material = pages.gather(results)
    suites = pages.suites_shown(results, material.finished)
    listed = places(suites, material)
    found = []
    for name, record in material.finished.records.items():
        for selection, problem in recompute.problems(results, name, record):
            found += [f"{where}: {problem}" for where in _named(name, selection, listed)]
    found += _stale(material.finished, stale) if stale else []
    found += _mixed(material.finished)
    found += [line for suite in suites for line in manifest.problems(results, suite.name, material.finished.records)]
    found += robustness.problems(results, material.finished.records)
    found += lab.problems(results, material.finished.records)
    found += reported_audit.problems(material.reported)
    found += tables.differing(results, suites, material) if suites else []
    checked = f"{plural(len(material.finished.records), 'record')}, {plural(len(suites), 'suite')} of tables"
    return found, f"{checked}: {plural(len(found), 'difference') if found else 'every number follows'}"


def stale_now(record: Record) -> str:
    """Why a record's cell would be run again on the same data and weights: its sources, recipe or switches changed."""
    from bench.key import inputs
    from bench.plan import why_stale
    from bench.spec import Cell, recipe_of, variant_of

    axes = record.cell
    try:
        variant = variant_of(axes["method"], axes["variant"])
        recipe = recipe_of(axes["dataset"], axes["method"], variant, axes["budget"], axes["numeric"])
    except UserError as error:
        return str(error)
    names = ("dataset", "method", "protocol", "budget", "seed", "weights")
    cell = Cell(**{name: axes[name] for name in names}, variant=variant, recipe=recipe)
    wanted = inputs(cell, record.data.digest, record.weights_sha256)
    return "" if wanted.key == record.key else why_stale(record, wanted)


def _damaged(results: Path) -> Iterator[str]:
    folder = results / "records"
    for path in sorted(folder.rglob("*.json")) if folder.is_dir() else ():
        if not path.name.endswith(store.FAILED):
            try:
                store.load(results, path.relative_to(folder).with_suffix("").as_posix())
            except UserError as error:
                yield str(error)


def _named(name: str, selection: str, listed: Iterable[Place]) -> list[str]:
    """The table cells that show a record's selection, or the record where no table does."""
    shown = [where for place in listed if (where := place.shows(name, selection))]
    return [f"{where} ({name})" for where in shown] or [name]


def _stale(finished: Finished, stale: Staleness) -> Iterator[str]:
    """A line for each reason why cells would be run again."""
    reasons: dict[str, list[str]] = {}
    for name, record in finished.records.items():
        if reason := stale(record):
            reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        others = f" and {plural(len(names) - 1, 'more cell')}" if len(names) > 1 else ""
        yield f"{names[0]}{others}: stale: {reason}; run the suite again"


def _mixed(finished: Finished) -> Iterator[str]:
    """Cells that differ in their seed only by name, but were made under several conditions: tables split them."""
    for head, seeds in sorted(finished.rows.items()):
        groups: dict[str, dict[Conditions, list[int]]] = {}
        for (folder, seed), record in sorted(seeds.records.items()):
            groups.setdefault(folder, {}).setdefault(conditions_of(record), []).append(seed)
        for folder, found in groups.items():
            if len(found) > 1:
                sets = " and ".join(f"seeds {spans(numbers)}" for numbers in found.values())
                yield f"{head}/{folder}: {sets} differ in {', '.join(_unlike(found))}; run the suite again"


def _unlike(found: Iterable[Conditions]) -> list[str]:
    return [each.name for each in fields(Conditions) if len({getattr(one, each.name) for one in found}) > 1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.audit",
        description="Recompute every score from the stored predictions and every table from the scores.",
        epilog="example: python -m bench.audit --reported",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    parser.add_argument(
        "--reported", action="store_true", help="only: can the printed figures of others be k/n at all?"
    )
    options = parser.parse_args(arguments)
    return command.finish(lambda: _reported(options.results) if options.reported else _run(options.results))


def _run(results: Path) -> int:
    if not results.is_dir():
        raise UserError(f"{results} is not a folder; give the folder of the results with --results DIR")
    found, checked = audit(results, stale_now)
    print("\n".join([*found, checked]))
    return 1 if found else 0


def _reported(results: Path) -> int:
    reported = pages.gather_reported(results)
    print(reported_audit.listing(reported))
    if problems := reported_audit.problems(reported):
        print("\n".join(["", *problems]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
