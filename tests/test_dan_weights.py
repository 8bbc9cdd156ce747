"""Do weights files load whole, or not at all?  Files in every layout in circulation are made here, sound and broken."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

import dan
from dan.backbone import resnet18_trunk
from dan.options import Head, Options
from dan.weights import WeightsError, describe_checkpoint, load_backbone, load_dan_checkpoint

Tensors = dict[str, Tensor]


def norm(name: str, width: int) -> Tensors:
    made = {f"{name}.{rest}": torch.rand(width) + 0.5 for rest in ("weight", "bias", "running_mean", "running_var")}
    return made | {f"{name}.num_batches_tracked": torch.tensor(123)}


def official_tensors(classes: int, heads: int) -> Tensors:
    """A state dict as the official code saves it, built from its printed names and shapes."""
    torchvision_names = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
    made: Tensors = {}
    for name, value in torchvision.models.resnet18().state_dict().items():
        layer, rest = name.split(".", 1)
        if layer != "fc":
            made[f"features.{torchvision_names[layer]}.{rest}"] = value
    for j in range(heads):
        for branch, shape in {
            "conv1x1": (256, 512, 1, 1),
            "conv_3x3": (512, 256, 3, 3),
            "conv_1x3": (512, 256, 1, 3),
            "conv_3x1": (512, 256, 3, 1),
        }.items():
            name = f"cat_head{j}.sa.{branch}"
            made |= {f"{name}.0.weight": torch.rand(shape) - 0.5, f"{name}.0.bias": torch.rand(shape[0])}
            made |= norm(f"{name}.1", shape[0])
        name = f"cat_head{j}.ca.attention"
        made |= {f"{name}.0.weight": torch.rand(32, 512) - 0.5, f"{name}.0.bias": torch.rand(32)}
        made |= norm(f"{name}.1", 32)
        made |= {f"{name}.3.weight": torch.rand(512, 32) - 0.5, f"{name}.3.bias": torch.rand(512)}
    return made | {"fc.weight": torch.rand(classes, 512), "fc.bias": torch.rand(classes)} | norm("bn", classes)


def official_file(path: Path, tensors: Tensors, optimiser: str, centers: int, epoch: int) -> Path:
    """A checkpoint as the official scripts save it, after one optimiser step on the weights and the centres."""
    values = [value for name, value in tensors.items() if not name.endswith(("running_mean", "running_var", "tracked"))]
    parameters = [nn.Parameter(value.clone()) for value in values] + [nn.Parameter(torch.randn(centers, 512))]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    made = torch.optim.SGD(parameters, 0.1, momentum=0.9) if optimiser == "SGD" else torch.optim.Adam(parameters, 1e-4)
    made.step()
    torch.save({"iter": epoch, "model_state_dict": tensors, "optimizer_state_dict": made.state_dict()}, path)
    return path


def same(ours: Tensors, theirs: Tensors) -> bool:
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(autouse=True)
def no_litter(tmp_path) -> Iterator[None]:
    """pytest would keep these files, over a gigabyte, for three runs."""
    yield
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="module")
def one_head() -> Tensors:
    return official_tensors(classes=7, heads=1)


@pytest.fixture(scope="module")
def resnet18() -> Tensors:
    return torchvision.models.resnet18().state_dict()


# --- DAN checkpoints -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "heads", "optimiser", "centers", "epoch"),
    [(7, 4, "SGD", 8, 21), (8, 2, "Adam", 8, 5), (7, 1, "SGD", 7, 6)],
)
def test_an_official_checkpoint_loads_and_tells_its_training(tmp_path, classes, heads, optimiser, centers, epoch):
    tensors = official_tensors(classes, heads)
    path = official_file(tmp_path / "any_name.bin", tensors, optimiser, centers, epoch)
    before = torch.get_rng_state()
    model = load_dan_checkpoint(path)
    assert torch.equal(before, torch.get_rng_state()), "loading drew random numbers"
    assert same(model.state_dict(), tensors) and not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    info = describe_checkpoint(path)
    assert (info.epoch, info.num_classes, info.num_heads, info.num_centers) == (epoch, classes, heads, centers)
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("layout", ["bare", "module.", "state_dict", "legacy format", "safetensors"])
def test_other_layouts_of_a_dan_checkpoint_load(tmp_path, one_head, layout):
    path = tmp_path / "dan.pth"
    if layout == "safetensors":
        save_file(one_head, path)
    elif layout == "module.":
        torch.save({"model_state_dict": {f"module.{name}": value for name, value in one_head.items()}}, path)
    elif layout == "state_dict":
        torch.save({"state_dict": one_head, "epoch": 3, "args": None}, path)
    else:
        torch.save(one_head, path, _use_new_zipfile_serialization=layout == "bare")
    assert same(load_dan_checkpoint(str(path), num_classes=7).state_dict(), one_head)
    info = describe_checkpoint(path)
    assert (info.epoch, info.num_centers) == (None, None)


def test_a_checkpoint_without_normalised_logits_tells_so(tmp_path, one_head):
    torch.save({name: value for name, value in one_head.items() if not name.startswith("bn.")}, tmp_path / "dan.pth")
    assert load_dan_checkpoint(tmp_path / "dan.pth").options == Options(heads=1, head=Head(logit_bn=False))


def without(name: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("features.0.weight"), "163 of 164 tensors match; first missing: features.0.weight$"),
        (lambda t: t | {"extra.weight": torch.zeros(1)}, "164 of 164 tensors match; first unexpected: extra.weight$"),
        (lambda t: t | {"fc.bias": torch.zeros(6)}, "first wrong shape: fc.bias 6 where 7 belongs$"),
        (without("fc.weight"), "has no classifier"),
        (lambda t: {k: v for k, v in t.items() if "cat_head" not in k}, "has no attention heads"),
        (lambda t: t | {"cat_head2.x": torch.zeros(1)}, "it has cat_head2 but no cat_head1$"),
        (lambda t: t | {"fc.bias": torch.full((7,), float("nan"))}, "fc.bias holds NaN or infinity$"),
    ],
)
def test_a_checkpoint_that_differs_in_one_tensor_is_refused_by_name(tmp_path, one_head, change, message):
    torch.save({"model_state_dict": change(one_head)}, tmp_path / "dan.pth")
    with pytest.raises(WeightsError, match=message):
        load_dan_checkpoint(tmp_path / "dan.pth")


def test_another_number_of_classes_than_asked_is_refused(tmp_path, one_head):
    torch.save(one_head, tmp_path / "dan.pth")
    with pytest.raises(WeightsError, match=r"dan\.pth: is a checkpoint for 7 classes, not 8$"):
        load_dan_checkpoint(tmp_path / "dan.pth", num_classes=8)


# --- backbone files --------------------------------------------------------------------------------------------------


def write_msceleb(tensors: Tensors, path: Path) -> None:
    torch.save({"state_dict": tensors, "epoch": 9, "arch": "resnet18"}, path)


def write_msceleb_of_102(tensors: Tensors, path: Path) -> None:
    torch.save({"state_dict": {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}}, path)


def write_imagenet(tensors: Tensors, path: Path) -> None:
    torch.save(tensors, path)


def write_ijba(tensors: Tensors, path: Path) -> None:
    wide = tensors | {"feature.weight": torch.rand(87, 512), "feature.bias": torch.rand(87)}
    wide |= {"fc.weight": torch.rand(99, 512), "fc.bias": torch.rand(99)}
    saved = {"state_dict": {f"module.{name}": value for name, value in wide.items()}}
    torch.save(saved, path, _use_new_zipfile_serialization=False)


def write_without_classifier(tensors: Tensors, path: Path) -> None:
    torch.save({name: value for name, value in tensors.items() if not name.startswith("fc.")}, path)


def write_safetensors(tensors: Tensors, path: Path) -> None:
    save_file(tensors, path)


LAYOUTS = [
    write_msceleb,
    write_msceleb_of_102,
    write_imagenet,
    write_ijba,
    write_without_classifier,
    write_safetensors,
]


@pytest.mark.parametrize("write", LAYOUTS)
def test_every_layout_of_a_backbone_file_loads_all_100_tensors(tmp_path, resnet18, write):
    path = tmp_path / "resnet18.pth.tar"
    write(resnet18, path)
    trunk = resnet18_trunk()
    digest = load_backbone(trunk, path)
    expected = nn.Sequential(*list(torchvision.models.resnet18().children())[:-2])
    expected.load_state_dict(dict(zip(expected.state_dict(), resnet18.values(), strict=False)))
    assert same(trunk.state_dict(), expected.state_dict())
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_backbone_loads_into_a_dan_and_into_a_torchvision_model(tmp_path, resnet18):
    write_imagenet(resnet18, tmp_path / "resnet18.pth")
    model, plain = dan.DAN(7, 1), torchvision.models.resnet18()
    classifier = plain.fc.weight.clone()
    load_backbone(model, tmp_path / "resnet18.pth")
    load_backbone(plain, tmp_path / "resnet18.pth")
    assert torch.equal(model.features[7][1].conv2.weight, resnet18["layer4.1.conv2.weight"])
    assert torch.equal(plain.layer4[1].conv2.weight, resnet18["layer4.1.conv2.weight"])
    assert torch.equal(plain.fc.weight, classifier), "the classifier is not the backbone's"
    with pytest.raises(TypeError, match="Linear has no ResNet-18 trunk"):
        load_backbone(nn.Linear(2, 2), tmp_path / "resnet18.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("bn1.running_var"), "99 of 100 backbone tensors match; first missing: bn1.running_var$"),
        (
            lambda t: {f"backbone.{k}": v for k, v in t.items()},
            "0 of 100 .* first missing: conv1.weight; first unexpected: backbone.conv1.weight$",
        ),
        (lambda t: t | {"layer1.2.bn1.weight": torch.zeros(64)}, "first unexpected: layer1.2.bn1.weight$"),  # ResNet-34
        (lambda t: t | {"conv1.weight": torch.zeros(64, 3, 3, 3)}, "conv1.weight 64x3x3x3 where 64x3x7x7 belongs$"),
        (lambda t: t | {"bn1.weight": torch.full((64,), float("inf"))}, "bn1.weight holds NaN or infinity"),
    ],
)
def test_a_backbone_under_a_full_match_is_refused_and_leaves_the_model_alone(tmp_path, resnet18, change, message):
    torch.save({"state_dict": change(resnet18)}, tmp_path / "resnet.pth")
    trunk = resnet18_trunk()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    with pytest.raises(WeightsError, match=message):
        load_backbone(trunk, tmp_path / "resnet.pth")
    assert same(trunk.state_dict(), before)
