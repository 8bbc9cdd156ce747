"""Is a trial's value an honest cell's validation score, without a look at a test label, and does a kill change it?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch

from bench import score as score_module
from bench.cell import Start, run_cell
from bench.data.dataset import Dataset, Split
from bench.data.splits import partition
from bench.spec import Cell, recipe_of
from bench.study import text as study_text
from bench.study.owner import Task, run
from bench.study.space import published, space_of, variant_for
from bench.study.text import Identity
from bench.study.trial import Training, without_test

ROOT = Path(__file__).resolve().parents[1]


class Untouchable:
    """A test split of which nothing may be read."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the test split's {name} was read")


def images(test: object = None) -> Dataset:
    """54 training images of 16 pixels in 3 classes; the test split is given, or 12 images."""
    random = np.random.default_rng(3)

    def split(n: int) -> Split:
        labels = np.arange(n) % 3
        pixels = random.integers(0, 120, size=(n, 16, 16, 3)) + 60 * labels[:, None, None, None]
        return Split(pixels.astype(np.uint8), labels, np.full(n, -1), np.array([f"{i:016d}" for i in range(n)]))

    train, held = split(54), split(12)
    return Dataset("rafdb-twin", ("a", "b", "c"), train, held if test is None else test, "d" * 64)  # type: ignore[arg-type]


def sealed_images() -> Dataset:
    return images(Untouchable())


def training(folder: Path, objective: str = "accuracy") -> Training:
    recipe = replace(
        recipe_of("rafdb-twin", "center_loss", (), "quick", "faithful"),
        image_size=16, epochs=2, batch_size=18, train_limit=None, test_limit=None,
    )  # fmt: skip
    cell = Cell("rafdb-twin", "center_loss", (), "honest", "quick", 1000, "none", recipe)
    return Training(sealed_images, cell, (1000, 1001), objective, "cpu", folder)  # type: ignore[arg-type]


def test_a_trial_reads_no_test_label_and_scores_what_an_honest_cell_scores_on_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    monkeypatch.setattr(score_module.SealedLabels, "open", lambda self: reads.append(1))
    told: list[tuple[int, float]] = []
    trainer = training(tmp_path / "trial", objective="balanced-accuracy")
    params = {"loss.lambda1": 0.5}
    scores = trainer(params, lambda step, value: told.append((step, value)))
    assert not reads
    monkeypatch.undo()
    values = []
    for seed, found in zip(trainer.tuning_seeds, scores, strict=True):
        cell = replace(trainer.cell, seed=seed, variant=variant_for("center_loss", params))
        record, _ = run_cell(cell, images(), Start("k", tmp_path / "cell"), torch.device("cpu"), {})
        by_epoch = [log.val_correct for log in record.epochs]
        assert found.epoch == record.scores["best-val"].epoch and found.correct == by_epoch[found.epoch - 1]
        assert found.n == record.data.n_val == sum(found.class_n)
        values.append(np.mean([k / n for k, n in zip(found.class_correct, found.class_n, strict=True)]))
    assert [step for step, _ in told] == [1, 2, 3, 4]
    assert told[1 + scores[1].epoch][1] == pytest.approx(np.mean(values))  # after the second seed's best epoch
    assert not any((tmp_path / "trial").iterdir())


def test_a_dataset_without_its_test_split_keeps_the_same_validation_images() -> None:
    full = images()
    bare = without_test(sealed_images())
    assert len(bare.test) == 0
    a = partition(full.train, full.test, full.digest, "honest", 30, 6)
    b = partition(bare.train, bare.test, bare.digest, "honest", 30, 6)
    assert np.array_equal(a.train, b.train) and np.array_equal(a.val, b.val) and b.test.size == 0


SCRIPT = """
import functools, os, signal, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
import test_trial as own
from bench.study import trial
from bench.cell import Start
from bench.study.owner import run

trial.Start = functools.partial(Start, checkpoint_seconds=0.0)  # a checkpoint after every epoch
deadly, seen = {deadly}, 0

def mortal(params, tell, inner=own.training(Path({folder!r}) / "trials")):
    def watched(step, value):
        global seen
        tell(step, value)
        seen += 1
        if seen == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
    return inner(params, watched)

run(own.real_task(Path({folder!r})), mortal)
"""


def real_task(folder: Path) -> Task:
    space = space_of("center_loss")
    identity = Identity(
        dataset="rafdb-twin", method="center_loss", budget="quick", objective="accuracy", seed=0,
        tuning_seeds=(1000, 1001), space={each.name: each.domain for each in space}, published=published(space),
        sampler="tpe", pruner="median", recipe={"epochs": 2}, data="d" * 64, weights="none", weights_sha256=None,
        device="cpu",
        optuna=optuna.__version__,
    )  # fmt: skip
    return Task("toy", identity, space, 1, folder / "runs", folder / "results")


def test_real_training_killed_in_a_second_seed_and_resumed_equals_the_uninterrupted_study(tmp_path: Path) -> None:
    def piece(deadly: int) -> int:
        code = SCRIPT.format(root=str(ROOT), tests=str(ROOT / "tests"), folder=str(tmp_path / "cut"), deadly=deadly)
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode

    # Reports are 2 seeds x 2 epochs: the fourth is the last of the trial.  (test_study.py kills among many trials.)
    assert piece(4) == -signal.SIGKILL
    left = {path.name for path in (tmp_path / "cut" / "trials").rglob("*") if path.is_file()}
    assert {"scores.json", "checkpoint.pt"} <= left  # the first seed's outcome, and the second seed's first epoch
    assert piece(0) == 0
    cut = study_text.load(tmp_path / "cut" / "results", "toy")
    whole = run(real_task(tmp_path / "whole"), training(tmp_path / "whole" / "trials")).study
    assert cut is not None and cut.interrupted == 1
    assert cut.digest == whole.digest
    assert all(len(trial.steps) == 4 and len(trial.scores) == 2 for trial in whole.trials)
