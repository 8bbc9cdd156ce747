"""What is to be measured on a machine that is at hand for minutes at a time?  Everything, by priority, resumable.

    python -m bench.campaign --minutes 10     work for ten minutes at most; the same command goes on from there

First bench.perf and its scaling, then the twin suites at the budget given, the main rows before the ablations, few
seeds before many, `faithful` before `fast`.  Each step is a command of this project in a process of its own, that is
interrupted (as by Ctrl-C) before the time is up and resumes by itself.  Needs neither MLflow nor Optuna.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bench import command
from bench.atomic import write_text
from bench.data.catalog import TWINS
from bench.device import cuda_present
from bench.errors import UserError
from bench.provenance import git
from bench.suite_file import load_suite

NEEDED = ("torch", "torchvision", "timm", "numpy", "scipy", "sklearn", "PIL", "filelock", "tabulate", "tqdm")
GRACE_SECONDS = 45.0  # kept for an interrupted command to leave what it has; then it is killed, which loses little
ROWS = ("dan", "resnet18", "center_loss", "single_head")
WEIGHTS = "rendered"  # what anybody has; a recipe of fine-tuning says little about a trunk that starts from nothing
MORE_TWINS = ("sfew-twin", "affectnet7-twin", "affectnet8-twin")
AGAIN = "time is up: what is finished is kept; the same command goes on from here"


@dataclass(frozen=True)
class Step:
    """One command.  `least` seconds must be left for it to begin: what cannot resume is not begun in vain."""

    name: str
    module: str
    arguments: tuple[str, ...]
    least: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 all is done, 1 a step failed, 130 there is more to do."""
    options = _parser().parse_args(arguments)
    return command.finish(lambda: _run(options), "interrupted: the same command goes on from here")


def steps(device: str, budget: str, results: Path, runs: Path, quick_perf: bool) -> tuple[Step, ...]:
    """Everything, the most important first."""
    perf = ("--device", device, *(("--quick",) if quick_perf else ()))
    kept = results / "perf"
    found = [
        Step("ratios", "bench.perf", (*perf, "--out", str(kept / f"{device}-ratios.json")), 240),
        Step("scaling", "bench.perf", (*perf, "--scaling", "--out", str(kept / f"{device}-scaling.json")), 240),
    ]

    def run(suite: str, pattern: str, seeds: str, numeric: str = "faithful") -> None:
        if not _trains(suite, pattern, budget):
            return
        options = ("--suite", suite, "--only", pattern, "--seeds", seeds, "--numeric", numeric, "--budget", budget)
        given = ("--pretrained", WEIGHTS, "--device", device, "--jobs", "1")
        places = ("--results", str(results), "--runs", str(runs))
        found.append(Step(f"{suite} {pattern} seeds {seeds} {numeric}", "bench.run", options + given + places))

    for seeds in ("0", "1-2"):
        for method in ROWS:
            run("paper", f"rafdb-twin/{method}/default/*", seeds)
    for method in ROWS[:2]:
        run("paper", f"rafdb-twin/{method}/default/*", "0-2", "fast")
    accuracy = ("--accuracy", str(results), "--out", str(kept / f"{device}-accuracy.json"))
    found.append(Step("accuracy", "bench.perf", accuracy))
    run("paper", "rafdb-twin/dan/*", "0-2")
    for method in ROWS:
        run("paper", f"rafdb-twin/{method}/default/*", "3-7")
    for method in ROWS[:2]:
        run("paper", f"rafdb-twin/{method}/default/*", "3-7", "fast")
    found.append(Step("accuracy of all seeds", "bench.perf", accuracy))
    run("deviations", "rafdb-twin/*", "0-2")
    for twin in MORE_TWINS:
        for method in ROWS[:3]:
            run("paper", f"{twin}/{method}/default/*", "0-2")
    run("paper", "rafdb-twin/*", "0-2")
    return tuple(found)


def _trains(name: str, pattern: str, budget: str) -> bool:
    """Whether a suite trains a cell that fits `dataset/method/...` under a budget: a rehearsal leaves rows out."""
    dataset, method, *_ = pattern.split("/")
    return any(
        row.runs(dataset, budget) and TWINS[dataset] in table.datasets and fnmatchcase(row.method, method)
        for table in load_suite(name).tables
        for row in table.rows
    )


def _run(options: argparse.Namespace) -> int:
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UserError(f"not installed here: {', '.join(missing)}; see requirements.lock")
    ends = time.monotonic() + 60 * options.minutes
    device = options.device if options.device != "auto" else "cuda" if cuda_present() else "cpu"
    if device == "cpu" and options.budget == "full":
        raise UserError("no CUDA GPU here; on a CPU the full budget takes weeks: give --budget quick")
    command.writable(options.results / "perf")
    ledger = command.writable(options.runs) / "campaign.json"
    wanted = steps(device, options.budget, options.results, options.runs, options.quick_perf)[: options.steps]
    state = git("rev-parse", "HEAD") or "unknown"  # another commit may have made records stale: begin anew
    done = _finished(ledger, state)
    failed = 0
    for number, step in enumerate(wanted, 1):
        if step.name in done:
            continue
        left = ends - time.monotonic() - GRACE_SECONDS
        if left <= 0 or left < min(step.least, 60 * options.minutes - 2 * GRACE_SECONDS):
            _say(AGAIN)
            return 130
        _say(f"[{number}/{len(wanted)}] {step.name}")
        code = _within(step, left)
        if code == 130:
            _say(AGAIN)
            return 130
        failed += code != 0
        if code in (0, 1):  # 1: a cell failed, its reason is kept, and trying again would not help
            done.append(step.name)
            write_text(ledger, json.dumps({"commit": state, "done": done}, indent=1) + "\n")
    _say("all is done" if not failed else f"all is done; {failed} steps report a failure")
    return 1 if failed else 0


def _within(step: Step, seconds: float) -> int:
    """The exit code of a step; 130 where it was interrupted because its time was up."""
    # A shell lets what it starts in the background ignore Ctrl-C, and so would the step, to be killed each time.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen([sys.executable, "-m", step.module, *step.arguments], preexec_fn=heed) as child:
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
        try:
            child.wait(GRACE_SECONDS - 5)
        except subprocess.TimeoutExpired:
            child.kill()
    return 130


def _finished(ledger: Path, state: str) -> list[str]:
    """The steps that earlier calls brought to an end at this commit; the ledger only saves the time to ask again."""
    try:
        content = json.loads(ledger.read_text(encoding="utf-8"))
        return list(content["done"]) if content["commit"] == state else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.campaign",
        description="Measure everything on a machine that is at hand for minutes at a time; resumable.",
        epilog="example: until python -m bench.campaign --minutes 10; [ $? -ne 130 ]; do :; done",
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="work at most so long (default 10)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto, cpu or cuda")
    parser.add_argument("--budget", choices=("quick", "full"), default="full", help="of the twins (default full)")
    parser.add_argument("--steps", type=int, metavar="N", help="only the first N steps")
    parser.add_argument("--quick-perf", action="store_true", help="bench.perf in sizes that measure nothing")
    parser.add_argument("--results", type=Path, default=Path("results"), help="records and tables (default results/)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="cache and checkpoints (default runs/)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
