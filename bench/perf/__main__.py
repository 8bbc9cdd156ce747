"""How fast is the harness on this device, side by side with the usual loop?  The command line only.

python -m bench.perf                          ratios A to D and the gates, as a Markdown table (3 to 4 minutes)
python -m bench.perf --out results/perf/cpu.json    keep them, and render results/perf/README.md
python -m bench.perf --scaling                cost against images, batch size, heads and seeds
python -m bench.perf --cells 10000            how long plan and pages take with so many cells (nothing is trained)
python -m bench.perf --accuracy DIR           `fast` against `faithful` from the records below DIR
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import command
from bench.atomic import write_text
from bench.perf import report

EXAMPLE = "example: python -m bench.perf --device cuda --out results/perf/h200.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where a gate did not hold."""
    options = _parser().parse_args(arguments)
    return command.finish(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if options.out is not None:
        command.writable(options.out.parent)
    if options.render is not None:
        write_text(options.render / "README.md", report.page(options.render))
        return 0
    document = _document(options)
    if options.out is not None:
        write_text(options.out, report.as_json(document))
        write_text(options.out.parent / "README.md", report.page(options.out.parent))
    print(report.as_json(document) if options.json else report.as_text(document))
    return 0 if all(gate["held"] for gate in document.get("gates", ())) else 1


def _document(options: argparse.Namespace) -> dict[str, Any]:
    if options.accuracy is not None:
        from bench.perf.accuracy import accuracy_document

        return accuracy_document(options.accuracy)
    if options.cells is not None:
        from bench.perf.cells import timings

        before = report.load()
        found = timings(options.cells, 1 if options.quick else 3, say)
        return report.cells_document(found, report.facts(None, options.quick, before))
    from bench.numeric import choose_device

    device, before = choose_device(options.device), report.load()
    if options.scaling:
        from bench.perf.scaling import scaling

        points = scaling(device, options.quick, say)
        return report.scaling_document(points, report.facts(device, options.quick, before))
    from bench.perf.plan import sizes
    from bench.perf.ratios import measure

    outcome = measure(device, sizes(device.type, options.quick), say)
    return report.ratios_document(outcome, report.facts(device, options.quick, before))


def say(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.perf",
        description="Measure the harness side by side with a plain reference loop, in one run.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the JSON, and a README.md beside it")
    parser.add_argument("--quick", action="store_true", help="sizes that show that everything runs and measure nothing")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--scaling", action="store_true", help="cost against images, batch size, heads and seeds")
    kind.add_argument("--cells", type=int, metavar="N", help="how long plan and pages take with so many cells")
    kind.add_argument(
        "--accuracy", type=Path, metavar="DIR", help="`fast` against `faithful` on paired seeds, from records below DIR"
    )
    kind.add_argument("--render", type=Path, metavar="DIR", help="render DIR/README.md from its JSON files again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
