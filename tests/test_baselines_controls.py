"""Are the plain controls the networks that their names promise?  Their counts and formulas against published ones."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from baselines.registry import METHODS
from bench.errors import UserError
from bench.method import Batch, Context, Method
from bench.pretrained import SHIPPED
from bench.switches import resolve


def build(name: str, size: int = 64, classes: int = 7, seed: int = 0, **switches: object) -> Method:
    torch.manual_seed(seed)
    context = Context("rafdb", classes, size, torch.arange(3 * classes) % classes, epochs=5, batch_size=8)
    return importlib.import_module(METHODS[name].module).build(resolve(METHODS[name].settings, switches), context)


# Millions of parameters and billions of multiply-adds at 224 pixels and 7 classes (EfficientNet-B0: 8), in the rounding
# of the literature.
@pytest.mark.parametrize(
    ("name", "switches", "classes", "millions", "billions"),
    [
        ("resnet18", {}, 7, "11.180", "1.814"),
        ("se_resnet18", {}, 7, "11.270", "1.814"),
        ("cbam_resnet18", {}, 7, "11.268", "1.815"),
        ("eca_resnet18", {}, 7, "11.180", "1.814"),
        ("efficientnet_b0", {}, 8, "4.018", "0.385"),
        ("vit_se", {}, 7, "86.100", None),
        ("single_head", {}, 7, "13.316", "1.916"),
    ],
)
def test_parameters_and_multiply_adds_at_full_size(
    name: str, switches: dict[str, object], classes: int, millions: str, billions: str | None
) -> None:
    with torch.device("meta"):
        method = build(name, 224, classes, **switches).eval()
        images = torch.zeros(1, 3, 224, 224)
    assert f"{sum(parameter.numel() for parameter in method.parameters()) / 1e6:.3f}" == millions
    if billions is not None:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            method(images)
        assert f"{counter.get_total_flops() / 2 / 1e9:.3f}" == billions


def test_vit_se_multiplies_the_class_token_by_its_gate() -> None:
    method = build("vit_se", network="vit_s16").eval()
    vit, excitation, linear = method.network
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        token = vit.forward_features(images)[:, 0]  # (2, 384)
        first, _, second, _ = excitation.gate
        hidden = torch.relu(token @ first.weight.T + first.bias)
        gate = 1 / (1 + torch.exp(-(hidden @ second.weight.T + second.bias)))
        expected = (token * gate) @ linear.weight.T + linear.bias
        torch.testing.assert_close(method(images), expected)
    assert first.weight.shape == (96, 384)


def test_vit_se_names_an_image_size_that_its_patches_do_not_tile() -> None:
    with pytest.raises(UserError, match="image_size = 100 is not a multiple of its 16-pixel patches"):
        build("vit_se", 100)


def test_attention_sits_in_every_block_of_an_unchanged_trunk() -> None:
    plain = build("resnet18")
    own = build("eca_resnet18")
    shapes = [tuple(parameter.shape) for parameter in plain.parameters()]
    kernels = [tuple(parameter.shape) for key, parameter in own.named_parameters() if ".se." in key]
    assert len(kernels) == 8  # one 1-d kernel in each of the 8 blocks
    rest = [tuple(parameter.shape) for key, parameter in own.named_parameters() if ".se." not in key]
    assert sorted(rest) == sorted(shapes)


@pytest.mark.parametrize("name", ["se_resnet18", "cbam_resnet18", "eca_resnet18"])
def test_attention_networks_start_from_the_trunk_of_the_other_rows(name: str) -> None:
    context = Context("rafdb", 7, 64, torch.arange(7), epochs=5, batch_size=8, weights=SHIPPED)
    module, settings = importlib.import_module(METHODS[name].module), resolve(METHODS[name].settings, {})
    network = module.build(settings, context).network.state_dict()
    trunk = {key: value for key, value in load_file(SHIPPED).items() if key in network}
    assert len([key for key in trunk if not key.endswith("num_batches_tracked")]) == 100
    assert all(torch.equal(network[key], value) for key, value in trunk.items())


def test_last_normalisation_of_each_block_starts_at_one() -> None:
    own = build("se_resnet18").network
    assert all(bool((block.bn2.weight == 1).all()) for stage in (own.layer1, own.layer4) for block in stage)


def test_single_head_is_dan_with_one_head_and_cross_entropy_only() -> None:
    single, dan = build("single_head", seed=1), build("dan", seed=1, heads=1, affinity="none")
    batch = Batch(torch.randn(6, 3, 64, 64), torch.tensor([0, 1, 2, 3, 4, 5]), torch.arange(6), 1)
    ours, theirs = single.train().step(batch), dan.train().step(batch)
    assert torch.equal(ours.loss, theirs.loss)
    assert torch.equal(ours.logits, theirs.logits)
    assert set(ours.parts) == set(theirs.parts) == {"cross_entropy"}


def test_efficientnet_trains_its_head_alone_in_the_head_epochs() -> None:
    method = build("efficientnet_b0", head_epochs=2).train()
    batch = Batch(torch.randn(4, 3, 64, 64), torch.arange(4), torch.arange(4), 2)
    method.step(batch).loss.backward()
    assert {key for key, value in method.named_parameters() if value.grad is not None} == {
        "network.classifier.weight",
        "network.classifier.bias",
    }
    method.step(replace(batch, epoch=3)).loss.backward()
    assert all(value.grad is not None for value in method.parameters())


def test_efficientnet_loss_is_smoothed_and_weighed_by_inverse_frequency() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    context = Context("rafdb", 4, 64, labels, epochs=5, batch_size=8)
    module = importlib.import_module("baselines.efficientnet_b0")
    switches = {"label_smoothing": 0.1, "class_weights": True}
    method = module.build(resolve(METHODS["efficientnet_b0"].settings, switches), context).train()
    assert method.class_weights.tolist() == [1, 2, 4, 0]
    batch = Batch(torch.randn(3, 3, 64, 64), torch.tensor([0, 1, 2]), torch.arange(3), 1)
    step = method.step(batch)
    log_p = torch.log_softmax(step.logits, dim=1).tolist()
    weights = [1.0, 2.0, 4.0, 0.0]
    total = 0.0
    for i, label in enumerate(batch.labels.tolist()):
        total -= 0.9 * weights[label] * log_p[i][label]
        total -= sum(0.1 / 4 * weights[j] * log_p[i][j] for j in range(4))
    assert step.loss.item() == pytest.approx(total / 7, rel=1e-5)
