"""How good is this checkpoint on this dataset?  Official DAN files and our own, with n and interval, class order said
aloud."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench import command, metrics
from bench.data.catalog import DATASETS, TWINS, info, title
from bench.errors import UserError, unknown
from bench.markdown import Column, percent, table

if TYPE_CHECKING:
    from bench.method import Method

EXAMPLE = """example:
  python -m bench.evaluate --checkpoint rafdb_epoch21_acc0.897_bacc0.8275.pth --dataset rafdb --root ~/faces/raf-basic
"""
PAPER_SIZE = 224  # pixels; official checkpoints say nothing of their input size


@dataclass(frozen=True)
class Evaluation:
    """A checkpoint's answers on the official test split, as integers."""

    dataset: str
    data_digest: str
    checkpoint: str
    sha256: str
    classes: tuple[str, ...]
    image_size: int
    confusion: NDArray[np.int64]
    n_expected: int
    notes: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    return command.finish(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    where = (options.data, options.root, options.runs)
    found = evaluate(options.checkpoint, options.dataset, *where, options.device, options.class_order)
    print(json.dumps(as_json(found), indent=1) if options.json else as_text(found))
    return 0 if found.confusion.sum() == found.n_expected else 1


def evaluate(
    checkpoint: Path,
    name: str,
    data: Path | None,
    root: Path | None,
    runs: Path,
    device: str,
    class_order: str | None = None,
) -> Evaluation:
    """Score a checkpoint on the test split of a dataset.  Raises UserError for a file or a folder that will not do."""
    if name not in (*DATASETS, *TWINS):
        raise unknown("dataset", name, (*DATASETS, *TWINS))
    if not checkpoint.is_file():
        raise UserError(f"--checkpoint {checkpoint} is not a file")
    from bench.data.source import at_hand, open_source
    from bench.feed import feed
    from bench.numeric import arithmetic, choose_device
    from bench.predict import predict

    licensed = TWINS.get(name, name)
    roots = {} if root is None else {licensed: root}
    sources = at_hand([licensed], "quick", command.data_folder(data), roots, [name])
    source = next((source for source in sources if source.name == name), None)
    if source is None:
        from bench.data.find import looked_for

        raise UserError(f"{name} is not found: {looked_for(name)}; give --root DIR or --data DIR")
    chosen = choose_device(device)
    method, size, sha256, notes = load(checkpoint, name)
    dataset = open_source(replace(source, class_order=class_order), size, command.writable(runs) / "cache")
    with arithmetic("faithful", chosen) as numbers:
        images = feed(dataset, "test", np.arange(len(dataset.test)), numbers)
        predicted = predict(method.to(chosen), images).argmax(dim=1).numpy()
    confusion = metrics.confusion_matrix(dataset.test.labels, predicted, len(dataset.classes))
    expected = _expected(name, len(dataset.test))
    return Evaluation(name, dataset.digest, checkpoint.name, sha256, dataset.classes, size, confusion, expected, notes)


def load(path: Path, dataset: str) -> tuple[Method, int, str, tuple[str, ...]]:
    """The method of a checkpoint, its input size, the file's digest, and what a reader should know."""
    from baselines.dan import TrainedDan
    from bench.trained import is_trained, load_trained
    from dan.tensorfile import read_tensor_file
    from dan.weights import WeightsError, describe_checkpoint, load_dan_checkpoint

    classes = info(dataset).classes
    try:
        file = read_tensor_file(path)
        if is_trained(file.content):
            method, trained = load_trained(file.content, path)
            if trained.classes != classes:
                raise UserError(f"{path}: answers {', '.join(trained.classes)}; {dataset} has {', '.join(classes)}")
            return (
                method,
                trained.image_size,
                file.sha256,
                (f"trained here: {trained.method} on {title(trained.dataset)}",),
            )
        model = load_dan_checkpoint(path, len(classes))
        said = describe_checkpoint(path)
    except WeightsError as error:
        raise UserError(str(error)) from None
    centres = "not told" if said.num_centers is None else str(said.num_centers)
    note = f"official layout: epoch {said.epoch}, {said.num_heads} heads, affinity centres in its optimiser: {centres}"
    order = f"class order assumed: {', '.join(classes)} (the file does not say)"
    return TrainedDan(model), PAPER_SIZE, file.sha256, (note, order)


def _expected(name: str, found: int) -> int:
    """The official size of the test split that is nearest to what was found; what was found where none is known."""
    totals = info(name).test_totals if name not in TWINS else ()
    return min(totals, key=lambda total: abs(total - found), default=found)


def as_json(found: Evaluation) -> dict[str, Any]:
    """The evaluation as plain data; fractions in [0, 1]."""
    scores = metrics.tally(found.confusion)
    interval = metrics.wilson_interval(scores.correct, scores.n)
    return {
        "dataset": found.dataset,
        "data_digest": found.data_digest,
        "checkpoint": found.checkpoint,
        "sha256": found.sha256,
        "image_size": found.image_size,
        "classes": list(found.classes),
        "correct": scores.correct,
        "n_scored": scores.n,
        "n_expected": found.n_expected,
        "accuracy": metrics.accuracy(found.confusion),
        "wilson_95": [interval.low, interval.high],
        "balanced_accuracy": metrics.balanced_accuracy(found.confusion),
        "confusion": found.confusion.tolist(),
        "notes": list(found.notes),
    }


def as_text(found: Evaluation) -> str:
    """The evaluation for people."""
    scores = metrics.tally(found.confusion)
    interval = metrics.wilson_interval(scores.correct, scores.n)
    rows = [
        [name, *map(str, row), str(sum(row))] for name, row in zip(found.classes, found.confusion.tolist(), strict=True)
    ]
    missing = (
        ""
        if scores.n == found.n_expected
        else f"  ({found.n_expected} expected: the split on disk is not the official one)"
    )
    return "\n".join(
        (
            f"{found.checkpoint} on {title(found.dataset)}, perceived expression labels, {found.image_size} px",
            f"correct             {scores.correct} / {scores.n}{missing}",
            f"accuracy            {percent(metrics.accuracy(found.confusion))} %"
            f"  (95 % Wilson interval {percent(interval.low)} to {percent(interval.high)})",
            f"balanced accuracy   {percent(metrics.balanced_accuracy(found.confusion))} %",
            *(f"note                {note}" for note in found.notes),
            "",
            "Confusion matrix: rows are the labels, columns the answers.",
            "",
            table([Column("label", "left"), *map(Column, (*found.classes, "n"))], rows),
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.evaluate",
        description="Score a checkpoint on a dataset's test split.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="an official DAN file, or weights.pt of a cell")
    parser.add_argument(
        "--dataset", required=True, help="rafdb, affectnet7, affectnet8, sfew, facial_expressions, or a twin"
    )
    parser.add_argument(
        "--data", type=Path, help=f"folder below which it is looked for (default ${command.DATA_VARIABLE})"
    )
    parser.add_argument("--root", type=Path, help="where it lies")
    parser.add_argument("--class-order", help="what bare folder numbers mean: raf, affectnet, alphabetical or names")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="where the decoded cache is kept (default runs/)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--json", action="store_true", help="plain data instead of text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
