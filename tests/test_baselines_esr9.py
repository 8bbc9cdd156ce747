"""Do the branches of ESR-9 train and vote as its authors' do?"""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from baselines.esr9 import BRANCHES, Esr9, Esr9Network, branches_at, decide
from baselines.settings import Esr9 as Settings
from bench.method import Batch, Context

CLASSES = 5


def method(settings: Settings | None = None, epochs: int = 210) -> Esr9:
    torch.manual_seed(0)
    context = Context("rafdb", CLASSES, 64, torch.arange(4), epochs, batch_size=4)
    return Esr9(settings or Settings(), context)


def batch(epoch: int = 1) -> Batch:
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))
    return Batch(images, torch.tensor([3, 0]), torch.arange(2), epoch)


def test_it_has_the_size_of_the_published_network() -> None:
    parameters = sum(parameter.numel() for parameter in Esr9Network(8).parameters())
    assert f"{parameters / 1e6:.2f}" == "20.35"


@torch.no_grad()
@pytest.mark.parametrize("size", [32, 48, 53, 54, 64, 96])
def test_it_takes_every_image_size_and_enlarges_only_what_is_too_small(size: int) -> None:
    torch.manual_seed(0)
    network = Esr9Network(CLASSES).eval()
    seen: list[torch.Size] = []
    network.shared.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0].shape))
    assert torch.isfinite(network(torch.randn(1, 3, size, size))).all()
    assert seen == [torch.Size([1, 3, max(size, 54), max(size, 54)])]


def test_the_loss_is_the_sum_of_the_branches_cross_entropies() -> None:
    esr = method().eval()
    given = batch()
    logits = esr.network(given.images)
    assert logits.shape == (2, BRANCHES, CLASSES)
    expected = sum(F.cross_entropy(logits[:, b], given.labels).item() for b in range(BRANCHES))
    assert esr.step(given).loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_majority_decides_and_ties_go_to_the_larger_mean_probability(seed: int) -> None:
    logits = 3 * torch.randn(40, 4, CLASSES, generator=torch.Generator().manual_seed(seed))
    found = decide(logits, "majority").argmax(dim=1).tolist()
    for image, winner in zip(logits, found, strict=True):
        votes = Counter(branch.argmax().item() for branch in image)
        most = max(votes.values())
        tied = [label for label, count in votes.items() if count == most]
        mean = image.softmax(dim=1).mean(dim=0)
        assert winner == max(tied, key=lambda label: mean[label].item())


def test_the_mean_decision_is_the_logarithm_of_the_mean_probability() -> None:
    logits = torch.randn(1, 3, CLASSES, generator=torch.Generator().manual_seed(0))
    scores = decide(logits, "mean")[0]
    for label in range(CLASSES):
        mean = sum(math.exp(b[label]) / sum(math.exp(v) for v in b) for b in logits[0].tolist()) / 3
        assert scores[label].item() == pytest.approx(math.log(mean), rel=1e-5)


def test_together_all_nine_train_from_the_first_epoch() -> None:
    assert {branches_at(epoch, 40, "together") for epoch in range(1, 41)} == {9}


def test_in_a_run_as_long_as_the_authors_a_branch_joins_after_50_epochs_and_every_20() -> None:
    by_epoch = [branches_at(epoch, 210, "grow") for epoch in range(1, 211)]
    assert Counter(by_epoch) == {1: 50} | dict.fromkeys(range(2, 10), 20)
    assert by_epoch == sorted(by_epoch)


@pytest.mark.parametrize("epochs", [1, 2, 5, 40])
def test_in_every_run_branches_only_join_and_all_have_joined_in_the_end(epochs: int) -> None:
    by_epoch = [branches_at(epoch, epochs, "grow") for epoch in range(1, epochs + 1)]
    assert by_epoch == sorted(by_epoch) and by_epoch[-1] == 9
    assert epochs < 5 or by_epoch[0] == 1


def test_a_growing_ensemble_trains_and_asks_only_those_that_have_joined_also_after_a_resume() -> None:
    esr = method(Settings(schedule="grow"))
    step = esr.step(batch(epoch=51))
    step.loss.backward()
    trained = [any(p.grad is not None for p in branch.parameters()) for branch in esr.network.branches]
    assert trained == [True] * 2 + [False] * 7
    resumed = method(Settings(schedule="grow"))
    resumed.load_state_dict(esr.state_dict())
    assert int(resumed.joined) == 2
    esr.eval(), resumed.eval()
    with torch.no_grad():
        scores = resumed.logits(batch().images)
        assert torch.equal(scores, esr.logits(batch().images))
        assert torch.equal(scores, decide(esr.network(batch().images)[:, :2], "majority"))
