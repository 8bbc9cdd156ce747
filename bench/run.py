"""How does a person run a suite?  The command line only: what is done stands in spec, plan, launch, tables and
track."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import command
from bench.data.catalog import TWINS
from bench.data.find import looked_for
from bench.data.source import Source, at_hand, known_digest, open_source
from bench.errors import UserError, unknown
from bench.launch.claim import sweep
from bench.launch.executor import EXECUTORS, Executor
from bench.launch.job import Job
from bench.plan import Planned, describe, matching, plan, summary
from bench.pretrained import HELP, Weights, prove, starting_weights
from bench.spec import Cell, Suite, cells_of
from bench.study.tuned import tuned_variants, with_tuned
from bench.suite_file import load_suite

EXAMPLE = """examples:
  python -m bench.run --suite paper                           every dataset that is found, rendered twins where none is
  python -m bench.run --suite paper --data ~/faces --plan     what would be run, and why
  python -m bench.run --suite paper --only 'rafdb/dan/*' --seeds 0-2
  python -m bench.run --suite proof --prove 20                kill it 20 times, finish it, compare
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    given = tuple(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    if options.prove:
        return command.finish(lambda: _prove_by_kills(options, given), "interrupted: a proof begins anew each time")
    again = "interrupted: what is finished is kept; the same command goes on from here"
    return command.finish(lambda: _run(options), again)


def _run(options: argparse.Namespace) -> int:
    if options.jobs is not None and options.jobs < 1:
        raise UserError(f"--jobs {options.jobs}: at least one cell at once")
    if options.loader_workers is not None and options.loader_workers < 0:
        raise UserError(f"--loader-workers {options.loader_workers}: 0, or how many threads read batches ahead")
    suite = load_suite(options.suite)
    executor = EXECUTORS[options.executor]
    device = _device(options, executor)
    budget = options.budget or ("full" if device == "cuda" else "quick")
    weights = starting_weights(options.pretrained, budget)
    sources = _sources(suite, options, budget)
    cells = matching(_cells(suite, sources, options, budget, weights), options.only)
    everything = sources
    sources = {cell.dataset: sources[cell.dataset] for cell in cells}
    workers = options.jobs or executor.at_once(device)
    say(f"suite {suite.name}, budget {budget}" + ("" if options.budget else " (chosen by the device)"))
    runs: Path = options.runs
    size = {cell.dataset: cell.recipe.image_size for cell in cells}
    digests = {name: known_digest(source, size[name], runs / "cache") for name, source in sources.items()}

    def planned() -> tuple[Planned, ...]:
        known = {weights.name: weights.sha256, "none": None}
        return plan(cells, digests, known, options.results, runs, options.retry_failed, device)

    if options.plan:
        print(describe(planned(), workers))
        return 0
    prove(weights)
    command.writable(options.results)
    command.writable(runs)
    for name, source in sources.items():
        digests[name] = open_source(source, size[name], runs / "cache").digest
    todo = planned()
    say(summary(todo, workers))
    failed = _launch(executor, todo, sources, options, weights, device, workers)
    failed += sum(item.state == "failed" for item in todo)
    sweep(options.results)
    if any(table.kind == "robustness" for table in suite.tables):
        failed += _robustness(todo, everything, options, device)
    _render(suite, options.results)
    _track(options.results, runs)
    return 1 if failed else 0


def _prove_by_kills(options: argparse.Namespace, given: tuple[str, ...]) -> int:
    """Exit code 1 where a run that was killed did not end as the reference did."""
    from bench.prove.proof import prove

    if options.prove < 0:
        raise UserError(f"--prove {options.prove}: write how many times the run is killed, such as 20")
    load_suite(options.suite)  # its mistakes are told before anything is run
    command.writable(options.runs)
    own_data = bool(options.root) or command.data_folder(options.data) is not None
    return prove(options.prove, (*given, "--budget", options.budget or "quick"), options.runs, own_data)


def _device(options: argparse.Namespace, executor: Executor) -> str:
    """`cpu` or `cuda`, asked of the driver or the cluster.  Raises UserError for a device that is not to be had."""
    if options.device not in ("auto", "cpu", "cuda"):
        raise unknown("device", options.device, ("auto", "cpu", "cuda"))
    device = "cuda" if options.device != "cpu" and executor.gpus() else "cpu"
    if options.device == "cuda" and device == "cpu":
        raise UserError("device 'cuda' is not available here: no GPU is found; use --device cpu")
    if options.numeric == "fast" and device == "cpu":
        say("warning: --numeric fast on a CPU is slower than faithful; it is there to compare accuracies")
    return device


def _sources(suite: Suite, options: argparse.Namespace, budget: str) -> dict[str, Source]:
    wanted = dict.fromkeys(dataset for table in suite.tables for dataset in table.datasets)
    roots = command.named_paths(options.root, "--root")
    named = [twin for twin in TWINS if options.only and twin in options.only]
    data = command.data_folder(options.data)
    found = at_hand(wanted, budget, data, roots, named)
    if data is not None and not any(source.root for source in found) and not named:
        sought = "; ".join(f"{name}: {looked_for(name)}" for name in wanted)
        raise UserError(f"no dataset below {data} (looked for {sought}); python -m bench.data list says where to ask")
    if any(source.root is None for source in found) and not named:
        say("no dataset found (--data DIR, --root NAME=DIR or DAN_BENCH_DATA name one): using rendered twins")
    orders = command.named_values(options.class_order, "--class-order", "rafdb=affectnet")
    return {source.name: replace(source, class_order=orders.get(source.name)) for source in found}


def _cells(
    suite: Suite, sources: dict[str, Source], options: argparse.Namespace, budget: str, weights: Weights
) -> tuple[Cell, ...]:
    seeds = parse_seeds(options.seeds) if options.seeds else suite.seeds[budget]
    tuned = tuned_variants(options.results, budget) if options.tuned else {}
    if options.tuned and not tuned:
        raise UserError(
            f"--tuned: {options.results / 'tuned'} holds no winner of a {budget} study; run bench.tune first"
        )
    return cells_of(
        suite,
        sources,
        budget,
        seeds,
        weights.name,
        options.numeric,
        lambda table, dataset: with_tuned(table, dataset, tuned).rows,
    )


def _launch(
    executor: Executor,
    todo: Sequence[Planned],
    sources: dict[str, Source],
    options: argparse.Namespace,
    weights: Weights,
    device: str,
    workers: int,
) -> int:
    """Run what is to be run, telling how it goes; returns how many cells failed."""
    from tqdm import tqdm

    first = {item.cell.row: item.cell.seed for item in reversed(todo)}
    jobs = []
    for item in todo:
        if item.todo:
            own = weights if item.cell.weights == weights.name else Weights()
            assert item.key is not None
            source = sources[item.cell.dataset]
            keep = item.cell.seed == first[item.cell.row]  # a model to look at for each row, not a disk full of them
            places = (options.results, options.runs)
            paces = (options.checkpoint_seconds, options.loader_workers)
            jobs.append(Job(item.cell, item.key, source, *places, device, own.path, own.sha256, keep, *paces))
    epochs = {job.cell.name: job.cell.recipe.epochs for job in jobs}
    failed = 0
    with tqdm(total=sum(epochs.values()), unit="epoch", disable=None, file=sys.stderr) as bar:
        seen: dict[str, int] = {}

        def progress(name: str, epoch: int, _: int) -> None:
            bar.update(max(0, epoch - seen.get(name, 0)))
            bar.set_postfix_str(name.rsplit("/", 2)[0])
            seen[name] = epoch

        for number, outcome in enumerate(executor.launch(jobs, workers, progress), 1):
            progress(outcome.job.cell.name, epochs[outcome.job.cell.name], 0)
            bar.write(f"[{number}/{len(jobs)}] {outcome.line}", file=sys.stderr)
            failed += outcome.state == "failed"
            if outcome.state == "failed" and options.fail_fast:
                say("stopping at the first failure (--fail-fast)")
                break
    return failed


def _robustness(todo: Sequence[Planned], sources: dict[str, Source], options: argparse.Namespace, device: str) -> int:
    """Measure the kept weights on corrupted images and on the other datasets at hand; returns how many could not be."""
    from functools import cache

    from bench.numeric import choose_device
    from bench.plan import checkpoint_folder
    from bench.robustness.measure import measure_all
    from bench.store import load

    records = {item.cell.name: load(options.results, item.cell.name) for item in todo}
    return measure_all(
        [item.cell for item in todo],
        {name: record.key for name, record in records.items() if record is not None},
        lambda cell: checkpoint_folder(options.runs, cell),
        cache(lambda name, size: open_source(sources[name], size, options.runs / "cache")),
        list(sources),
        options.results,
        choose_device(device),
        say,
    )


def _render(suite: Suite, results: Path) -> None:
    from bench.tables import render

    for path in render(results, suite):
        print(path)


def _track(results: Path, runs: Path) -> None:
    from bench.track import sync_quietly

    sync_quietly(results, runs)


def parse_seeds(text: str) -> tuple[int, ...]:
    """`0-2,5` -> (0, 1, 2, 5).  Raises UserError for anything else."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            raise UserError(f"--seeds {text}: write whole numbers and ranges, such as 0-7 or 0,3,5")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(dict.fromkeys(seeds))


def say(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.run",
        description="Train what a suite's tables need, resume what was interrupted, render the tables.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--suite", required=True, help="paper, honest, methods, deviations, robustness or smoke")
    parser.add_argument(
        "--data", type=Path, help=f"folder below which datasets are looked for (default ${command.DATA_VARIABLE})"
    )
    parser.add_argument("--root", action="append", default=[], metavar="NAME=DIR", help="where one dataset lies")
    parser.add_argument(
        "--class-order", action="append", default=[], metavar="NAME=ORDER", help="what bare folder numbers mean there"
    )
    parser.add_argument("--plan", action="store_true", help="show the cells, their states and the time; train nothing")
    parser.add_argument("--only", metavar="PATTERN", help="cells whose name fits, such as 'rafdb/dan/*'")
    parser.add_argument("--seeds", metavar="LIST", help="such as 0-7 (default: the suite's)")
    parser.add_argument("--budget", choices=("quick", "full"), help="default: full with a CUDA GPU, else quick")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--numeric",
        choices=("faithful", "fast"),
        default="faithful",
        help="fp32 with deterministic algorithms (default), or bf16 autocast in channels_last; never mixed in one row",
    )
    parser.add_argument("--pretrained", metavar="NAME[=FILE]", help=HELP)
    parser.add_argument(
        "--tuned", action="store_true", help="also train the frozen winners of studies, as rows of their own"
    )
    parser.add_argument(
        "--executor", choices=tuple(EXECUTORS), default="local", help="this machine, or Ray (RAY_ADDRESS)"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="cells at once (default: one a core, one a GPU)")
    parser.add_argument(
        "--loader-workers",
        type=int,
        metavar="N",
        help="threads a cell that read batches ahead (default: 0 on a CPU, 2 on a GPU); no number depends on it",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="records and tables (default results/)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="cache, checkpoints, MLflow (default runs/)")
    parser.add_argument(
        "--checkpoint-seconds", type=float, metavar="S", help="between two checkpoints of a cell (default 30)"
    )
    parser.add_argument(
        "--prove", type=int, default=0, metavar="N", help="kill the run N times at random moments, finish it, compare"
    )
    parser.add_argument("--retry-failed", action="store_true", help="run failed cells again")
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    return parser


if __name__ == "__main__":
    sys.exit(main())
