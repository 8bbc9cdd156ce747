"""How does a person tune a method's weights?  The command line only: the work is in study, trial and study_report."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.registry import entry
from bench import command
from bench.data.catalog import DATASETS, TWINS
from bench.data.source import Source, at_hand, open_source
from bench.device import cuda_count, cuda_present
from bench.errors import UserError, unknown
from bench.pretrained import HELP, Weights, prove, starting_weights
from bench.run import parse_seeds, say
from bench.spec import Cell, recipe_of
from bench.study.space import described, published, space_of

if TYPE_CHECKING:
    from bench.study.owner import Task
    from bench.study.score import Place
    from bench.study.text import Study

EXAMPLE = """examples:
  python -m bench.tune --method dan --dataset rafdb-twin --trials 20     run again to resume; --trials is the total
  python -m bench.tune --method dan --dataset rafdb --root rafdb=DIR --objective balanced-accuracy
  python -m bench.tune --method dan --dataset rafdb --space loss.lambda1 --space heads=1..8
  python -m bench.tune --help-space                                      what each method declares as tunable
  python -m bench.tune --report                                          render the pages again, train nothing
"""
FIRST_TUNING_SEED = 1000  # below it are scoring seeds, so that no seed is both
TUNING_SEEDS = {"quick": (1000,), "full": (1000, 1001)}
SCORING_SEEDS = {"quick": (0, 1, 2), "full": tuple(range(8))}
TRIALS = 20
NUMERIC = "faithful"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    again = "interrupted: finished trials are kept; the same command goes on from here"
    return command.finish(lambda: _run(options), again)


def _run(options: argparse.Namespace) -> int:
    if options.help_space:
        print(described((options.method,) if options.method else ()))
        return 0
    if options.report:
        return _render(options.results)
    if not options.method or not options.dataset:
        raise UserError(
            "give --method and --dataset, such as --method dan --dataset rafdb-twin (--help-space lists methods)"
        )
    if options.trials < 1 or options.workers < 1 or options.seed < 0 or (options.jobs or 1) < 1:
        raise UserError("--trials, --workers and --jobs must be 1 or more, and --seed 0 or more")
    space_of(options.method, options.space)  # a mistake in it is told before an image is decoded
    device, budget = _device(options.device), options.budget
    budget = budget or ("full" if device == "cuda" else "quick")
    own_trunk = entry(options.method).trunk != "resnet18"
    weights = Weights() if own_trunk else starting_weights(options.pretrained, budget)
    prove(weights)
    tuning, scoring = _seeds(options, budget)
    source = _source(options.dataset, budget, options)
    name = options.study or f"{options.dataset}-{options.method}-{budget}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"--study {name}: use letters, digits, points, - and _ (it is a file name)")
    command.writable(options.results)
    command.writable(options.runs)
    say(
        f"study {name}: {options.trials} trials in all, budget {budget}"
        + ("" if options.budget else " (chosen by the device)")
    )

    from bench.study.owner import run  # after the usage errors: Optuna and torch take seconds

    task, cell = _task(options, name, device, weights, tuning, source)
    objective = _objective(options, task, cell, source, device, weights)
    result = run(task, objective, say)
    if len(result.study.trials) < options.trials:
        say(
            f"{result.elsewhere} trials run on other machines; run the command again when they have ended "
            "(--take-over gives them up)"
        )
        return 0
    say(f"{len(result.study.trials)} trials are finished; look at them with: {_dashboard(options, task)}")
    failed = _score(options, result.study, scoring, _place(options, source, device, weights))
    _render(options.results)
    return 1 if failed else 0


def _task(
    options: argparse.Namespace, name: str, device: str, weights: Weights, tuning: tuple[int, ...], source: Source
) -> tuple[Task, Cell]:
    """The study, and the cell of the published method that its proposals vary."""
    from bench.key import sources
    from bench.study.owner import Task
    from bench.study.text import Identity

    space = space_of(options.method, options.space)
    recipe = recipe_of(source.name, options.method, (), source.budget, NUMERIC)
    cell = Cell(source.name, options.method, (), "honest", source.budget, tuning[0], weights.name, recipe)
    digest = open_source(source, recipe.image_size, options.runs / "cache").digest
    identity = Identity(
        dataset=source.name,
        method=options.method,
        budget=source.budget,
        objective=options.objective,
        seed=options.seed,
        tuning_seeds=tuning,
        space={dimension.name: dimension.domain for dimension in space},
        published=published(space),
        sampler=options.sampler,
        pruner=options.pruner,
        recipe=asdict(recipe),
        data=digest,
        weights=weights.name,
        weights_sha256=weights.sha256,
        device=device,
        optuna=version("optuna"),
        sources=sources(options.method, NUMERIC),
    )
    folder = options.runs / "studies"
    workers, give_up = options.workers, options.take_over
    return Task(name, identity, space, options.trials, folder, options.results, options.storage, workers, give_up), cell


def _objective(options: argparse.Namespace, task: Task, cell: Cell, source: Source, device: str, weights: Weights):
    from bench.study.trial import Training

    return Training(
        images=partial(open_source, source, cell.recipe.image_size, options.runs / "cache"),
        cell=cell,
        tuning_seeds=task.identity.tuning_seeds,
        objective=options.objective,
        device=device,
        folder=task.folder / task.name,
        weights=weights.path,
        weights_sha256=weights.sha256,
    )


def _score(options: argparse.Namespace, study: Study, seeds: tuple[int, ...], place: Place) -> int:
    """Freeze the winner, then run it and the published method on seeds that no trial has seen; returns failed cells."""
    from bench.study.report import winner_line
    from bench.study.score import cells, run_cells
    from bench.study.tuned import save, winner_of

    winner = winner_of(study)
    save(options.results, winner)
    say(f"winner frozen: {winner_line(options.results, winner)}")
    return run_cells(cells(winner, seeds, NUMERIC), study.identity.data, place, say)


def _place(options: argparse.Namespace, source: Source, device: str, weights: Weights) -> Place:
    from bench.study.score import Place

    # Scoring cells are independent, whatever the study's order.
    jobs = options.jobs or (cuda_count() if device == "cuda" else os.cpu_count() or 1)
    return Place(source, options.results, options.runs, device, weights.path, weights.sha256, jobs)


def _render(results: Path) -> int:
    from bench.study.report import render
    from bench.study.text import load_all

    studies = load_all(results)
    if not studies:
        raise UserError(
            f"{results / 'studies'} holds no study; run python -m bench.tune --method dan --dataset NAME first"
        )
    for path in render(results, studies):
        print(path)
    return 0


def _device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise unknown("device", name, ("auto", "cpu", "cuda"))
    present = cuda_present()
    if name == "cuda" and not present:
        raise UserError("device 'cuda' is not available here: the driver finds no GPU; use --device cpu")
    return "cuda" if name != "cpu" and present else "cpu"


def _seeds(options: argparse.Namespace, budget: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Tuning and scoring seeds; they share none by construction."""
    tuning = parse_seeds(options.tuning_seeds) if options.tuning_seeds else TUNING_SEEDS[budget]
    scoring = parse_seeds(options.score_seeds) if options.score_seeds else SCORING_SEEDS[budget]
    if low := [seed for seed in tuning if seed < FIRST_TUNING_SEED]:
        raise UserError(f"--tuning-seeds: {low[0]} is a scoring seed; tuning seeds are {FIRST_TUNING_SEED} or larger")
    if high := [seed for seed in scoring if seed >= FIRST_TUNING_SEED]:
        raise UserError(
            f"--score-seeds: {high[0]} is a tuning seed; scoring seeds are smaller than {FIRST_TUNING_SEED}"
        )
    return tuning, scoring


def _source(name: str, budget: str, options: argparse.Namespace) -> Source:
    """The dataset, which is never replaced by another: a study of a twin is asked for by the twin's name."""
    if name not in DATASETS and name not in TWINS:
        raise unknown("dataset", name, (*DATASETS, *TWINS), "--dataset")
    if name in TWINS:
        return Source(name, budget)
    found = at_hand((name,), budget, command.data_folder(options.data), command.named_paths(options.root, "--root"))
    source = next((source for source in found if source.name == name), None)
    if source is None:
        twin = DATASETS[name].twin
        rather = f"; its rendered twin needs no files: --dataset {twin}" if twin else ""
        raise UserError(f"{name} is not found; give --root {name}=DIR, --data DIR or {command.DATA_VARIABLE}{rather}")
    return source


def _dashboard(options: argparse.Namespace, task: Task) -> str:
    from bench.study.storage import journal, shown

    return f"optuna-dashboard {shown(options.storage) if options.storage else journal(task.folder, task.name)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.tune",
        description="Tune a method's weights on the validation split, freeze the winner, score it on unseen seeds.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--method", metavar="NAME", help="what is tuned")
    parser.add_argument("--dataset", metavar="NAME", help="a dataset or a rendered twin, such as rafdb-twin")
    parser.add_argument(
        "--trials",
        type=int,
        default=TRIALS,
        metavar="N",
        help=f"trials in all (default {TRIALS}); a longer study goes on",
    )
    parser.add_argument(
        "--objective", choices=("accuracy", "balanced-accuracy"), default="accuracy", help="on the validation split"
    )
    parser.add_argument(
        "--space",
        action="append",
        default=[],
        metavar="SWITCH[=VALUES]",
        help="search exactly these: NAME, NAME=LOW..HIGH[:log], NAME=A|B",
    )
    parser.add_argument("--help-space", action="store_true", help="list what methods declare as tunable, and leave")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the proposals (default 0)")
    parser.add_argument(
        "--tuning-seeds",
        metavar="LIST",
        help=f"training seeds of a trial, {FIRST_TUNING_SEED} or larger (default: by budget)",
    )
    parser.add_argument(
        "--score-seeds", metavar="LIST", help="seeds on which the winner is scored (default: by budget)"
    )
    parser.add_argument("--sampler", choices=("tpe", "random"), default="tpe", help="who proposes")
    parser.add_argument("--pruner", choices=("median", "none"), default="median", help="who stops trials early")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="trials at once; the order is then not repeatable"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="scoring cells at once (default: one a core, one a GPU)")
    parser.add_argument("--study", metavar="NAME", help="name of the study (default DATASET-METHOD-BUDGET)")
    parser.add_argument(
        "--storage", metavar="URL", help="an Optuna database, for several machines (default: a journal below --runs)"
    )
    parser.add_argument("--take-over", action="store_true", help="give up trials that a machine left running for good")
    parser.add_argument("--report", action="store_true", help="render the pages of all studies, train nothing")
    parser.add_argument(
        "--data", type=Path, help=f"folder below which datasets are looked for (default ${command.DATA_VARIABLE})"
    )
    parser.add_argument("--root", action="append", default=[], metavar="NAME=DIR", help="where one dataset lies")
    parser.add_argument("--budget", choices=("quick", "full"), help="default: full with a CUDA GPU, else quick")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--pretrained", metavar="NAME[=FILE]", help=HELP)
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="studies, winners, records (default results/)"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="journals, cache, checkpoints (default runs/)")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
