"""Do the losses compute what the paper and the official code say?  Plain loops are the judges."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from dan.losses import DanLoss, affinity_loss, center_loss, partition_loss
from dan.model import DanOutput
from dan.options import Affinity, Centers, LossWeights, Options, Partition, number_of_centers

SAMPLES, CLASSES, DIM, HEADS = 6, 7, 512, 4


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return drawn(SAMPLES, DIM, 3, 2), torch.tensor([0, 3, 3, 6, 1, 0]), drawn(8, DIM, seed=1)


def looped_variance(values: list[float], unbiased: bool) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - unbiased)


def looped_distances(features: torch.Tensor, labels: torch.Tensor, centers: torch.Tensor) -> float:
    """Sum over the batch of the squared distance between a sample's average over its map and its class centre."""
    total = 0.0
    for image, label in zip(features.tolist(), labels.tolist(), strict=True):
        for channel, center in zip(image, centers[label].tolist(), strict=True):
            cells = [cell for row in channel for cell in row]
            total += (sum(cells) / len(cells) - center) ** 2
    return total


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("sigma", ["trace", "mean"])
@pytest.mark.parametrize("unbiased", [True, False])
def test_affinity_loss_equals_a_plain_loop(batch, reduction, sigma, unbiased):
    features, labels, centers = batch
    variances = [looped_variance(column, unbiased) for column in centers.t().tolist()]
    expected = looped_distances(*batch) / sum(variances)
    expected *= DIM if sigma == "mean" else 1
    expected /= SAMPLES if reduction == "mean" else 1
    options = Affinity(reduction=reduction, sigma=sigma, unbiased=unbiased)
    assert affinity_loss(features, labels, centers, options).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_center_loss_is_half_the_squared_distance(batch, reduction):
    expected = looped_distances(*batch) / 2 / (SAMPLES if reduction == "mean" else 1)
    assert center_loss(*batch, Affinity(reduction=reduction)).item() == pytest.approx(expected, rel=1e-9)


def test_pooled_features_give_the_same_loss_as_their_map(batch):
    features, labels, centers = batch
    by_hand = features.flatten(2).mean(dim=2)
    for loss in (affinity_loss, center_loss):
        assert loss(features, labels, centers).item() == pytest.approx(loss(by_hand, labels, centers).item(), rel=1e-12)


@pytest.mark.parametrize("detach", [False, True])
def test_gradient_of_the_centers_follows_the_closed_form(batch, detach):
    features, labels, centers = batch
    centers.requires_grad_()
    affinity_loss(features, labels, centers, Affinity(detach=detach)).backward()
    pooled = features.mean(dim=(2, 3))
    with torch.no_grad():
        variance = centers.var(dim=0).sum()
        pull = torch.zeros_like(centers)
        for sample, label in zip(pooled, labels, strict=True):
            pull[label] += 2 * (centers[label] - sample) / variance / SAMPLES
        distance = (pooled - centers[labels]).pow(2).sum() / SAMPLES
        push = -distance / variance**2 * 2 * (centers - centers.mean(dim=0)) / (len(centers) - 1)
    torch.testing.assert_close(centers.grad, pull if detach else pull + push, rtol=1e-9, atol=1e-12)


def test_absent_classes_and_spare_centers_are_moved_only_by_the_variance(batch):
    features, labels, centers = batch
    centers.requires_grad_()
    affinity_loss(features, labels, centers, Affinity(detach=True)).backward()
    absent = sorted(set(range(len(centers))) - set(labels.tolist()))
    assert absent == [2, 4, 5, 7]
    assert centers.grad[absent].abs().max() == 0


def test_features_on_their_centers_cost_nothing_but_the_clamp():
    centers, labels = drawn(7, DIM), torch.arange(7)
    assert affinity_loss(centers, labels, centers).item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("heads", [2, 4, 8])
@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("eps", [Partition().eps, 0.5, 0.0])
def test_both_forms_of_the_partition_loss_equal_plain_loops(heads, unbiased, eps):
    vectors = drawn(3, heads, 5)
    variances = [looped_variance(vectors[i, :, j].tolist(), unbiased) for i in range(3) for j in range(5)]
    before = math.log(1 + heads / (sum(variances) / len(variances) + eps))
    after = sum(math.log(1 + heads / (variance + eps)) for variance in variances) / len(variances)
    for form, expected in (("log_of_mean", before), ("mean_of_log", after)):
        loss = partition_loss(vectors, Partition(form=form, eps=eps, unbiased=unbiased))
        assert loss.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("heads", "form"), [(1, "log_of_mean"), (1, "mean_of_log"), (4, "none")])
def test_partition_loss_is_zero_with_one_head_or_switched_off(heads, form):
    assert partition_loss(drawn(3, heads, 5), Partition(form=form)).item() == 0


def test_a_channel_dead_in_every_head_makes_the_printed_equation_infinite_and_the_code_finite():
    vectors = drawn(3, HEADS, 5)
    vectors[:, :, 2] = 0
    assert partition_loss(vectors, Partition("mean_of_log", eps=0.0)).item() == math.inf
    assert math.isfinite(partition_loss(vectors, Partition("mean_of_log")).item())


def test_four_identical_heads_cost_the_logarithm_of_heads_over_epsilon():
    identical = drawn(3, 1, 5).float().expand(3, HEADS, 5)
    assert partition_loss(identical).item() == pytest.approx(math.log(HEADS / 2.220446049250313e-16), rel=1e-6)


@pytest.mark.parametrize("form", ["log_of_mean", "mean_of_log"])
@pytest.mark.parametrize("unbiased", [True, False])
def test_log_softmax_over_heads_changes_nothing_that_the_partition_loss_sees(form, unbiased):
    vectors = drawn(3, HEADS, DIM) * 3
    options = Partition(form=form, unbiased=unbiased)
    scaled = partition_loss(F.log_softmax(vectors, dim=1), options)
    assert scaled.item() == pytest.approx(partition_loss(vectors, options).item(), rel=1e-12)


def test_one_region_at_four_loudnesses_satisfies_the_partition_loss():
    """Heads that are one vector p times s_j have variance var(s) p^2: the loss falls without any spatial separation."""
    loudness = torch.tensor([0.1, 1.0, 5.0, 20.0], dtype=torch.float64)
    region = drawn(3, DIM).abs()
    region *= (1.15 / region.pow(2).mean()).sqrt()
    heads = loudness[None, :, None] * region[:, None, :]  # (N, K, 512)
    variance = looped_variance(loudness.tolist(), unbiased=True)
    assert partition_loss(heads).item() == pytest.approx(math.log1p(HEADS / (variance * 1.15)), rel=1e-9)
    assert round(partition_loss(heads).item(), 2) == 0.04
    nearly_equal = torch.tensor([-1.0, 1.0, -1.0, 1.0]) * 0.012 + 1  # heads that differ by their gates alone
    assert round(partition_loss(nearly_equal[None, :, None] * region[:, None, :]).item(), 1) == 9.8


@pytest.fixture
def output() -> DanOutput:
    return DanOutput(drawn(SAMPLES, CLASSES), drawn(SAMPLES, DIM, 3, 2, seed=2), drawn(SAMPLES, HEADS, DIM, seed=3))


def test_the_total_is_equation_7(output):
    labels = torch.tensor([0, 3, 3, 6, 1, 0])
    loss = DanLoss(CLASSES, Options(loss=LossWeights(lambda1=0.25, lambda2=3.0))).double()
    total, parts = loss(output, labels)
    logits = output.logits.tolist()
    cross_entropy = sum(
        math.log(sum(map(math.exp, row))) - row[label] for row, label in zip(logits, labels.tolist(), strict=True)
    )
    assert parts["cross_entropy"].item() == pytest.approx(cross_entropy / SAMPLES, rel=1e-12)
    assert parts["affinity"].item() == affinity_loss(output.features, labels, loss.centers).item()
    assert parts["partition"].item() == partition_loss(output.heads).item()
    expected = parts["cross_entropy"] + 0.25 * parts["affinity"] + 3 * parts["partition"]
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_center_variant_weighs_the_center_loss_by_lambda_and_lambda1(output):
    labels = torch.tensor([0, 3, 3, 6, 1, 0])
    options = Options(affinity=Affinity(kind="center", center_weight=0.5), loss=LossWeights(lambda1=0.1))
    total, parts = DanLoss(CLASSES, options).double()(output, labels)
    assert "affinity" not in parts
    expected = parts["cross_entropy"] + 0.05 * parts["center"] + parts["partition"]
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)


def test_terms_switched_off_are_absent_and_leave_the_cross_entropy(output):
    options = Options(affinity=Affinity(kind="none"), partition=Partition(form="none"))
    loss = DanLoss(CLASSES, options)
    total, parts = loss(output, torch.zeros(SAMPLES, dtype=torch.long))
    assert list(parts) == ["cross_entropy"] and total.item() == parts["cross_entropy"].item()
    assert list(loss.parameters()) == [] and loss.parameter_groups(lr=0.1) == []


def test_one_head_has_no_partition_term(output):
    alone = output._replace(heads=output.heads[:, :1])
    _, parts = DanLoss(CLASSES).double()(alone, torch.zeros(SAMPLES, dtype=torch.long))
    assert list(parts) == ["cross_entropy", "affinity"]


@pytest.mark.parametrize("options", [Options(), Options(affinity=Affinity(kind="center"))])
def test_half_precision_outputs_are_lost_in_the_network_and_not_in_the_loss(output, options):
    loss = DanLoss(CLASSES, options)
    half = DanOutput(*(tensor.bfloat16() for tensor in output))
    exact = DanOutput(*(tensor.float() for tensor in half))
    labels = torch.tensor([0, 3, 3, 6, 1, 0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = loss(half, labels).total
    assert under_autocast.dtype == torch.float32
    assert under_autocast.item() == loss(exact, labels).total.item()


def test_centers_start_as_asked():
    torch.manual_seed(0)
    normal = torch.randn(8, DIM)
    torch.manual_seed(0)
    assert torch.equal(DanLoss(7, num_centers=8).centers, normal)
    torch.manual_seed(0)
    assert torch.equal(DanLoss(7, Options(centers=Centers(init="half_normal")), num_centers=8).centers, normal.abs())
    zeros = Options(affinity=Affinity(kind="center"), centers=Centers(init="zeros"))
    assert torch.equal(DanLoss(7, zeros).centers, torch.zeros(7, DIM))


def test_centers_without_variance_or_too_few_of_them_are_refused():
    with pytest.raises(ValueError, match="variance of the centres"):
        DanLoss(7, Options(centers=Centers(init="zeros")))
    with pytest.raises(ValueError, match="variance of the centres"):
        DanLoss(1)
    with pytest.raises(ValueError, match="5 centres are too few for 7 classes"):
        DanLoss(7, num_centers=5)


@pytest.mark.parametrize(
    ("centers", "lr", "decay"),
    [(Centers(), 0.1, 1e-4), (Centers(lr=5.0), 0.5, 1e-4), (Centers(weight_decay=0.0), 0.1, 0.0)],
)
def test_the_optimiser_sees_the_rate_and_decay_of_the_centers(centers, lr, decay):
    loss = DanLoss(7, Options(centers=centers))
    (group,) = torch.optim.SGD(loss.parameter_groups(lr=0.1), lr=0.1, weight_decay=1e-4).param_groups
    assert (group["lr"], group["weight_decay"]) == (lr, decay) and group["params"][0] is loss.centers


def test_frozen_centers_get_no_gradient_and_no_group(output):
    loss = DanLoss(CLASSES, Options(centers=Centers(frozen=True))).double()
    features = output.features.requires_grad_()
    loss(output._replace(features=features), torch.zeros(SAMPLES, dtype=torch.long)).total.backward()
    assert loss.centers.grad is None and features.grad is not None and loss.parameter_groups(lr=0.1) == []
    assert "centers" in loss.state_dict()


@pytest.mark.parametrize(
    ("switch", "dataset", "expected"),
    [("official", "rafdb", 8), ("official", "rafdb-twin", 8), ("official", "affectnet7", 7), ("dataset", "rafdb", 7)],
)
def test_the_official_code_trains_a_spare_center_on_rafdb_only(switch, dataset, expected):
    assert number_of_centers(replace(Affinity(), num_centers=switch), dataset, num_classes=7) == expected


def test_under_the_center_loss_the_centers_move_by_their_own_rule_and_not_by_the_optimiser():
    loss = DanLoss(7, Options(affinity=Affinity(kind="center", center_alpha=0.5)))
    assert loss.parameter_groups(0.1) == []
    features, labels = drawn(4, 512).float(), torch.tensor([2, 2, 5, 2])
    before = loss.centers.detach().clone()
    loss.move_centers(features, labels)
    for label in range(7):
        own = [features[i] for i in range(4) if int(labels[i]) == label]
        step = sum((before[label] - x for x in own), torch.zeros(512)) / (1 + len(own))
        torch.testing.assert_close(loss.centers[label], before[label] - 0.5 * step, rtol=1e-5, atol=1e-6)


def test_without_their_own_rule_the_centers_belong_to_the_optimiser():
    loss = DanLoss(7, Options(affinity=Affinity(kind="center", center_alpha=0.0)))
    before = loss.centers.detach().clone()
    loss.move_centers(drawn(4, 512).float(), torch.tensor([2, 2, 5, 2]))
    assert torch.equal(loss.centers, before)
    assert len(loss.parameter_groups(0.1)) == 1
