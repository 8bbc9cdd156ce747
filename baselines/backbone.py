"""Which trunk do all ResNet-18 methods share?  One code path: the same layers, the same starting weights, the same
pooling."""

from __future__ import annotations

from torch import Tensor, nn

from bench.errors import UserError
from bench.method import Context
from dan.backbone import FEATURE_DIM, resnet18_trunk
from dan.weights import WeightsError, load_backbone

FEATURES = FEATURE_DIM


def trunk(context: Context) -> nn.Sequential:
    """The ResNet-18 trunk, images (N, 3, H, W) to features (N, 512, H / 32, W / 32), with the context's weights
    loaded."""
    network = resnet18_trunk()
    load_weights(network, context)
    return network


def load_weights(network: nn.Module, context: Context) -> None:
    """Fill a ResNet-18 trunk, or a module whose `features` is one, from the context's file, where it names one.

    Raises UserError for a file that does not hold the whole trunk.
    """
    if context.weights is None:
        return
    try:
        load_backbone(network, context.weights)
    except WeightsError as error:
        raise UserError(str(error)) from None


def pooled(features: Tensor) -> Tensor:
    """Global average pooling in single precision: (N, D, h, w) -> (N, D)."""
    return features.float().mean(dim=(2, 3))
