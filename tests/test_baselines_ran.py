"""Does RAN cut, weigh and join regions as its formulas say?"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.ran import REGIONS, WHOLE, Box, Ran, crop, region_bias_loss
from baselines.settings import Ran as Settings
from bench.method import Batch, Context

CLASSES = 4


def method(settings: Settings | None = None) -> Ran:
    """RAN whose trunk is one convolution."""
    torch.manual_seed(0)
    built = Ran(settings or Settings(), Context("rafdb", CLASSES, 16, torch.arange(8) % CLASSES, 1, 4))
    built.network.trunk = nn.Sequential(nn.Conv2d(3, 512, 3))
    return built


def images(count: int = 3, size: int = 16) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(2))


def softmax(values: list[float]) -> list[float]:
    return [math.exp(value) / sum(math.exp(other) for other in values) for value in values]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("regions", REGIONS)
def test_the_image_feature_is_the_formulas_weighted_sum(regions: str) -> None:
    network = method(Settings(regions=regions)).network.eval()  # type: ignore[arg-type]
    given = images()
    output = network(given)
    q0, q1 = network.self_attention, network.relation_attention
    for i in range(len(given)):
        features = [network.trunk(crop(given[i : i + 1], box)).mean(dim=(2, 3))[0] for box in REGIONS[regions]]
        mu = softmax([sigmoid((q0.weight[0] @ f + q0.bias[0]).item()) for f in features])
        mean = sum(weight * f for weight, f in zip(mu, features, strict=True))
        related = [torch.cat([f, mean]) for f in features]
        nu = softmax([sigmoid((q1.weight[0] @ f + q1.bias[0]).item()) for f in related])
        weights = [a * b for a, b in zip(mu, nu, strict=True)]
        image = sum(weight * f for weight, f in zip(weights, related, strict=True)) / sum(weights)
        torch.testing.assert_close(output.mu[i], torch.tensor(mu), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(output.logits[i], network.fc(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", REGIONS)
def test_regions_lie_in_the_image_and_end_with_the_whole_of_it(name: str) -> None:
    boxes = REGIONS[name]
    assert len(boxes) == {"six": 6, "eight": 8}[name] == len(set(boxes))
    assert boxes[-1] == WHOLE
    assert all(edge >= 0 and edge + box.side <= 1 for box in boxes for edge in (box.left, box.top))


def test_the_eight_regions_are_those_of_the_authors_reader() -> None:
    corners = [(0.125, 0.25, 0.875, 1), (0, 0, 0.75, 0.75), (0.25, 0, 1, 0.75), (0.05, 0.05, 0.95, 0.95)]
    corners += [(0.1, 0.1, 0.9, 0.9), (0.125, 0.125, 0.875, 0.875), (0.125, 0, 0.875, 0.75), (0, 0, 1, 1)]
    for box, (left, top, right, bottom) in zip(REGIONS["eight"], corners, strict=True):
        assert (box.left, box.top) == (left, top)
        assert (box.left + box.side, box.top + box.side) == pytest.approx((right, bottom))


@pytest.mark.parametrize("box", REGIONS["six"][:-1])
@pytest.mark.parametrize("size", [64, 224])
def test_a_crop_of_a_ramp_is_the_enlarged_ramp_of_its_region(box: Box, size: int) -> None:
    column = torch.arange(size, dtype=torch.float32)
    ramp = column.expand(1, 3, size, size)
    first = int(box.left * size)
    last = int((box.left + box.side) * size) - 1
    scale = (last - first + 1) / size
    expected = (first + (column + 0.5) * scale - 0.5).clamp(first, last)  # bilinear: pixel centres, edges repeated
    torch.testing.assert_close(crop(ramp, box)[0, 0, size // 2], expected, rtol=0, atol=1e-3)
    down = crop(ramp.transpose(2, 3), box)[0, 0, :, size // 2]
    shift = int(box.top * size) - first
    torch.testing.assert_close(down, expected + shift, rtol=0, atol=1e-3)


def test_the_region_bias_loss_asks_that_some_crop_outweighs_the_image() -> None:
    mu = torch.tensor([[0.2, 0.5, 0.3], [0.3, 0.3, 0.4], [0.35, 0.3, 0.35]])
    by_hand = [max(0, 0.02 - (0.5 - 0.3)), max(0, 0.02 - (0.3 - 0.4)), max(0, 0.02 - (0.35 - 0.35))]
    assert region_bias_loss(mu, 0.02).item() == pytest.approx(sum(by_hand) / 3)


def test_the_loss_is_cross_entropy_plus_region_bias() -> None:
    ran = method(Settings(margin=0.1)).eval()
    given = Batch(images(), torch.tensor([0, 1, 2]), torch.arange(3), epoch=1)
    step = ran.step(given)
    mu = ran.network(given.images).mu
    cross_entropy = -sum(F.log_softmax(step.logits, 1)[i, i] for i in range(3)) / 3
    bias = sum(max(0.0, 0.1 - (max(row[:-1]) - row[-1])) for row in mu.tolist()) / 3
    assert step.loss.item() == pytest.approx(cross_entropy.item() + bias, rel=1e-5)


def test_each_region_is_normalised_by_its_own_statistics_in_training() -> None:
    ran = method()
    norm = nn.BatchNorm2d(512)
    ran.network.trunk = nn.Sequential(nn.Conv2d(3, 512, 3), norm)
    ran.train()
    ran.network(images())
    assert norm.num_batches_tracked.item() == 6
