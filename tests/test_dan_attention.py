"""Is one head what Eqs. 3 and 4 and the official checkpoints say?  Folded convolutions and numpy are the judges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dan.attention import AttentionHead, ChannelAttention, SpatialAttention
from dan.losses import partition_loss
from dan.options import Spatial


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def trained(module: nn.Module) -> nn.Module:
    """The module in double precision with weights and statistics that no default could hide, in evaluation mode."""
    generator = torch.Generator().manual_seed(1)
    module = module.double().eval()
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            drawn = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
            tensor.copy_(drawn + 0.5 if name.endswith("running_var") else (drawn - 0.5) * 0.1)
    return module


def folded(unit: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution with the batch normalisation that follows it."""
    convolution, norm = unit
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return convolution.weight * scale[:, None, None, None], (convolution.bias - norm.running_mean) * scale + norm.bias


@torch.no_grad()
def responses_of(unit: SpatialAttention, x: Tensor) -> Tensor:
    """The three branches as one 3x3 convolution: the 1x3 kernel is its middle row, the 3x1 kernel its middle column."""
    kernel, bias = folded(unit.conv_3x3)
    row, row_bias = folded(unit.conv_1x3)
    column, column_bias = folded(unit.conv_3x1)
    kernel[:, :, 1, :] += row[:, :, 0, :]
    kernel[:, :, :, 1] += column[:, :, :, 0]
    narrow = F.conv2d(x, *folded(unit.conv1x1))
    return F.conv2d(narrow, kernel, bias + row_bias + column_bias, padding=1).clamp(min=0)


@pytest.mark.parametrize("gate", ["none", "sigmoid"])
@pytest.mark.parametrize("reduce", ["sum", "mean", "none"])
def test_the_spatial_map_is_one_folded_convolution_reduced_and_gated(reduce, gate):
    unit = trained(SpatialAttention(Spatial(reduce=reduce, gate=gate)))
    x = features(2, 512, 4, 3)
    responses = responses_of(unit, x)
    expected = {"none": responses, "sum": responses.sum(1, True), "mean": responses.sum(1, True) / 512}[reduce]
    if gate == "sigmoid":
        expected = 1 / (1 + torch.exp(-expected))
    assert expected.shape == (2, 512 if reduce == "none" else 1, 4, 3) and expected.std() > 0
    torch.testing.assert_close(unit.attend(x), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(unit(x), x * expected, rtol=1e-9, atol=1e-12)


def test_the_channel_vector_is_the_gated_average():
    unit = trained(ChannelAttention())
    x = features(3, 512, 4, 3)
    first, norm, _, second, _ = unit.attention
    a = {name: tensor.numpy() for name, tensor in unit.state_dict().items()}
    average = x.numpy().mean(axis=(2, 3))
    hidden = average @ a["attention.0.weight"].T + a["attention.0.bias"]
    hidden = (hidden - a["attention.1.running_mean"]) / np.sqrt(a["attention.1.running_var"] + norm.eps)
    hidden = np.maximum(hidden * a["attention.1.weight"] + a["attention.1.bias"], 0)
    gate = 1 / (1 + np.exp(-(hidden @ a["attention.3.weight"].T + a["attention.3.bias"])))
    assert (first.out_features, second.out_features) == (32, 512)
    np.testing.assert_allclose(unit(x).detach().numpy(), average * gate, rtol=1e-9)


def test_a_forward_hook_sees_the_map_and_its_gradient():
    head, seen = trained(AttentionHead(Spatial())), []

    def keep(module: nn.Module, args: tuple, output: Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    head.sa.spatial_map.register_forward_hook(keep)
    x = features(2, 512, 3, 3).requires_grad_()
    head(x).sum().backward()
    assert seen[0].shape == (2, 1, 3, 3)
    assert torch.equal(seen[0], head.sa.attend(x)) and seen[0].grad.abs().max() > 0


def test_a_new_head_has_the_initialisation_of_the_official_code():
    torch.manual_seed(0)
    head = AttentionHead(Spatial())
    for name, module in head.named_modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1]
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02), name
            assert not module.bias.any(), name
        elif isinstance(module, nn.Linear):
            assert module.weight.std().item() == pytest.approx(0.001, rel=0.05), name
            assert not module.bias.any(), name


def test_parameters_of_a_head_are_those_of_table_6():
    head = AttentionHead(Spatial())
    count = {name: sum(p.numel() for p in unit.parameters()) for name, unit in head.named_children()}
    assert count == {"sa": 2_102_528, "ca": 33_376}


def test_layout_in_memory_does_not_change_a_head():
    head, x = trained(AttentionHead(Spatial())), features(2, 512, 4, 3)
    expected = head(x)
    nhwc = head.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(nhwc, expected, rtol=1e-9, atol=1e-12)


def test_heads_that_look_at_one_region_lower_the_partition_loss_by_turning_up_their_maps():
    """Four units with the same map: scaling it per head is enough, no region has to move (FIDELITY 1.8)."""
    heads, x = [AttentionHead(Spatial()).double().eval() for _ in range(4)], features(4, 512, 3, 3)
    for head in heads[1:]:
        head.sa.load_state_dict(heads[0].sa.state_dict())
    with torch.no_grad():
        quiet = torch.stack([head(x) for head in heads], dim=1)
        for head, loudness in zip(heads, (0.1, 1.0, 5.0, 20.0), strict=True):
            head.sa.spatial_map.register_forward_hook(lambda module, args, output, loudness=loudness: output * loudness)
        loud = torch.stack([head(x) for head in heads], dim=1)
        where = [head.sa.attend(x).flatten(1).softmax(1).argmax(1) for head in heads]
    assert all(torch.equal(where[0], place) for place in where)
    assert partition_loss(loud) < 0.01 * partition_loss(quiet)
