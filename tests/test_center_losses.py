"""Do the losses around class centres, and the rules of the centres, equal plain loops and their published numbers?"""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from baselines import center_loss as center_loss_method
from baselines import dda_loss, island_loss
from baselines.centers import center_delta, center_loss, first_centers
from baselines.dda_loss import dda_delta, dda_term
from baselines.island_loss import island_delta, island_term
from baselines.locality_preserving import locality_preserving_loss
from baselines.settings import CenterLoss, CenterWeight, DdaLoss, IslandLoss
from bench.method import Batch, Context, Method

CLASSES = 4


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(11)


def drawn(generator: torch.Generator, count: int = 12, dim: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Features, labels in which class 3 does not occur, and centres; double precision."""
    x = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, CLASSES - 1, (count,), generator=generator)
    return x, labels, torch.randn(CLASSES, dim, generator=generator, dtype=torch.float64)


def dot(a: list[float], b: list[float]) -> float:
    return sum(p * q for p, q in zip(a, b, strict=True))


def norm(a: list[float]) -> float:
    return math.sqrt(dot(a, a))


def cosine(a: list[float], b: list[float]) -> float:
    return dot(a, b) / (norm(a) * norm(b))


def squared_distance(a: list[float], b: list[float]) -> float:
    return sum((p - q) ** 2 for p, q in zip(a, b, strict=True))


def test_center_loss_equals_a_loop(generator: torch.Generator) -> None:
    x, labels, centers = drawn(generator)
    total = sum(squared_distance(x[i].tolist(), centers[labels[i]].tolist()) for i in range(len(x)))
    assert center_loss(x, labels, centers).item() == pytest.approx(total / (2 * len(x)), rel=1e-6)


def test_center_loss_with_attention_weighs_each_dimension(generator: torch.Generator) -> None:
    x, labels, centers = drawn(generator)
    attention = torch.rand(x.shape, generator=generator, dtype=torch.float64)
    total = 0.0
    for i in range(len(x)):
        for d in range(x.shape[1]):
            total += attention[i, d].item() * (x[i, d].item() - centers[labels[i], d].item()) ** 2
    assert center_loss(x, labels, centers, attention).item() == pytest.approx(total / (2 * len(x)), rel=1e-6)


@pytest.mark.parametrize("with_attention", [False, True])
def test_center_delta_equals_a_loop_and_spares_absent_classes(generator: torch.Generator, with_attention: bool) -> None:
    x, labels, centers = drawn(generator)
    attention = torch.rand(x.shape, generator=generator, dtype=torch.float64) if with_attention else None
    delta = center_delta(x, labels, centers, attention=attention)
    for j in range(CLASSES):
        own = [i for i in range(len(x)) if labels[i] == j]
        for d in range(x.shape[1]):
            weights = [1.0 if attention is None else attention[i, d].item() for i in own]
            pulls = [w * (centers[j, d] - x[i, d]).item() for w, i in zip(weights, own, strict=True)]
            assert delta[j, d].item() == pytest.approx(sum(pulls) / (1 + len(own)), abs=1e-12)
    assert torch.equal(delta[CLASSES - 1], torch.zeros(x.shape[1], dtype=torch.float64))


@pytest.mark.parametrize(
    ("convention", "fraction"),
    [("wen", 0.5 * 9 / 10), ("wen_over_batch", 0.5 * 9 / 10 / 64), ("autograd", 0.5 * 2 * 9 / 64)],
)
def test_one_step_moves_a_center_by_its_convention(
    generator: torch.Generator, convention: str, fraction: float
) -> None:
    """64 images, 9 of the class, alpha = 0.5: the published movements are 0.45, 0.007 and 0.14 of the way."""
    x = torch.randn(64, 6, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0] * 9 + [1] * 55)
    centers = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    moved = centers - 0.5 * center_delta(x, labels, centers, convention)
    way = x[:9].mean(dim=0) - centers[0]
    torch.testing.assert_close(moved[0] - centers[0], fraction * way)
    assert fraction == pytest.approx({"wen": 0.45, "wen_over_batch": 0.007, "autograd": 0.14}[convention], abs=0.001)


def test_the_autograd_convention_is_the_gradient_of_the_loss_without_its_half(generator: torch.Generator) -> None:
    x, labels, centers = drawn(generator)
    centers.requires_grad_()
    ((x - centers[labels]).pow(2).sum() / len(x)).backward()
    torch.testing.assert_close(center_delta(x, labels, centers.detach(), "autograd"), centers.grad)


def test_first_centers_have_the_spread_of_their_initialisation() -> None:
    torch.manual_seed(0)
    xavier, kaiming = first_centers(50, 512), first_centers(50, 512, "kaiming")
    assert xavier.abs().max().item() <= math.sqrt(3 / 512)
    assert xavier.std().item() == pytest.approx(math.sqrt(1 / 512), rel=0.02)
    assert kaiming.std().item() == pytest.approx(math.sqrt(2 / 50), rel=0.02)


def test_island_term_equals_a_loop_over_ordered_pairs(generator: torch.Generator) -> None:
    centers = drawn(generator)[2]
    rows = centers.tolist()
    total = sum(cosine(rows[j], rows[k]) + 1 for j in range(CLASSES) for k in range(CLASSES) if j != k)
    assert island_term(centers).item() == pytest.approx(total, rel=1e-12)


def test_island_term_of_seven_random_centers_is_about_42_and_its_minimum_35(generator: torch.Generator) -> None:
    values = [island_term(torch.randn(7, 512, generator=generator)).item() for _ in range(200)]
    assert min(values) < 41.6 < max(values)  # the literature's one draw
    assert sum(values) / len(values) == pytest.approx(42, abs=0.15)
    simplex = torch.eye(7, dtype=torch.float64) - 1 / 7  # seven directions that add to zero
    assert island_term(simplex).item() == pytest.approx(35, abs=1e-9)


def test_island_delta_equals_the_printed_bracket(generator: torch.Generator) -> None:
    centers = drawn(generator)[2]
    rows = centers.tolist()
    delta = island_delta(centers)
    for j in range(CLASSES):
        for d in range(len(rows[0])):
            bracket = sum(
                rows[k][d] / (norm(rows[k]) * norm(rows[j]))
                - dot(rows[k], rows[j]) * rows[j][d] / (norm(rows[k]) * norm(rows[j]) ** 3)
                for k in range(CLASSES)
                if k != j
            )
            assert delta[j, d].item() == pytest.approx(bracket / (CLASSES - 1), abs=1e-12)


def test_autograd_of_the_ordered_double_sum_gives_twice_the_bracket(generator: torch.Generator) -> None:
    centers = drawn(generator)[2].requires_grad_()
    island_term(centers).backward()
    torch.testing.assert_close(centers.grad, 2 * (CLASSES - 1) * island_delta(centers.detach()))


@pytest.mark.parametrize(("normaliser", "divisor"), [("official", 24), ("mean", 2)])
def test_dda_term_equals_a_loop_under_both_normalisers(
    generator: torch.Generator, normaliser: str, divisor: int
) -> None:
    x, labels, centers = drawn(generator)
    total = 0.0
    for i in range(len(x)):
        scores = [-squared_distance(x[i].tolist(), center.tolist()) for center in centers]
        total -= scores[labels[i]] - math.log(sum(math.exp(score) for score in scores))
    assert dda_term(x, labels, centers, normaliser).item() == pytest.approx(total / len(x) / divisor, rel=1e-5)


def test_the_official_normaliser_is_weaker_by_the_batch_size(generator: torch.Generator) -> None:
    x, labels, centers = drawn(generator)
    weak, plain = (dda_term(x, labels, centers, normaliser) for normaliser in ("official", "mean"))
    assert (plain / weak).item() == pytest.approx(len(x), rel=1e-6)


@pytest.mark.parametrize("normaliser", ["official", "mean"])
def test_dda_delta_is_the_gradient_of_the_term_in_the_centers(generator: torch.Generator, normaliser: str) -> None:
    x, labels, centers = (value.float() if value.is_floating_point() else value for value in drawn(generator))
    centers.requires_grad_()
    dda_term(x, labels, centers, normaliser).backward()
    torch.testing.assert_close(dda_delta(x, labels, centers.detach(), normaliser), centers.grad, rtol=1e-4, atol=1e-6)


def test_locality_preserving_loss_equals_a_loop_with_each_class_its_own_k(generator: torch.Generator) -> None:
    x = torch.randn(13, 5, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 0, 2, 0, 1, 0, 0, 3, 2, 0, 2, 0])  # 3 is alone; class 1 has one neighbour
    total = 0.0
    for i in range(len(x)):
        others = [j for j in range(len(x)) if j != i and labels[j] == labels[i]]
        others.sort(key=lambda j, i=i: squared_distance(x[i].tolist(), x[j].tolist()))
        nearest = others[: min(3, len(others))]
        if nearest:
            mean = [sum(x[j, d].item() for j in nearest) / len(nearest) for d in range(x.shape[1])]
            total += squared_distance(x[i].tolist(), mean) / 2
    assert locality_preserving_loss(x, labels, neighbours=3).item() == pytest.approx(total, rel=1e-5)


def test_locality_preserving_gradient_takes_the_neighbour_mean_as_constant(generator: torch.Generator) -> None:
    x = torch.randn(4, 5, generator=generator).requires_grad_()
    locality_preserving_loss(x, torch.tensor([0, 0, 0, 1]), neighbours=20).backward()
    rows = x.detach()
    expected = rows.clone()
    for i in range(3):
        expected[i] = rows[i] - rows[[j for j in range(3) if j != i]].mean(dim=0)
    expected[3] = 0
    torch.testing.assert_close(x.grad, expected)


def test_a_batch_without_pairs_has_no_locality_loss() -> None:
    x = torch.randn(3, 5).requires_grad_()
    loss = locality_preserving_loss(x, torch.tensor([0, 1, 2]), neighbours=20)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(x.grad, torch.zeros(3, 5))


def stepped_centers(module: object, settings: object) -> tuple[Method, Tensor, Tensor, Batch]:
    """A method, its centres before one step and its pooled features in that step; the trunk is not trained."""
    context = Context("rafdb", 7, 32, torch.arange(7), epochs=1, batch_size=6)
    torch.manual_seed(0)
    method = module.build(settings, context).train()  # type: ignore[attr-defined]
    batch = Batch(torch.randn(6, 3, 32, 32), torch.tensor([0, 0, 1, 2, 2, 2]), torch.arange(6), 1)
    before = method.centers.clone()
    step = method.step(batch)
    method.after_step(batch, step)
    return method, before, step.kept["features"], batch


@pytest.mark.parametrize(
    ("module", "settings"), [(center_loss_method, CenterLoss()), (island_loss, IslandLoss()), (dda_loss, DdaLoss())]
)
def test_the_step_of_the_centers_does_not_depend_on_lambda(module: object, settings: CenterLoss) -> None:
    stronger = dataclasses.replace(settings, loss=dataclasses.replace(settings.loss, lambda1=100.0))
    first, second = stepped_centers(module, settings)[0], stepped_centers(module, stronger)[0]
    assert torch.equal(first.centers, second.centers)


def test_the_methods_take_the_step_of_their_rule() -> None:
    method, before, x, batch = stepped_centers(center_loss_method, CenterLoss(alpha=0.25))
    torch.testing.assert_close(method.centers, before - 0.25 * center_delta(x, batch.labels, before))

    method, before, x, batch = stepped_centers(island_loss, IslandLoss())
    delta = center_delta(x, batch.labels, before) + 10 * island_delta(before)
    torch.testing.assert_close(method.centers, before - 0.5 * delta)

    method, before, x, batch = stepped_centers(dda_loss, DdaLoss())
    delta = center_delta(x, batch.labels, before) + 4 * dda_delta(x, batch.labels, before)
    torch.testing.assert_close(method.centers, before - 0.5 * delta)


def test_the_total_is_cross_entropy_plus_weighted_parts() -> None:
    for module, settings, weights in (
        (center_loss_method, CenterLoss(CenterWeight(0.2)), {"center": 0.2}),
        (island_loss, IslandLoss(), {"center": 0.01, "island": 0.1}),
        (dda_loss, DdaLoss(), {"center": 0.01, "dda": 4.0}),
    ):
        method, _, _, batch = stepped_centers(module, settings)
        step = method.step(batch)
        expected = step.parts["cross_entropy"] + sum(weight * step.parts[name] for name, weight in weights.items())
        torch.testing.assert_close(step.loss, expected)


def test_the_island_term_gives_the_features_no_gradient() -> None:
    gradients = []
    for pairwise in (0.0, 1000.0):
        settings = IslandLoss()
        settings = dataclasses.replace(settings, loss=dataclasses.replace(settings.loss, pairwise=pairwise))
        context = Context("rafdb", 7, 32, torch.arange(7), epochs=1, batch_size=6)
        torch.manual_seed(0)
        method = island_loss.build(settings, context).train()
        batch = Batch(torch.randn(6, 3, 32, 32), torch.tensor([0, 0, 1, 2, 2, 2]), torch.arange(6), 1)
        method.step(batch).loss.backward()
        gradients.append(method.trunk[0].weight.grad)
    assert torch.equal(*gradients)
