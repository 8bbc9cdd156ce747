"""Is PSR's network the authors', and is it no row?"""

from __future__ import annotations

import pytest
import torch

from baselines.psr import Edsr, PsrNetwork, SpatialTransformer
from baselines.registry import METHODS


def images(size: int = 64) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(6))


def test_without_the_weights_that_make_it_psr_it_is_no_method() -> None:
    assert "psr" not in METHODS


def test_the_transformer_starts_as_the_identity() -> None:
    given = images()
    torch.testing.assert_close(SpatialTransformer(64)(given), given, rtol=0, atol=1e-4)


def test_edsr_doubles_both_sides_and_has_the_baselines_size() -> None:
    edsr = Edsr()
    assert edsr(images(8)).shape == (2, 3, 16, 16)
    convolution = 64 * 64 * 9 + 64
    expected = (3 * 64 * 9 + 64) + 33 * convolution + 4 * convolution + (64 * 3 * 9 + 3)
    assert sum(parameter.numel() for parameter in edsr.parameters()) == expected


@torch.no_grad()
def test_the_decision_is_the_mean_of_three_probabilities() -> None:
    torch.manual_seed(0)
    network = PsrNetwork(7, 64).eval()
    given = images()
    scores = network(given)
    assert scores.shape == (2, 7)
    torch.testing.assert_close(scores.exp().sum(dim=1), torch.ones(2))
    small = given.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5))  # the mean of each 2 x 2 block
    views = (small, network.enlarge(small), given)
    expected = torch.zeros(2, 7)
    for own, view in zip(network.own, views, strict=True):
        expected += network.head(network.shared(own(view))).softmax(dim=1) / 3
    torch.testing.assert_close(scores.exp(), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("size", "millions"), [(100, "20.24"), (224, "20.97")])
def test_its_transformer_and_so_its_size_follow_the_image(size: int, millions: str) -> None:
    with torch.device("meta"):
        network = PsrNetwork(7, size)
    assert f"{sum(parameter.numel() for parameter in network.parameters()) / 1e6:.2f}" == millions
