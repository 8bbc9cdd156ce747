"""What is in my data, and how do I get it ready?  `python -m bench.data list | verify | prepare | render`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.command import data_folder, finish
from bench.data.catalog import DATASETS, TWINS, title
from bench.errors import UserError

_EXAMPLES = """\
examples:
  python -m bench.data list --data ~/data
  python -m bench.data verify rafdb --root ~/data/RAF-DB/basic --json
  python -m bench.data prepare sfew --root ~/data/SFEW_2.0 --out ~/data/sfew-aligned
  python -m bench.data render rafdb-twin --out ~/data/rafdb-twin --count 2000
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.data",
        description="List, verify, align and render datasets.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | verify | prepare | render")

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    listed = command("list", "Say which datasets are known, where they are and how to get them.")
    listed.add_argument("--data", type=Path, help="folder to look in, by layout (default: $DAN_BENCH_DATA)")
    listed.add_argument("--json", action="store_true", help="print JSON")

    check = command(
        "verify", "Check a dataset: layout, counts, digests, duplicates, damage. Exit 1 when an error stands."
    )
    check.add_argument("name", metavar="NAME", help=", ".join(DATASETS))
    check.add_argument("--root", type=Path, help="the dataset's folder (default: looked for below --data)")
    check.add_argument("--data", type=Path, help="folder to look in, by layout (default: $DAN_BENCH_DATA)")
    check.add_argument(
        "--class-order", help="what bare folder numbers mean: raf, affectnet, alphabetical, or names parted by commas"
    )
    check.add_argument(
        "--no-decode", action="store_true", help="read headers only: quick, but sees no damage, duplicates or digest"
    )
    check.add_argument(
        "--cache", type=Path, help="keep what was seen in this folder, so that unchanged images are not read again"
    )
    check.add_argument("--workers", type=_positive, help="processes (default: one per core)")
    check.add_argument("--json", action="store_true", help="print JSON")

    prepare = command(
        "prepare", "Detect and align faces (sfew, raw photos), or crop by box (affectnet's full release)."
    )
    prepare.add_argument(
        "name",
        metavar="NAME",
        help="sfew, affectnet7, affectnet8, facial_expressions, or photos for any folder of images",
    )
    prepare.add_argument("--root", type=Path, required=True, help="the raw dataset's folder")
    prepare.add_argument("--out", type=Path, help="folder to write (default: beside the root, NAME-aligned)")
    prepare.add_argument(
        "--size", type=_positive, default=224, help="width and height of the result in pixels (default: 224)"
    )
    prepare.add_argument("--detector", type=Path, help="another RetinaFace (MobileNet-0.25 form) as an ONNX file")
    prepare.add_argument("--workers", type=_positive, help="processes (default: one per core)")

    render = command(
        "render", "Write the images of a rendered twin to a folder, in the layout of the dataset it stands in for."
    )
    render.add_argument("name", metavar="NAME", help=", ".join(TWINS))
    render.add_argument("--out", type=Path, required=True, help="folder to write")
    render.add_argument("--count", type=_positive, help="images in all (default: the budget's)")
    render.add_argument(
        "--budget", choices=("quick", "full"), default="quick", help="size of the twin (default: quick)"
    )
    render.add_argument("--preset", help="difficulty of the scenes (default: the twin's own)")
    render.add_argument("--seed", type=int, default=0, help="seed of the population (default: 0)")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parsed = _parser().parse_args(argv)
    run = {"list": _list, "verify": _verify, "prepare": _prepare, "render": _render}[parsed.command]
    return finish(lambda: run(parsed), "interrupted; run the same command again to go on")


def _list(parsed: argparse.Namespace) -> int:
    from bench.data.find import locate, looked_for

    data = data_folder(parsed.data)
    rows: list[dict[str, Any]] = []
    for name, facts in DATASETS.items():
        try:
            root, problem = locate(name, data, None), None
        except UserError as error:
            root, problem = None, str(error)
        rows.append(
            {
                "dataset": name,
                "title": title(name),
                "classes": list(facts.classes),
                "licensed": facts.licensed,
                "access": facts.access,
                "twin": facts.twin,
                "layouts": looked_for(name),
                "root": str(root) if root is not None else None,
                "problem": problem,
            }
        )
    if parsed.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print(f"{row['dataset']:<20} {row['title']}, {len(row['classes'])} classes")
        where = row["root"] or row["problem"] or ("not found" if data is not None else "not looked for (no --data)")
        print(f"{'':<20} at       {where}")
        print(f"{'':<20} layouts  {row['layouts']}")
        print(f"{'':<20} access   {row['access']}" + (f"; or rendered as {row['twin']}" if row["twin"] else ""))
    return 0


def _verify(parsed: argparse.Namespace) -> int:
    from bench.data.find import locate, looked_for
    from bench.data.layouts import real_name
    from bench.data.readers.classnames import order

    dataset = real_name(parsed.name)
    if parsed.class_order is not None:
        order(parsed.class_order, DATASETS[dataset].classes)  # a misspelt order is bad usage, not bad data
    root = parsed.root
    if root is None:
        data = data_folder(parsed.data)
        root = locate(dataset, data, None)
        if root is None:
            place = f"below {data}" if data is not None else "nowhere to look: give --root, --data or $DAN_BENCH_DATA"
            raise UserError(f"no {parsed.name} found ({place}); looked for {looked_for(dataset)}")
    from bench.data.report import as_json, as_text
    from bench.data.verify import verify

    report = verify(parsed.name, root, parsed.class_order, parsed.cache, not parsed.no_decode, parsed.workers)
    print(json.dumps(as_json(report), indent=2) if parsed.json else as_text(report))
    return 0 if report.sound else 1


def _prepare(parsed: argparse.Namespace) -> int:
    from bench.data.prepare import prepare

    print(prepare(parsed.name, parsed.root, parsed.out, parsed.size, parsed.detector, parsed.workers))
    return 0


def _render(parsed: argparse.Namespace) -> int:
    from bench.data.twin.export import export
    from bench.data.twin.population import spec

    if parsed.name not in TWINS:
        from bench.errors import unknown

        raise unknown("twin", parsed.name, TWINS)
    sheet = export(
        spec(parsed.name, parsed.budget, count=parsed.count, preset=parsed.preset, seed=parsed.seed), parsed.out
    )
    print(f"{parsed.out}: written; contact sheet: {sheet}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
