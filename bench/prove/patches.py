"""What does a proof train on where no dataset is named?  Patches of noise: nothing must be learnt, only kept."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from bench.data.catalog import info
from bench.data.readers.facial_expressions import split_of

DATASET = "facial_expressions"  # whose layout is free to be imitated; the records are thrown away
PEOPLE, EACH, SIDE = 56, 2, 20  # images of SIDE x SIDE pixels


def write_patches(folder: Path) -> Path:
    """Fill `folder` with a data folder that holds noise in the layout of `facial_expressions`; returns it."""
    images, legend = (folder / DATASET / name for name in ("images", "data"))
    images.mkdir(parents=True)
    legend.mkdir()
    random, classes = np.random.default_rng(0), info(DATASET).classes
    with (legend / "legend.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("user.id", "image", "emotion"))
        for number, person in enumerate(_people()):
            for shot in range(EACH):
                name, label = f"{person}_{shot}.png", (number + shot) % len(classes)
                Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(images / name)
                table.writerow(("1", name, classes[label]))
    return folder


def _people() -> list[str]:
    """Names of nobody, so that one in four is in the test split (chance alone could leave it without a class)."""
    names: dict[str, list[str]] = {"train": [], "test": []}
    number = 0
    while len(names["test"]) < PEOPLE // 4 or len(names["train"]) < PEOPLE - PEOPLE // 4:
        name = f"patch-{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}"
        names[split_of(name)].append(name)
        number += 1
    return names["train"][: PEOPLE - PEOPLE // 4] + names["test"][: PEOPLE // 4]
