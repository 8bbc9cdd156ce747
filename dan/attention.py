"""Where and what does one head attend to?  Spatial attention (Eq. 3), then channel attention (Eq. 4).

Attribute names are those of official checkpoints: `sa.conv1x1`, `sa.conv_{3x3,1x3,3x1}`, `ca.attention`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dan.backbone import FEATURE_DIM
from dan.options import Spatial

_SPATIAL_WIDTH = 256
_CHANNEL_WIDTH = 32


class SpatialMap(nn.Module):
    """H_j of Eq. 3: responses (N, 512, h, w) to the map (N, 1, h, w), or (N, 512, h, w) where `reduce = none`.

    A module of its own without parameters, so that a forward hook on `sa.spatial_map` sees the map with its gradient.
    """

    def __init__(self, options: Spatial) -> None:
        super().__init__()
        self.options = options

    def forward(self, responses: Tensor) -> Tensor:
        attention = responses
        if self.options.reduce == "sum":
            attention = responses.sum(dim=1, keepdim=True)  # deviates: A1
        elif self.options.reduce == "mean":
            attention = responses.mean(dim=1, keepdim=True)
        return attention.sigmoid() if self.options.gate == "sigmoid" else attention


class SpatialAttention(nn.Module):
    """s_j = x' * H_j(x') (Eq. 3): features (N, 512, h, w) to the same shape, weighted by one map.

    Four convolutions at three scales: 1x1 to 256 channels, then 3x3, 1x3 and 3x1 side by side (A2).
    """

    def __init__(self, options: Spatial) -> None:
        super().__init__()
        self.conv1x1 = _convolution(FEATURE_DIM, _SPATIAL_WIDTH, (1, 1))
        self.conv_3x3 = _convolution(_SPATIAL_WIDTH, FEATURE_DIM, (3, 3))
        self.conv_1x3 = _convolution(_SPATIAL_WIDTH, FEATURE_DIM, (1, 3))
        self.conv_3x1 = _convolution(_SPATIAL_WIDTH, FEATURE_DIM, (3, 1))
        self.spatial_map = SpatialMap(options)

    def forward(self, features: Tensor) -> Tensor:
        return features * self.attend(features)

    def attend(self, features: Tensor) -> Tensor:
        """The spatial map of features (N, 512, h, w): see `SpatialMap`."""
        y = self.conv1x1(features)  # (N, 256, h, w)
        return self.spatial_map(torch.relu(self.conv_3x3(y) + self.conv_1x3(y) + self.conv_3x1(y)))


class ChannelAttention(nn.Module):
    """a_j = GAP(s_j) * H'_j(s_j) (Eq. 4): (N, 512, h, w) to a vector (N, 512) (A3, A4)."""

    def __init__(self) -> None:
        super().__init__()
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.attention = nn.Sequential(
            nn.Linear(FEATURE_DIM, _CHANNEL_WIDTH),
            nn.BatchNorm1d(_CHANNEL_WIDTH),
            nn.ReLU(inplace=True),
            nn.Linear(_CHANNEL_WIDTH, FEATURE_DIM),
            nn.Sigmoid(),
        )

    def forward(self, attended: Tensor) -> Tensor:
        pooled = self.gap(attended).flatten(1)  # (N, 512)
        return pooled * self.attention(pooled)


class AttentionHead(nn.Module):
    """One head j of the multi-head attention network: features (N, 512, h, w) to a_j (N, 512)."""

    def __init__(self, options: Spatial) -> None:
        super().__init__()
        self.sa = SpatialAttention(options)
        self.ca = ChannelAttention()
        _initialise(self)

    def forward(self, features: Tensor) -> Tensor:
        return self.ca(self.sa(features))


def _convolution(width_in: int, width: int, kernel: tuple[int, int]) -> nn.Sequential:
    padding = (kernel[0] // 2, kernel[1] // 2)
    return nn.Sequential(nn.Conv2d(width_in, width, kernel, padding=padding), nn.BatchNorm2d(width))


def _initialise(head: nn.Module) -> None:
    """Convolutions Kaiming-normal (fan-out), linear layers normal with standard deviation 0.001, biases zero (A7)."""
    for layer in head.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.001)
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
