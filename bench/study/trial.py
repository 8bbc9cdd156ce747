"""What is a trial worth?  Its validation score, mean over tuning seeds; the test split is not even there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from bench.atomic import write_text
from bench.cell import History, Start, train_cell
from bench.data.dataset import Dataset, Split
from bench.data.splits import partition
from bench.errors import UserError
from bench.key import inputs
from bench.metrics import confusion_matrix, tally
from bench.numeric import arithmetic, choose_device
from bench.record import Score
from bench.select import BEST_VAL
from bench.spec import Cell, slug
from bench.study.space import variant_for
from bench.study.text import Objective, objective_value, score_from
from bench.study.workers import Pruned, Tell
from bench.switches import Scalar

SCORES = "scores.json"


@dataclass(frozen=True)
class Training:
    """Trains proposals as the honest protocol does.  A call trains one; it can be sent to a worker process.

    `images` gives the dataset.  `cell` is the cell of the published method; a proposal changes its variant, a tuning
    seed its seed.  `folder` holds what an interrupted trial goes on from.
    """

    images: Callable[[], Dataset]
    cell: Cell
    tuning_seeds: tuple[int, ...]
    objective: Objective
    device: str
    folder: Path
    weights: Path | None = None
    weights_sha256: str | None = None

    def __call__(self, params: Mapping[str, Scalar], tell: Tell) -> tuple[Score, ...]:
        """The validation counts of each tuning seed at its best epoch (the honest protocol's own selection).

        After each epoch, counted on over the seeds, tells the mean objective of the seeds so far.
        """
        dataset = _validation_only(self.images)
        variant = variant_for(self.cell.method, params)
        folder = self.folder / hashlib.sha256(slug(variant).encode()).hexdigest()[:16]
        chosen: list[Score] = []
        try:
            for place, seed in enumerate(self.tuning_seeds):
                cell = replace(self.cell, variant=variant, seed=seed, protocol="honest")

                def seen(score: Score, place: int = place, epochs: int = cell.recipe.epochs) -> None:
                    values = [objective_value(one, self.objective) for one in (*chosen, score)]
                    tell(place * epochs + score.epoch, fmean(values))

                by_epoch = self._train(cell, dataset, folder / f"s{seed}", seen)
                best = BEST_VAL.epoch([score.correct for score in by_epoch])
                chosen.append(by_epoch[best - 1])
        except Pruned:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        return tuple(chosen)

    def _train(self, cell: Cell, dataset: Dataset, folder: Path, seen: Callable[[Score], None]) -> list[Score]:
        """Validation counts after each epoch.  What an earlier process did of it is told again, in the same order."""
        start = Start(inputs(cell, dataset.digest, self.weights_sha256).key, folder, self.weights, self.weights_sha256)
        finished = _finished(folder, start.key)
        for score in finished:
            seen(score)
        if finished:
            return finished
        labels = _validation_labels(cell, dataset)
        scores: list[Score] = []

        def watch(history: History) -> None:
            for epoch in range(len(scores) + 1, len(history.logs) + 1):
                predicted = history.logits["val"][epoch - 1].argmax(dim=1).numpy()  # (n,)
                scores.append(_counts(labels, predicted, len(dataset.classes), epoch))
                seen(scores[-1])

        with arithmetic(cell.recipe.numeric, choose_device(self.device)) as numbers:
            train_cell(cell, dataset, start, numbers, ("val",), watch=watch)
        content = {"key": start.key, "scores": [asdict(score) for score in scores]}
        write_text(folder / SCORES, json.dumps(content) + "\n")
        return scores


@lru_cache(maxsize=1)
def _validation_only(images: Callable[[], Dataset]) -> Dataset:
    return without_test(images())


def without_test(dataset: Dataset) -> Dataset:
    """The dataset with an empty test split: what is not there cannot be looked at.  `dataset.test` is not touched."""
    none = np.empty(0, dtype=np.int64)
    return replace(dataset, test=Split(dataset.train.images[:0], none, none, dataset.train.ids[:0]))


def _validation_labels(cell: Cell, dataset: Dataset) -> NDArray[np.int64]:
    recipe = cell.recipe
    limits = (recipe.train_limit, recipe.test_limit)
    try:
        val = partition(dataset.train, dataset.test, dataset.digest, cell.protocol, *limits).val
    except ValueError:  # scikit-learn's: no class has an image for each fold
        val = np.empty(0, dtype=np.int64)
    if not val.size:
        raise UserError(
            f"{dataset.name} has too few training images ({len(dataset.train)}) to hold out a validation split"
        )
    return dataset.train.labels[val]


def _counts(labels: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int, epoch: int) -> Score:
    found = tally(confusion_matrix(labels, predicted, num_classes))
    return Score(epoch, found.correct, found.n, found.class_correct, found.class_n)


def _finished(folder: Path, key: str) -> list[Score]:
    """What an earlier process left of a seed that it trained to the end; empty for none, or one of another key."""
    try:
        content = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        return [score_from(score) for score in content["scores"]] if content["key"] == key else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
