"""Do the figures that need trained weights show what the networks do, and say what is missing where they cannot?"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import fake_results as fake
import numpy as np
import pytest
import torch

from baselines.dan import DanMethod
from bench.figures.embedding import affinity_kind, scatter_ratio
from bench.figures.faces import blocks, chosen, grad_cam
from bench.figures.networks import Networks
from bench.figures.rows import View, shown
from bench.method import Context
from bench.report.pages import gather
from bench.spec import settings_of
from bench.suite_file import load_suite
from bench.trained import WEIGHTS, save_trained


def network(heads: int) -> DanMethod:
    torch.manual_seed(1)
    cell = fake.cell("rafdb-twin", "dan", variant={"heads": heads})
    return DanMethod(settings_of("dan", cell.variant), Context("rafdb-twin", 7, 64, torch.arange(7), 1, 7)).eval()


def test_within_over_between_is_that_of_plain_loops() -> None:
    random = np.random.default_rng(0)
    points, labels = random.normal(size=(12, 5)), np.arange(12) % 3 + 1
    means = {kind: [sum(column) / 4 for column in zip(*points[labels == kind], strict=True)] for kind in (1, 2, 3)}
    inside = sum(math.dist(point, means[kind]) for point, kind in zip(points, labels.tolist(), strict=True)) / 12
    between = sum(math.dist(means[a], means[b]) for a, b in ((1, 2), (1, 3), (2, 3))) / 3
    assert scatter_ratio(points, labels) == pytest.approx(inside / between)


def test_classes_that_are_farther_apart_have_a_smaller_ratio() -> None:
    labels = np.arange(30) % 3
    noise = np.random.default_rng(1).normal(size=(30, 4))
    near, far = (noise + distance * np.eye(4)[labels] for distance in (1.0, 10.0))
    assert scatter_ratio(far, labels) < scatter_ratio(near, labels)


def test_grad_cam_plus_plus_at_a_head_is_that_of_its_formula() -> None:
    method, kinds, head = network(2), [3, 5], 1
    images = torch.from_numpy(np.random.default_rng(2).normal(size=(2, 3, 64, 64)).astype(np.float32))
    kept: list[torch.Tensor] = []
    hook = method.model.attention_heads[head].sa.register_forward_hook(lambda m, i, output: kept.append(output))
    logits = method.logits(images)
    hook.remove()
    (gradient,) = torch.autograd.grad(logits[[0, 1], kinds].sum(), kept)
    a, g = kept[0].detach().numpy().astype(np.float64), gradient.numpy().astype(np.float64)  # (2, 512, 2, 2)
    alpha = g**2 / (2 * g**2 + a.sum(axis=(2, 3), keepdims=True) * g**3 + 1e-6)  # Chattopadhay et al. 2018, Eq. 19
    weights = (np.where(g != 0, alpha, 0) * np.maximum(g, 0)).sum(axis=(2, 3), keepdims=True)
    expected = np.maximum((weights * a).sum(axis=1), 0)  # (2, 2, 2)
    found = grad_cam(method, images, kinds, head)
    assert found.shape == (2, 64, 64) and found.min() >= 0 and found.max() <= 1 + 1e-6
    for drawn, plain in zip(found, expected, strict=True):
        scaled = (plain - plain.min()) / (plain - plain.min()).max()
        large = cv2.resize(scaled.astype(np.float32), (64, 64))
        assert np.corrcoef(drawn.ravel(), large.ravel())[0, 1] > 0.999


def test_a_face_is_shown_for_each_class_and_it_is_the_first() -> None:
    assert chosen(np.array([2, 0, 2, 1, 0])).tolist() == [1, 3, 0]


def test_fine_maps_are_stored_as_means_over_blocks_and_coarse_ones_as_they_are() -> None:
    heat = np.arange(36.0).reshape(6, 6)
    assert blocks(heat, 6) is heat
    assert blocks(heat, 4).tolist() == [
        [heat[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].mean() for c in range(3)] for r in range(3)
    ]


@pytest.fixture
def view(tmp_path: Path) -> View:
    """The ablation of RAF-DB's twin, with records of two of its losses."""
    for variant in ({}, {"affinity": "center"}):
        fake.finish(tmp_path, fake.cell("rafdb-twin", "dan", variant=variant), (10, 20, 40))
    material = gather(tmp_path)
    return View(load_suite("paper"), material.finished, tmp_path, material.costs)


def test_only_rows_that_change_nothing_but_the_loss_on_the_features_are_compared(view: View) -> None:
    (ablation,) = shown(view, "ablation")
    assert {affinity_kind(row) for row in ablation.rows} == {"affinity", "center"}


def test_missing_weights_and_weights_of_another_result_are_a_line_each(view: View, tmp_path: Path) -> None:
    (ablation,) = shown(view, "ablation")
    by_loss = {affinity_kind(row): row for row in ablation.rows}
    networks = Networks(tmp_path / "runs", None, {})
    assert list(networks.of(by_loss["center"], "paper")) == []
    assert "no weights of rafdb-twin/dan/affinity=center/" in networks.notes[0]
    assert "python -m bench.run --suite paper --only" in networks.notes[0]
    cell = fake.cell("rafdb-twin", "dan")
    folder = tmp_path / "runs" / "cells" / cell.name
    save_trained(folder, cell, network(4), tuple("abcdefg"), 7, "another key")
    assert (folder / WEIGHTS).is_file() and list(networks.of(by_loss["affinity"], "paper")) == []
    assert any("of another result than the record of its cell" in note for note in networks.notes)
