"""Does DACL weigh the centre loss, and move its centres, as its formulas say?"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines.dacl import Dacl, DaclNetwork
from baselines.settings import CenterWeight
from baselines.settings import Dacl as Settings
from bench.method import Batch, Context

CLASSES = 4


def method(weight: float = 0.01, alpha: float = 0.5) -> Dacl:
    torch.manual_seed(0)
    context = Context("rafdb", CLASSES, 64, torch.arange(8) % CLASSES, epochs=1, batch_size=6)
    built = Dacl(Settings(loss=CenterWeight(weight), alpha=alpha), context)
    built.network.trunk = nn.Sequential(nn.Conv2d(3, 512, 32, stride=32))  # of the real trunk's stride
    return built


def batch() -> Batch:
    images = torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    return Batch(images, torch.tensor([0, 1, 1, 3, 1, 0]), torch.arange(6), epoch=1)


def test_the_loss_is_cross_entropy_plus_the_attended_distance_to_the_centre() -> None:
    dacl = method(weight=0.3).eval()
    given = batch()
    step = dacl.step(given)
    x, logits, attention = dacl.network(given.images)
    sparse = 0.0
    for i, label in enumerate(given.labels.tolist()):
        for d in range(512):
            sparse += attention[i, d].item() * (x[i, d] - dacl.centers[label, d]).item() ** 2
    sparse /= 2 * 6
    cross_entropy = -sum(F.log_softmax(logits, 1)[i, label] for i, label in enumerate(given.labels.tolist())) / 6
    assert step.parts["center"].item() == pytest.approx(sparse, rel=1e-4)
    assert step.loss.item() == pytest.approx(cross_entropy.item() + 0.3 * sparse, rel=1e-4)


def test_attention_is_the_second_of_a_pair_for_each_feature() -> None:
    network = method().network.eval()
    given = batch().images
    attention = network(given).attention
    scores = network.attention(network.trunk(given).flatten(1))
    for d in (0, 1, 511):
        first, second = scores[2, 2 * d].item(), scores[2, 2 * d + 1].item()
        expected = math.exp(second) / (math.exp(first) + math.exp(second))
        assert attention[2, d].item() == pytest.approx(expected, rel=1e-4)


def test_centres_step_towards_the_attended_images_of_their_class() -> None:
    dacl = method(alpha=0.5)
    given = batch()
    before = dacl.centers.clone()
    step = dacl.step(given)
    with torch.no_grad():
        dacl.after_step(given, step)
    x, attention = step.kept["features"], step.kept["attention"]
    labels = given.labels.tolist()
    for j in range(CLASSES):
        own = [i for i, label in enumerate(labels) if label == j]
        delta = sum((attention[i] * (before[j] - x[i]) for i in own), torch.zeros(512)) / (1 + len(own))
        torch.testing.assert_close(dacl.centers[j], before[j] - 0.5 * delta, rtol=1e-5, atol=1e-6)
    assert torch.equal(dacl.centers[2], before[2])


def test_lambda_scales_the_gradients_of_features_and_attention_but_not_the_centres_step() -> None:
    moved, gradients = [], []
    for weight in (0.01, 1.0):
        dacl = method(weight=weight)
        given = batch()
        step = dacl.step(given)
        with torch.no_grad():
            dacl.after_step(given, step)
        moved.append(dacl.centers)
        step.loss.backward()
        gradients.append(dacl.network.attention[-1].weight.grad)
    assert torch.equal(moved[0], moved[1])
    torch.testing.assert_close(gradients[1], 100 * gradients[0], rtol=1e-3, atol=1e-6)


def test_classification_does_not_use_the_attention() -> None:
    dacl = method().eval()
    given = batch().images
    before = dacl.logits(given)
    torch.testing.assert_close(before, dacl.network(given).logits)
    nn.init.zeros_(dacl.network.attention[0].weight)
    assert torch.equal(dacl.logits(given), before)


@pytest.mark.parametrize(("size", "side"), [(224, 7), (64, 2), (100, 4), (96, 3)])
def test_the_attention_takes_the_trunks_map_at_every_image_size(size: int, side: int) -> None:
    with torch.device("meta"):
        context = Context("rafdb", CLASSES, size, torch.arange(CLASSES), epochs=1, batch_size=2)
        network = DaclNetwork(context).eval()
        assert network.attention[0].in_features == 512 * side**2
        assert network(torch.empty(2, 3, size, size)).attention.shape == (2, 512)


def test_first_centres_are_as_wide_as_the_authors_kaiming_normal() -> None:
    centers = method().centers
    assert centers.std().item() == pytest.approx(math.sqrt(2 / CLASSES), rel=0.05)
    assert "centers" in method().state_dict()
