"""Does SCN weigh, rank and relabel as its authors' loops do?"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.scn import AS_GIVEN, Scn, first_relabelling, high_group, rank_loss, write_last
from baselines.settings import Rank, Relabel
from baselines.settings import Scn as Settings
from bench.method import Batch, Context, Step

CLASSES = 4


def method(settings: Settings | None = None, images: int = 10, epochs: int = 70) -> Scn:
    """SCN whose trunk is one convolution."""
    torch.manual_seed(0)
    context = Context("rafdb", CLASSES, 8, torch.arange(images) % CLASSES, epochs, batch_size=8)
    built = Scn(settings or Settings(), context)
    built.network.trunk = nn.Sequential(nn.Conv2d(3, 512, 3))
    return built


def batch(index: list[int], epoch: int = 1) -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(len(index), 3, 8, 8, generator=generator)
    return Batch(images, torch.tensor(index) % CLASSES, torch.tensor(index), epoch)


def relabelled_by_loop(
    labels: list[int], index: list[int], logits: Tensor, alpha: Tensor, margin: float, scope: str
) -> list[int]:
    """The authors' rule, one image after another; `labels` of the data set are changed and returned."""
    labels = list(labels)
    current = [labels[i] for i in index]
    importance = sorted(range(len(index)), key=lambda i: -alpha[i].item())[: int(0.7 * len(index))]
    for position, i in enumerate(index):
        exponentials = [math.exp(value) for value in logits[position].tolist()]
        probabilities = [value / sum(exponentials) for value in exponentials]
        best = max(range(len(probabilities)), key=probabilities.__getitem__)
        if scope == "low" and position in importance:
            continue
        if probabilities[best] - probabilities[current[position]] > margin:
            labels[i] = best
    return labels


def test_logits_are_weighted_by_an_importance_between_0_and_1() -> None:
    network = method().network.eval()
    images = batch([0, 1, 2]).images
    output = network(images)
    x = network.trunk(images).mean(dim=(2, 3))
    for i in range(3):
        alpha = 1 / (1 + math.exp(-(x[i] @ network.importance.weight[0] + network.importance.bias[0]).item()))
        assert output.alpha[i].item() == pytest.approx(alpha, rel=1e-5)
        expected = alpha * (network.fc.weight @ x[i] + network.fc.bias)
        torch.testing.assert_close(output.logits[i], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 32])
@pytest.mark.parametrize("margin", [0.07, 0.8])
def test_rank_loss_asks_for_a_margin_between_the_groups_means(size: int, margin: float) -> None:
    alpha = torch.rand(size, generator=torch.Generator().manual_seed(size))
    ordered = sorted(alpha.tolist(), reverse=True)
    tops = int(size * 0.7)
    expected = 0.0
    if 0 < tops < size:
        high, low = ordered[:tops], ordered[tops:]
        expected = max(0.0, margin - (sum(high) / len(high) - sum(low) / len(low)))
    assert rank_loss(alpha, high_group(alpha, 0.7), margin).item() == pytest.approx(expected, abs=1e-6)


def test_the_loss_is_cross_entropy_of_current_labels_plus_rank_loss() -> None:
    scn = method(Settings(rank=Rank(margin=0.9)))
    scn.relabels[2] = 3
    given = batch([0, 1, 2, 5])
    step = scn.step(given)
    current = [0, 1, 3, 1]
    cross_entropy = -sum(F.log_softmax(step.logits, 1)[i, label] for i, label in enumerate(current)) / 4
    output = scn.network(given.images)
    alpha = sorted(output.alpha.tolist(), reverse=True)
    rank = 0.9 - (sum(alpha[:2]) / 2 - sum(alpha[2:]) / 2)  # int(0.7 x 4) = 2
    assert step.loss.item() == pytest.approx(cross_entropy.item() + rank, rel=1e-5)
    assert step.parts["relabelled"].item() == 0.25


@pytest.mark.parametrize("scope", ["batch", "low"])
@pytest.mark.parametrize("seed", range(4))
def test_labels_change_as_in_the_authors_loop(scope: str, seed: int) -> None:
    scn = method(Settings(relabel=Relabel(kind=scope)))  # type: ignore[arg-type]
    index = [7, 3, 9, 0, 1, 4, 8]
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(len(index), CLASSES, generator=generator)
    alpha = torch.rand(len(index), generator=generator)
    given = batch(index, epoch=10)
    kept = {"logits": logits, "labels": given.labels, "high": high_group(alpha, 0.7)}
    scn.after_step(given, Step(torch.zeros(()), logits, kept=kept))
    original = [i % CLASSES for i in range(10)]
    found = [given if new == AS_GIVEN else new for new, given in zip(scn.relabels.tolist(), original, strict=True)]
    expected = relabelled_by_loop(original, index, logits, alpha, 0.2, scope)
    assert found == expected
    assert found != original


def test_a_new_label_stays_and_is_trained_on_in_later_epochs() -> None:
    scn = method()
    given = batch([0, 1], epoch=10)
    confident = torch.tensor([[0.0, 9.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0]])
    kept = {"logits": confident, "labels": given.labels, "high": torch.tensor([True, False])}
    scn.after_step(given, Step(torch.zeros(()), confident, kept=kept))
    assert scn.relabels[:2].tolist() == [1, AS_GIVEN]
    assert scn.step(batch([0, 1], epoch=11)).kept["labels"].tolist() == [1, 1]
    assert scn.state_dict()["relabels"][0] == 1


@pytest.mark.parametrize(("epoch", "changed"), [(9, False), (10, True), (70, True)])
def test_labels_stand_before_the_tenth_epoch(epoch: int, changed: bool) -> None:
    scn = method()
    given = batch([0, 1], epoch=epoch)
    confident = torch.tensor([[0.0, 9.0, 0.0, 0.0]] * 2)
    kept = {"logits": confident, "labels": given.labels, "high": torch.tensor([True, False])}
    scn.after_step(given, Step(torch.zeros(()), confident, kept=kept))
    assert bool((scn.relabels != AS_GIVEN).any()) == changed


@pytest.mark.parametrize(
    ("relabel", "epochs", "expected"),
    [
        (Relabel(), 70, 10),
        (Relabel(), 40, 10),
        (Relabel(), 10, 10),
        (Relabel(), 9, 2),
        (Relabel(), 5, 2),
        (Relabel(epoch=35), 20, 10),
        (Relabel(short_run="never"), 5, None),
        (Relabel(kind="none"), 70, None),
    ],
)
def test_a_short_run_relabels_from_the_same_fraction_of_training(
    relabel: Relabel, epochs: int, expected: int | None
) -> None:
    assert first_relabelling(relabel, epochs) == expected


@pytest.mark.parametrize("seed", range(5))
def test_of_several_writes_to_one_place_the_last_stands(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(0, 6, (20,), generator=generator)
    values = torch.randint(0, 100, (20,), generator=generator)
    chosen = torch.rand(20, generator=generator) < 0.4
    found = torch.full((6,), AS_GIVEN)
    write_last(found, index, values, chosen)
    expected = [AS_GIVEN] * 6
    for i, value, write in zip(index.tolist(), values.tolist(), chosen.tolist(), strict=True):
        if write:
            expected[i] = value
    assert found.tolist() == expected
