"""Does the adapter train DAN as the package `dan` says, with the centres, weights and groups of the harness?"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from baselines import center_loss, dan, resnet18, settings
from bench.errors import UserError
from bench.method import Batch, Context, Method
from bench.switches import NoSettings, resolve
from dan.backbone import resnet18_trunk
from dan.options import Options

IMAGES = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(2))
BATCH = Batch(IMAGES, torch.arange(6), torch.arange(6), 1)


def context(dataset: str = "rafdb", classes: int = 7, weights: Path | None = None) -> Context:
    return Context(dataset, classes, 32, torch.arange(classes), epochs=2, batch_size=6, weights=weights)


def build(dataset: str = "rafdb", classes: int = 7, weights: Path | None = None, **switches: object) -> Method:
    torch.manual_seed(0)
    named = {name.replace("__", "."): value for name, value in switches.items()}
    return dan.build(resolve(Options, named), context(dataset, classes, weights))


def trunk_file(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """A backbone file with torchvision's names, as official ones have them."""
    names = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
    torch.manual_seed(77)
    tensors = {}
    for key, value in resnet18_trunk().state_dict().items():
        place, _, rest = key.partition(".")
        tensors[f"{names[place]}.{rest}"] = value
    path = folder / "resnet18.pth"
    torch.save({"state_dict": tensors | {"fc.weight": torch.zeros(3, 512), "fc.bias": torch.zeros(3)}}, path)
    return path, tensors


@pytest.mark.parametrize(
    ("dataset", "classes", "switches", "centers"),
    [
        ("rafdb", 7, {}, 8),
        ("rafdb-twin", 7, {}, 8),
        ("rafdb", 7, {"affinity__num_centers": "dataset"}, 7),
        ("affectnet8", 8, {}, 8),
        ("affectnet7-twin", 7, {}, 7),
        ("facial_expressions", 7, {}, 7),
    ],
)
def test_rafdb_keeps_the_official_eighth_center(
    dataset: str, classes: int, switches: dict[str, object], centers: int
) -> None:
    assert build(dataset, classes, **switches).loss.centers.shape == (centers, 512)


def test_centers_are_trained_by_the_optimiser_with_their_own_rate_and_decay() -> None:
    plain = list(build().parameter_groups(0.1))
    assert [set(group) for group in plain] == [{"params"}, {"params"}]
    own = list(build(centers__lr=10.0, centers__weight_decay=0.0).parameter_groups(0.1))
    assert own[1]["lr"] == pytest.approx(1.0)
    assert own[1]["weight_decay"] == 0.0
    optimizer = torch.optim.SGD(own, lr=0.1, momentum=0.9, weight_decay=1e-4)
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [(0.1, 1e-4), (1.0, 0.0)]


@pytest.mark.parametrize("switches", [{"centers__frozen": True}, {"affinity": "none"}])
def test_centers_that_do_not_train_are_in_no_group(switches: dict[str, object]) -> None:
    method = build(**switches)
    assert len(list(method.parameter_groups(0.1))) == 1
    assert any("centers" in key for key in method.state_dict()) is ("centers__frozen" in switches)


@pytest.mark.parametrize(
    ("switches", "parts"),
    [
        ({}, {"cross_entropy", "affinity", "partition"}),
        ({"affinity": "none"}, {"cross_entropy", "partition"}),
        ({"affinity": "center"}, {"cross_entropy", "center", "partition"}),
        ({"partition__form": "none"}, {"cross_entropy", "affinity"}),
        ({"heads": 1}, {"cross_entropy", "affinity"}),
        ({"heads": 8}, {"cross_entropy", "affinity", "partition"}),
    ],
)
def test_each_ablation_drops_its_part_of_the_loss_only(switches: dict[str, object], parts: set[str]) -> None:
    step = build(**switches).train().step(BATCH)
    assert set(step.parts) == parts
    weights = {"center": 0.01}  # lambda of the centre loss, under lambda1 = 1
    total = sum(weights.get(name, 1.0) * value for name, value in step.parts.items())
    torch.testing.assert_close(step.loss, total)
    torch.testing.assert_close(step.parts["cross_entropy"], F.cross_entropy(step.logits, BATCH.labels))


def test_all_trunk_methods_start_from_the_weights_of_the_context(tmp_path: Path) -> None:
    path, tensors = trunk_file(tmp_path)
    trunks = [
        build(weights=path).model.features,
        resnet18.build(NoSettings(), context(weights=path)).trunk,
        center_loss.build(settings.CenterLoss(), context(weights=path)).trunk,
    ]
    for trunk in trunks:
        for found, value in zip(trunk.state_dict().values(), tensors.values(), strict=True):
            assert torch.equal(found, value)


def test_a_weights_file_without_the_trunk_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "half.pth"
    torch.save({"state_dict": {"conv1.weight": torch.zeros(64, 3, 7, 7)}}, path)
    with pytest.raises(UserError, match=r"half\.pth"):
        build(weights=path)
    with pytest.raises(UserError, match=r"half\.pth"):
        resnet18.build(NoSettings(), context(weights=path))


def test_switches_that_exclude_each_other_are_a_mistake_of_the_user() -> None:
    with pytest.raises(UserError, match=r"dan: affinity\.kind = affinity divides by the variance of the centres"):
        build(centers__init="zeros")
