"""Which figures do the results make?  The command line only.

python -m bench.figures                    every suite that has pages
python -m bench.figures --suite paper      one suite
python -m bench.figures --check            draw nothing; exit with 1 where a figure is not of these results
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from bench import command
from bench.errors import UserError
from bench.figures import confusion, cost_accuracy, heads_curve, heads_lab, learning_curves, manifest, precision_recall
from bench.figures.chart import Chart
from bench.figures.rows import View
from bench.figures.write import write
from bench.spec import Suite
from bench.suite_file import load_suite
from bench.tables import Material, gather, suites_shown

EXAMPLE = """examples:
  python -m bench.figures --suite paper
  python -m bench.figures --data ~/faces       with the images, figures that need trained weights are drawn anew
"""
FAMILIES = (
    heads_lab,
    heads_curve,
    cost_accuracy,
    confusion,
    precision_recall,
    learning_curves,
)  # as on a page


def from_records(view: View) -> Iterator[Chart]:
    """The figures that records and predictions make."""
    return chain.from_iterable(family.charts(view) for family in FAMILIES)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    return command.finish(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    results: Path = options.results
    if not results.is_dir():
        raise UserError(f"--results {results} is not a folder; run `python -m bench.run --suite paper` first")
    material = gather(results)
    suites = (load_suite(options.suite),) if options.suite else suites_shown(results, material.finished)
    if not suites:
        raise UserError(f"{results} has no records yet; run `python -m bench.run --suite paper` first")
    if options.check:
        found = [line for suite in suites for line in check(results, suite, material)]
        print("\n".join(found) or f"{results / 'figures'}: of these results ({', '.join(s.name for s in suites)})")
        return 1 if found else 0
    command.writable(results)
    for suite in suites:
        for path in draw(suite, material, options):
            print(path)
    return 0


def draw(suite: Suite, material: Material, options: argparse.Namespace) -> Iterable[Path]:
    """Write a suite's figures: those of the records, and those of the weights that are at hand."""
    results: Path = options.results
    view = View(suite, material.finished, results, material.costs)
    kept = [stem for stem, entry in manifest.read(results, suite.name).items() if entry.source == "weights"]
    return write(results, suite.name, everything(view, options), material.finished.records, kept)


def everything(view: View, options: argparse.Namespace) -> Iterator[Chart]:
    """All figures of a suite; those of the lab after the networks at hand were measured for it."""
    wanted = any(table.kind in ("ablation", "heads") for table in view.suite.tables) and not options.records_only
    if not wanted or not any((options.runs / "cells").rglob("weights.pt")):
        yield from from_records(view)
        return
    from bench.figures import embedding, faces, lab
    from bench.figures.networks import Networks, one_thread

    roots = command.named_paths(options.root, "--root")
    networks = Networks(options.runs, command.data_folder(options.data), roots)
    with one_thread():
        for path in lab.measured(view, networks):
            print(path)
        yield from from_records(view)
        for family in (embedding, faces):
            yield from family.charts(view, networks)
    for note in networks.notes:
        print(f"note: {note}", file=sys.stderr)


def check(results: Path, suite: Suite, material: Material) -> list[str]:
    """What does not hold: a figure of other records, a changed file, or data that the records do not give."""
    records = material.finished.records
    found = manifest.problems(results, suite.name, records)
    listed = manifest.read(results, suite.name)
    view = View(suite, material.finished, results, material.costs)
    for chart in from_records(view):
        path = manifest.folder_of(results, suite.name) / f"{chart.stem}.csv"
        if chart.stem not in listed:
            found.append(f"{path}: missing")
        elif listed[chart.stem].csv_sha256 != manifest.sha256(chart.csv.encode()):
            found.append(f"{path}: differs from what the results give")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.figures",
        description="Draw the figures of the results, each with the data behind it; nothing is trained.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--suite", metavar="NAME", help="one suite (default: every suite that has pages, or results)")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where trained weights are (default runs/)")
    parser.add_argument(
        "--data", type=Path, help=f"folder below which datasets are looked for (default ${command.DATA_VARIABLE})"
    )
    parser.add_argument("--root", action="append", default=[], metavar="NAME=DIR", help="where one dataset lies")
    parser.add_argument("--records-only", action="store_true", help="leave out what needs trained weights")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 where a figure is not of these results"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
