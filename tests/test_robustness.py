"""Are corruptions what ImageNet-C says, and are kept weights measured once, resumably, and never on wrong weights?"""

from __future__ import annotations

import colorsys
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from bench.cell import Start, run_cell
from bench.data.dataset import Dataset, Split
from bench.errors import UserError
from bench.key import inputs
from bench.robustness import text
from bench.robustness.corruptions import corrupt
from bench.robustness.measure import measure
from bench.robustness.text import CORRUPTIONS, SEVERITIES
from bench.spec import Cell
from bench.store import save
from bench.trained import WEIGHTS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    """Smooth colourful images (4, 3, 64, 64)."""
    random = np.random.default_rng(0)
    noise = gaussian_filter(random.normal(0, 1, (4, 3, 64, 64)), (0, 0, 4, 4))
    return torch.from_numpy((127 + 900 * noise).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_severity_takes_an_image_further_away_and_repeats(faces: torch.Tensor, kind: str) -> None:
    away = [float((corrupt(faces, kind, level).float() - faces).abs().mean()) for level in SEVERITIES]
    assert 0 <= away[0] < away[-1]  # the mildest blur of smooth images rounds to nothing
    assert away == sorted(away) or kind == "pixelate"  # whose grid happens to fit the image at some severities
    assert all(torch.equal(corrupt(faces, kind, level), corrupt(faces, kind, level)) for level in (1, 5))
    assert corrupt(faces, kind, 3).dtype == torch.uint8 and corrupt(faces, kind, 3).shape == faces.shape


def test_noise_has_the_stated_standard_deviation() -> None:
    grey = torch.full((8, 3, 64, 64), 128, dtype=torch.uint8)
    assert float((corrupt(grey, "gaussian_noise", 1).float() / 255).std()) == pytest.approx(0.08, rel=0.02)


def test_blur_is_a_gaussian_scaled_to_the_image(faces: torch.Tensor) -> None:
    expected = gaussian_filter(
        faces.numpy().astype(float), (0, 0, 6 * 64 / 224, 6 * 64 / 224), mode="mirror", truncate=3
    )
    assert np.abs(corrupt(faces, "gaussian_blur", 5).numpy() - expected).mean() < 1


def test_brightness_raises_the_value_of_hsv(faces: torch.Tensor) -> None:
    brighter = corrupt(faces, "brightness", 2)
    for row, column in ((0, 0), (10, 20), (63, 5)):
        hue, saturation, value = colorsys.rgb_to_hsv(*(faces[0, :, row, column] / 255).tolist())
        expected = colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.2))
        assert (brighter[0, :, row, column] / 255).tolist() == pytest.approx(expected, abs=1 / 255)


def test_contrast_shrinks_towards_the_mean_of_each_channel(faces: torch.Tensor) -> None:
    image = faces[0].numpy().astype(float)
    mean = image.mean(axis=(1, 2), keepdims=True)
    expected = (image - mean) * 0.2 + mean
    assert np.abs(corrupt(faces, "contrast", 3)[0].numpy() - expected).max() <= 0.51


def test_jpeg_is_that_of_pillow(faces: torch.Tensor) -> None:
    buffer = io.BytesIO()
    Image.fromarray(faces[1].permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=10)
    expected = np.asarray(Image.open(buffer)).astype(int)
    given = corrupt(faces, "jpeg", 4)[1].permute(1, 2, 0).numpy().astype(int)
    assert np.abs(given - expected).mean() < 1


def test_pixelation_leaves_so_many_pixels(faces: torch.Tensor) -> None:
    row = corrupt(faces, "pixelate", 5)[0, 0, 0]
    assert len(torch.unique_consecutive(row)) <= 16


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("robust")


def data(name: str, classes: tuple[str, ...], seed: int) -> Dataset:
    """Images whose brightness tells the class by its name."""
    order = ("anger", "fear", "neutral", "surprise")
    random = np.random.default_rng(seed)

    def split(count: int, shift: int) -> Split:
        labels = np.arange(count) % len(classes)
        level = np.array([50 + 50 * order.index(classes[label]) for label in labels])
        images = np.clip(level[:, None, None, None] + random.normal(0, 10, (count, 32, 32, 3)), 0, 255).astype(np.uint8)
        ids = np.array([f"{seed}{shift}{i:014d}" for i in range(count)])
        return Split(images, labels.astype(np.int64), np.full(count, -1), ids)

    return Dataset(name, classes, split(36, 0), split(12, 1), f"digest-{name}")


HOME = data("rafdb", ("anger", "fear", "neutral"), 1)
OTHER = data("sfew", ("surprise", "neutral", "anger"), 2)


def opened(name: str, size: int) -> Dataset:
    assert size == 32
    return {"rafdb": HOME, "sfew": OTHER}[name]


@pytest.fixture(scope="module")
def trained(place: Path) -> tuple[Cell, str, Path]:
    """A small cell with its kept weights and its record."""
    from bench.recipe import Recipe

    recipe = Recipe(image_size=32, epochs=5, batch_size=12, optimizer="adamw", lr=1e-3, augment="none", train_limit=60)
    cell = Cell("rafdb", "resnet18", (), "paper", "quick", 0, "none", recipe)
    key = inputs(cell, HOME.digest, None).key
    record, predictions = run_cell(cell, HOME, Start(key, place / "runs", keep_weights=True), CPU, {})
    save(place / "results", cell.name, record, predictions)
    return cell, key, place / "runs" / WEIGHTS


def test_weights_are_measured_once_and_new_datasets_are_added(place: Path, trained: tuple[Cell, str, Path]) -> None:
    cell, key, weights = trained
    results = place / "results"
    found, new = measure(cell, key, weights, opened, ["rafdb"], results, CPU)
    assert new and found.transfer == {}
    assert found.clean.n == 12 and found.clean.correct > 6, "more than chance, or the rest proves nothing"
    assert set(found.corrupted) == {f"{kind}/{level}" for kind in CORRUPTIONS for level in SEVERITIES}
    assert len(set(found.corrupted.values())) > 3
    again, new = measure(cell, key, weights, opened, ["rafdb", "sfew"], results, CPU)
    assert new and again.corrupted == found.corrupted
    # Two classes are shared; "surprise" images do not count, and its label numbers are another dataset's.
    assert again.transfer["sfew"].classes == ("anger", "neutral")
    assert again.transfer["sfew"].n == 8 and set(again.transfer["sfew"].answers) <= {"0", "1"}
    assert again.transfer["sfew"].correct > 4
    assert measure(cell, key, weights, opened, ["rafdb", "sfew"], results, CPU) == (again, False)
    assert text.load(results, cell.name) == again


def test_a_measurement_is_checked_against_the_stored_predictions(place: Path, trained: tuple[Cell, str, Path]) -> None:
    from bench.store import scan

    cell, key, weights = trained
    results = place / "results"
    found, _ = measure(cell, key, weights, opened, ["sfew"], results, CPU)
    records = dict(scan(results))
    assert text.problems(results, records) == []
    turned = "".join(str((int(digit) + 1) % 3) for digit in found.clean.answers[:4]) + found.clean.answers[4:]
    text.save(results, replace(found, clean=replace(found.clean, answers=turned)))
    assert ["4 of 12 clean answers differ from the stored predictions" in said for said in _said(results, records)] == [
        True
    ]
    text.save(results, replace(found, key="0" * 64))
    assert ["stale: the cell was trained again since" in said for said in _said(results, records)] == [True]
    assert ["stale: the cell has no record" in said for said in _said(results, {})] == [True]
    path = text.save(results, found)
    path.write_text(path.read_text().replace('"image_size": 32', '"image_size": 33'))
    assert ["does not fit the digest" in said for said in _said(results, records)] == [True]
    text.save(results, found)


def _said(results: Path, records: dict) -> list[str]:
    return text.problems(results, records)


def test_missing_weights_and_weights_of_another_key_are_one_clear_line(
    place: Path, trained: tuple[Cell, str, Path]
) -> None:
    cell, key, weights = trained
    with pytest.raises(UserError, match="no kept weights of rafdb/resnet18"):
        measure(cell, key, place / "nowhere" / WEIGHTS, opened, [], place / "other", CPU)
    with pytest.raises(UserError, match="not those of the record"):
        measure(cell, "0" * 64, weights, opened, [], place / "other", CPU)
