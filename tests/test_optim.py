"""Do rates and steps follow the recipe?"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.method import Batch, Method, Step
from bench.optim import build_optimizer, learning_rate, minimise, set_learning_rate
from bench.recipe import Recipe, recipe


class Quadratic(Method):
    """loss = |w - target|^2 / 2, so that the gradient at w is w - target."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))
        self.center = nn.Parameter(torch.zeros(2))

    def step(self, batch):
        loss = 0.5 * (self.weight**2).sum() + self.center.sum() * 0
        return Step(loss, torch.zeros(1, 2))

    def parameter_groups(self, lr):
        return [{"params": [self.weight]}, {"params": [self.center], "lr": 0.5 * lr, "weight_decay": 0.0}]


BATCH = Batch(torch.zeros(1), torch.zeros(1), torch.zeros(1), 1)


def torch_rates(scheduler, epochs):
    """The rates of torch.optim.lr_scheduler itself."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    schedule = scheduler(optimizer)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        ("step", lambda o: torch.optim.lr_scheduler.StepLR(o, 10, 0.1)),
        ("exponential", lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.1)),
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40)),
    ],
)
def test_rates_are_those_of_torchs_schedulers(name, scheduler):
    chosen = Recipe(scheduler=name)
    assert [learning_rate(chosen, epoch) for epoch in range(1, 41)] == pytest.approx(torch_rates(scheduler, 40))


def test_the_recipes_of_the_paper_are_those_of_its_code():
    raf, affect = recipe("rafdb", "full"), recipe("affectnet8", "full")
    assert (raf.optimizer, raf.lr, raf.momentum, raf.weight_decay, raf.scheduler, raf.step_size, raf.gamma) == (
        "sgd",
        0.1,
        0.9,
        1e-4,
        "step",
        10,
        0.1,
    )
    assert (affect.optimizer, affect.lr, affect.weight_decay, affect.scheduler, affect.gamma, affect.sampler) == (
        "adam",
        1e-4,
        0.0,
        "exponential",
        0.6,
        "balanced",
    )
    assert {(r.epochs, r.batch_size, r.image_size) for r in (raf, affect)} == {(40, 256, 224)}
    assert recipe("rafdb-twin", "full") == raf


def test_a_group_keeps_its_ratio_to_the_recipes_rate():
    optimizer = build_optimizer(Quadratic(), Recipe(lr=0.1))
    set_learning_rate(optimizer, 0.01)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.01, 0.005])


def test_an_sgd_step_is_the_closed_form():
    method = Quadratic()
    chosen = Recipe(lr=0.1, momentum=0.9, weight_decay=0.01)
    optimizer = build_optimizer(method, chosen)
    minimise(method, BATCH, method.step(BATCH), optimizer, chosen)
    assert method.weight.tolist() == pytest.approx([3 - 0.1 * 1.01 * 3, 4 - 0.1 * 1.01 * 4])


def test_sharpness_aware_minimisation_steps_with_the_gradient_of_the_climbed_point():
    method = Quadratic()
    chosen = Recipe(lr=0.1, momentum=0.0, weight_decay=0.0, sam_rho=0.05)
    optimizer = build_optimizer(method, chosen)
    minimise(method, BATCH, method.step(BATCH), optimizer, chosen)
    # w + rho g / |g| = (3, 4) (1 + 0.05 / 5); the gradient there is the point itself
    assert method.weight.tolist() == pytest.approx([3 - 0.1 * 3 * 1.01, 4 - 0.1 * 4 * 1.01])
