"""How does one cell become a record?  Data, seeds, train, predict, select, score: resumable after every epoch.

A run is a function of its cell and the data; a kill at any moment and a second run give the same record digest.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.registry import entry
from bench import checkpoint, memory, seeds, store
from bench.data.catalog import TWINS, info
from bench.data.dataset import Dataset
from bench.data.splits import Partition, partition
from bench.errors import CellError
from bench.feed import Feed, feed
from bench.method import Context, Method
from bench.numeric import Arithmetic, arithmetic
from bench.optim import build_optimizer
from bench.predict import EvaluationBatch, predict
from bench.record import DataFacts, EpochLog, Record, Score
from bench.score import SealedLabels, correct_by_epoch, score
from bench.select import selections
from bench.spec import Cell, settings_of
from bench.switches import flatten
from bench.train import first_step, stepper, train_epoch
from bench.trained import save_trained

CHECKPOINT_SECONDS = 30.0  # a kill costs at most this much work, and short epochs are not slowed by writing

Report = Callable[[int, int, EpochLog | None], None]  # (epoch, epochs, its log)
Watch = Callable[["History"], None]  # sees all that training has left so far; stops it by raising


@dataclass(frozen=True)
class Start:
    """What a cell starts from besides its data: its key, the folder of its checkpoints, the trunk's weights; whether
    its trained weights are kept in that folder; and how many threads read ahead (None: what the device calls for)."""

    key: str
    folder: Path
    weights: Path | None = None
    weights_sha256: str | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    keep_weights: bool = False
    loader_workers: int | None = None


@dataclass
class History:
    """What training has left so far: the log, and the logits (epochs, n, C) of each split that is looked at."""

    logs: list[EpochLog] = field(default_factory=list)
    logits: dict[str, list[Tensor]] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """A cell after its last epoch: the method as trained, what it was trained on, and its history, of which the first
    `restored` epochs came from a checkpoint; `evaluation_batch` images were answered at once."""

    method: Method
    rows: Partition
    history: History
    restored: int
    evaluation_batch: int


def run_cell(
    cell: Cell,
    dataset: Dataset,
    start: Start,
    device: torch.device,
    provenance: Mapping[str, Any],
    report: Report | None = None,
) -> tuple[Record, bytes]:
    """Train, predict and score a cell.  Returns its record and the bytes of its predictions file.

    Raises CellError with the reason when the cell cannot end in a record.
    """
    began = time.monotonic()
    memory.forget_peak(device)
    with arithmetic(cell.recipe.numeric, device) as numbers:
        trained = train_cell(
            cell, dataset, start, numbers, ("val", "test") if cell.protocol == "honest" else ("test",), report
        )
    if start.keep_weights:
        save_trained(start.folder, cell, trained.method, dataset.classes, len(trained.rows.train), start.key)
    seconds = time.monotonic() - began
    images = sum(log.train_n for log in trained.history.logs[trained.restored :])  # `seconds` are this session's
    facts = {
        "seconds": round(seconds, 2),
        "images_per_second": round(images / seconds, 1),
        "peak_memory_bytes": memory.peak_bytes(device),
        "evaluation_batch": trained.evaluation_batch,
        "resumed_after_epoch": trained.restored,
    }
    return finish(cell, dataset, start, trained, {**provenance, **facts})


def train_cell(
    cell: Cell,
    dataset: Dataset,
    start: Start,
    numbers: Arithmetic,
    watched: tuple[str, ...],
    report: Report | None = None,
    watch: Watch | None = None,
) -> Trained:
    """Train to the last epoch, or go on from the newest checkpoint; after each epoch predict the `watched` splits.

    `watch` is called after each epoch, and first with what a checkpoint brought back.
    """
    recipe = cell.recipe
    rows = partition(dataset.train, dataset.test, dataset.digest, cell.protocol, recipe.train_limit, recipe.test_limit)
    labels = dataset.train.labels[rows.train]
    method = build(cell, len(dataset.classes), labels, start.weights, numbers)
    optimizer = build_optimizer(method, recipe)
    history = _restore(start, method, optimizer, numbers.device, watched)
    steps = stepper(method, optimizer, recipe, numbers, recipe.epochs * len(labels))
    restored = len(history.logs)
    if watch is not None and history.logs:
        watch(history)
    parts = {"train": ("train", rows.train), "val": ("train", rows.val), "test": ("test", rows.test)}
    feeds = {name: feed(dataset, *parts[name], numbers, start.loader_workers) for name in ("train", *watched)}
    at_once = EvaluationBatch.on(numbers.device)
    full = ""
    try:
        with checkpoint.Writer(start.folder, start.key) as writer:
            saved = time.monotonic()
            for epoch in range(restored + 1, recipe.epochs + 1):
                if report is not None:
                    report(epoch - 1, recipe.epochs, history.logs[-1] if history.logs else None)
                log = train_epoch(steps, feeds["train"], labels, cell.seed, epoch)
                for split in watched:
                    history.logits[split].append(predict(method, feeds[split], at_once))
                if "val" in watched:
                    right = (history.logits["val"][-1].argmax(dim=1).numpy() == dataset.train.labels[rows.val]).sum()
                    log = replace(log, val_correct=int(right), val_n=len(rows.val))
                history.logs.append(log)
                if watch is not None:
                    watch(history)
                if epoch < recipe.epochs and time.monotonic() - saved >= start.checkpoint_seconds:
                    writer.save(_state(method, optimizer, history))
                    saved = time.monotonic()
    except torch.OutOfMemoryError as error:
        full = str(error).splitlines()[0]  # told below: until the error is gone, its traceback holds the memory
    del steps  # with the memory of its captured graph
    if full:
        raise CellError(_too_large(cell, method, feeds["train"], labels, full))
    return Trained(method, rows, history, restored, at_once.size)


def build(cell: Cell, num_classes: int, labels: NDArray[np.int64], weights: Path | None, numbers: Arithmetic) -> Method:
    """The cell's method, initialised from its own stream (the only stream that knows the method's name)."""
    recipe = cell.recipe
    context = Context(
        dataset=cell.dataset,
        num_classes=num_classes,
        image_size=recipe.image_size,
        train_labels=torch.from_numpy(labels),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        weights=weights,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.init_seed(cell.seed, cell.method))
        method: Method = import_module(entry(cell.method).module).build(settings_of(cell.method, cell.variant), context)
    return method.to(numbers.device).to(memory_format=numbers.memory_format)


def finish(
    cell: Cell, dataset: Dataset, start: Start, trained: Trained, provenance: Mapping[str, Any]
) -> tuple[Record, bytes]:
    """Select epochs, score them, and make the record.  Test labels are read here and nowhere before."""
    rows, history, classes = trained.rows, trained.history, len(dataset.classes)
    sealed = SealedLabels(dataset.test.labels[rows.test], classes)
    logits = torch.stack(history.logits["test"]).numpy()  # (epochs, n, C)
    by_epoch = logits.argmax(axis=2)
    correct = {"test": correct_by_epoch(by_epoch, sealed)}
    if rows.val.size:
        correct["val"] = tuple(log.val_correct or 0 for log in history.logs)
    scores: dict[str, Score] = {}
    arrays: dict[str, NDArray[Any]] = {
        "ids": dataset.test.ids[rows.test],
        "labels": dataset.test.labels[rows.test].astype(np.uint8),
        "by_epoch": by_epoch.astype(np.uint8),
    }
    for selection in selections(cell.protocol):
        epoch = selection.epoch(correct[selection.sees or "test"])
        scores[selection.name] = score(by_epoch[epoch - 1], sealed, epoch)
        arrays[f"logits_{selection.name.replace('-', '_')}"] = logits[epoch - 1]
    if "best-val" in scores:
        arrays["val_ids"] = dataset.train.ids[rows.val]
        arrays["val_labels"] = dataset.train.labels[rows.val].astype(np.uint8)
        arrays["val_logits"] = history.logits["val"][scores["best-val"].epoch - 1].numpy()
    predictions = store.pack(arrays)
    record = Record(
        key=start.key,
        cell=_axes(cell),
        settings=flatten(settings_of(cell.method, cell.variant)),
        recipe=asdict(cell.recipe),
        data=_facts(cell, dataset, rows),
        weights_sha256=start.weights_sha256,
        parameters=sum(parameter.numel() for parameter in trained.method.parameters()),
        epochs=tuple(history.logs),
        scores=scores,
        test_correct_by_epoch=correct["test"],
        predictions_sha256=hashlib.sha256(predictions).hexdigest(),
        provenance=dict(provenance),
    )
    return record, predictions


def _restore(
    start: Start, method: Method, optimizer: torch.optim.Optimizer, device: torch.device, watched: tuple[str, ...]
) -> History:
    """The history of the newest checkpoint, with its state in the method and the optimiser; an empty one where none
    is."""
    state = checkpoint.load(start.folder, start.key, device)
    if state is None:
        return History(logits={split: [] for split in watched})
    method.load_state_dict(state["method"])
    optimizer.load_state_dict(state["optimizer"])
    logs = [EpochLog(**log) for log in json.loads(state["logs"])]
    return History(logs, {split: list(state["logits"][split].cpu().unbind()) for split in watched})


def _state(method: Method, optimizer: torch.optim.Optimizer, history: History) -> dict[str, Any]:
    return {
        "method": method.state_dict(),
        "optimizer": optimizer.state_dict(),
        "logs": json.dumps([asdict(log) for log in history.logs]),
        "logits": {split: torch.stack(found) for split, found in history.logits.items()},
    }


def _too_large(cell: Cell, method: Method, images: Feed, labels: NDArray[np.int64], said: str) -> str:
    """What to tell of a GPU whose memory was full, with the batch that would have fitted."""
    recipe, device = cell.recipe, images.arithmetic.device
    peaks = memory.probed(lambda size: first_step(method, images, labels[:size], recipe, cell.seed), device)
    fits = memory.largest_batch(peaks, memory.within_reach(device)) if peaks else None
    few = " and ".join(map(str, memory.PROBES))
    about = f"about {fits} images would fit, by the peak memory of steps on {few}" if fits else f"not even {few} fit"
    return (
        f"out of GPU memory at batch size {recipe.batch_size} and {recipe.image_size} px: {about}; a recipe's batch is "
        f"never changed silently: free the GPU or use a larger one ({said})"
    )


def _axes(cell: Cell) -> dict[str, Any]:
    return {
        "dataset": cell.dataset,
        "method": cell.method,
        "variant": dict(cell.variant),
        "protocol": cell.protocol,
        "budget": cell.budget,
        "seed": cell.seed,
        "weights": cell.weights,
        "numeric": cell.recipe.numeric,
    }


def _facts(cell: Cell, dataset: Dataset, rows: Partition) -> DataFacts:
    classes = len(dataset.classes)
    official = sum(info(cell.dataset).test) if cell.dataset not in TWINS and cell.recipe.test_limit is None else 0
    return DataFacts(
        digest=dataset.digest,
        classes=dataset.classes,
        n_train=len(rows.train),
        n_val=len(rows.val),
        n_test=len(rows.test),
        n_test_expected=official or len(rows.test),
        train_per_class=tuple(np.bincount(dataset.train.labels[rows.train], minlength=classes).tolist()),
        test_per_class=tuple(np.bincount(dataset.test.labels[rows.test], minlength=classes).tolist()),
    )
