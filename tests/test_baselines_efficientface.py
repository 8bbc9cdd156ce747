"""Is EfficientFace the authors' network, at every image size?"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from baselines.efficientface import EfficientFace, EfficientFaceNetwork, LocalFeatures, Modulator, Unit
from baselines.settings import EfficientFace as Settings
from baselines.settings import EfficientFaceLoss
from bench.method import Batch, Context


def images(count: int, size: int) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(4))


def test_it_has_the_authors_number_of_parameters() -> None:
    assert sum(parameter.numel() for parameter in EfficientFaceNetwork(7).parameters()) == 1_275_293


@pytest.mark.parametrize("size", [32, 64, 96, 100, 104, 224, 227])
def test_it_takes_every_image_size(size: int) -> None:
    network = EfficientFaceNetwork(7).eval()
    with torch.no_grad():
        assert network(images(1, size)).shape == (1, 7)


@pytest.mark.parametrize("side", range(8, 60))
def test_the_four_local_parts_fit_the_map_that_they_are_added_to(side: int) -> None:
    with torch.device("meta"):
        local = LocalFeatures(29, 116)
        assert local(torch.empty(2, 29, side, side)).shape[2:] == (-(-side // 2), -(-side // 2))


def test_at_224_pixels_each_quarter_is_28_wide_and_has_its_own_layers() -> None:
    torch.manual_seed(0)
    local = LocalFeatures(29, 116).eval()
    x = torch.randn(1, 29, 56, 56)
    y = local(x)
    corners = [(0, 0), (28, 0), (0, 28), (28, 28)]
    for quarter, (row, column) in zip(local.quarters, corners, strict=True):
        alone = quarter(x[:, :, row : row + 28, column : column + 28])
        half_row, half_column = row // 2, column // 2
        part = y[:, :, half_row : half_row + 14, half_column : half_column + 14]
        torch.testing.assert_close(part, alone)


def test_a_unit_keeps_half_of_the_channels_and_alternates_the_halves() -> None:
    torch.manual_seed(0)
    unit = Unit(8, 8, stride=1).eval()
    x = torch.randn(2, 8, 5, 5)
    y = unit(x)
    assert torch.equal(y[:, 0::2], x[:, :4])
    torch.testing.assert_close(y[:, 1::2], unit.branch(x[:, 4:]))


def test_the_modulator_scales_by_channel_times_place() -> None:
    torch.manual_seed(0)
    modulator = Modulator(32).eval()
    x = torch.randn(2, 32, 6, 6)
    y = modulator(x)
    channel, space = modulator.channel(x.mean(dim=(2, 3))), modulator.space(x)
    for n, c, row, column in [(0, 0, 0, 0), (1, 31, 5, 2), (0, 7, 3, 3)]:
        factor = 1 / (1 + torch.exp(-channel[n, c] * space[n, 0, row, column]))
        assert y[n, c, row, column].item() == pytest.approx((factor * x[n, c, row, column]).item(), rel=1e-5)


@pytest.mark.parametrize(("mean", "divisor"), [("samples", 1), ("elements", 7)])
def test_the_mean_over_elements_is_the_usual_loss_divided_by_the_classes(mean: str, divisor: int) -> None:
    torch.manual_seed(0)
    context = Context("rafdb", 7, 32, torch.arange(4), epochs=1, batch_size=4)
    method = EfficientFace(Settings(EfficientFaceLoss(mean)), context).eval()  # type: ignore[arg-type]
    given = Batch(images(4, 32), torch.tensor([6, 0, 2, 2]), torch.arange(4), epoch=1)
    step = method.step(given)
    target = F.one_hot(given.labels, 7)
    official = (-target * F.log_softmax(step.logits, dim=1)).mean()  # over N x C elements
    assert step.loss.item() == pytest.approx(official.item() * 7 / divisor, rel=1e-5)
