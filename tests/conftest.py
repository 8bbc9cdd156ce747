"""Data that the tests make for themselves: nothing licensed, nothing downloaded."""

from __future__ import annotations

import csv
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.catalog import AFFECTNET_ORDER
from bench.data.dataset import Dataset, Split
from bench.data.source import Source
from bench.launch import job as one_job
from bench.launch.job import Job
from bench.recipe import Recipe
from bench.spec import Cell

# A shell that starts the tests in the background has Ctrl-C ignored, and what they start would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def noise_split(count: int, size: int, classes: int, seed: int) -> Split:
    """Images whose brightness tells the class, under noise: learnable in a few steps."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    level = 40 + labels * (170 // classes)
    images = np.clip(level[:, None, None, None] + random.normal(0, 20, (count, size, size, 3)), 0, 255).astype(np.uint8)
    return Split(
        images, labels.astype(np.int64), np.arange(count) // 3, np.array([f"{seed:02d}{i:014d}" for i in range(count)])
    )


@pytest.fixture
def tiny() -> Dataset:
    """Three classes, 36 training and 18 test images of 32 pixels."""
    return Dataset("rafdb", ("a", "b", "c"), noise_split(36, 32, 3, 1), noise_split(18, 32, 3, 2), "tiny-digest")


@pytest.fixture
def tiny_cell() -> Cell:
    """A cell of resnet18 that trains for seconds: 32 pixels, 3 epochs of 3 batches."""
    recipe = Recipe(
        image_size=32, epochs=3, batch_size=12, optimizer="adamw", lr=1e-3, scheduler="cosine", augment="rafdb"
    )
    return Cell("rafdb", "resnet18", (), "paper", "quick", 0, "none", recipe)


@pytest.fixture
def tiny_dan(tiny_cell: Cell) -> Cell:
    """The same with DAN."""
    return replace(tiny_cell, method="dan")


@pytest.fixture
def jobs(tiny: Dataset, tiny_cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Three seeds of the tiny cell, to be trained below a folder that tells who owns it."""
    monkeypatch.setattr(one_job, "_dataset", lambda source, size, folder: tiny)
    source = Source("rafdb", "quick", tmp_path / "Ann Smith" / "raf")
    return [
        Job(
            cell=replace(tiny_cell, seed=seed),
            key=f"key{seed}",
            source=source,
            results=tmp_path / "results",
            runs=tmp_path / "runs",
            device="cpu",
            weights=None,
            weights_sha256=None,
            keep_weights=False,
        )
        for seed in range(3)
    ]


def quiet(*told: object) -> None:
    """A progress that nobody watches."""


def write_photos(root: Path, people: int = 24, size: int = 20) -> Path:
    """A tree in the layout of facial_expressions: every person with an image of two of the seven classes."""
    images = root / "facial_expressions" / "images"
    images.mkdir(parents=True)
    (root / "facial_expressions" / "data").mkdir()
    random = np.random.default_rng(5)
    with (root / "facial_expressions" / "data" / "legend.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("user.id", "image", "emotion"))
        for person in range(people):
            for number in range(2):
                label = (person + number) % 7
                name = f"Person_{chr(65 + person % 26)}{chr(65 + person // 26)}_{number + 1:04d}.jpg"
                pixels = np.clip(30 + 30 * label + random.normal(0, 15, (size, size, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(images / name, quality=95)
                table.writerow(("1", name, AFFECTNET_ORDER[label]))
    return root
