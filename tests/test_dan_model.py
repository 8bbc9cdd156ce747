"""Is the model the published one?  torchvision and a re-statement of the official step on bare tensors judge."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

import dan
from dan.backbone import resnet18_trunk
from dan.losses import DanLoss
from dan.options import Affinity, Head, Options, Spatial

BATCH, SIDE = 8, 64


def images(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0), dtype=dtype)


# --- the official training step, stated again on a dictionary of tensors ---------------------------------------------


class Restated:
    """Forward pass and losses of the official code in training mode, on the tensors of a state dict."""

    def __init__(self, tensors: dict[str, Tensor], heads: int) -> None:
        self.t, self.heads = tensors, heads

    def norm(self, x: Tensor, name: str) -> Tensor:
        return F.batch_norm(x, None, None, self.t[f"{name}.weight"], self.t[f"{name}.bias"], training=True)

    def conv(self, x: Tensor, name: str, **how) -> Tensor:
        return F.conv2d(x, self.t[f"{name}.weight"], self.t.get(f"{name}.bias"), **how)

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.t[f"{name}.weight"], self.t[f"{name}.bias"])

    def backbone(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x, "features.0", stride=2, padding=3), "features.1").relu()
        x = F.max_pool2d(x, 3, 2, 1)
        for stage, block in [(stage, block) for stage in (4, 5, 6, 7) for block in (0, 1)]:
            name = f"features.{stage}.{block}"
            stride = 2 if stage > 4 and block == 0 else 1
            y = self.norm(self.conv(x, f"{name}.conv1", stride=stride, padding=1), f"{name}.bn1").relu()
            y = self.norm(self.conv(y, f"{name}.conv2", padding=1), f"{name}.bn2")
            if stride == 2:
                x = self.norm(self.conv(x, f"{name}.downsample.0", stride=2), f"{name}.downsample.1")
            x = (y + x).relu()
        return x

    def head(self, x: Tensor, name: str) -> Tensor:
        narrow = self.norm(self.conv(x, f"{name}.sa.conv1x1.0"), f"{name}.sa.conv1x1.1")
        branches = 0
        for branch, padding in (("conv_3x3", (1, 1)), ("conv_1x3", (0, 1)), ("conv_3x1", (1, 0))):
            y = self.conv(narrow, f"{name}.sa.{branch}.0", padding=padding)
            branches = branches + self.norm(y, f"{name}.sa.{branch}.1")
        vector = (x * branches.relu().sum(1, keepdim=True)).mean((2, 3))
        hidden = self.norm(self.linear(vector, f"{name}.ca.attention.0"), f"{name}.ca.attention.1").relu()
        return vector * self.linear(hidden, f"{name}.ca.attention.3").sigmoid()

    def loss(self, x: Tensor, labels: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
        features = self.backbone(x)
        vectors = torch.stack([self.head(features, f"cat_head{j}") for j in range(self.heads)], 1)
        if self.heads > 1:
            vectors = vectors.log_softmax(1)
        logits = self.norm(self.linear(vectors.sum(1), "fc"), "bn")
        total = -logits.log_softmax(1)[torch.arange(len(labels)), labels].mean()
        distance = (features.mean((2, 3)) - centers[labels]).square().sum() / len(labels)
        total = total + distance / centers.var(0).sum()
        if self.heads > 1:
            total = total + torch.log(1 + self.heads / (vectors.var(1).mean() + sys.float_info.epsilon))
        return total, logits


# float32: both sides round, and 20 batch normalisations amplify it; double precision shows that nothing else differs.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("heads", [1, 4])
def test_one_training_step_equals_the_official_one(heads, dtype, tolerance):
    torch.manual_seed(0)
    model, criterion = dan.DAN(7, heads).to(dtype), DanLoss(7, num_centers=8).to(dtype)
    labels = torch.arange(BATCH) % 7
    names = [name for name, _ in model.named_parameters()]
    leaves = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    centers = criterion.centers.detach().clone().requires_grad_()

    expected_loss, expected_logits = Restated(leaves, heads).loss(images(dtype), labels, centers)
    expected_loss.backward()
    optimiser = torch.optim.SGD([*model.parameters(), *criterion.parameters()], 0.1, momentum=0.9, weight_decay=1e-4)
    output = model(images(dtype))
    total = criterion(output, labels).total
    total.backward()

    def close(ours: Tensor, theirs: Tensor, what: str) -> None:
        assert (ours - theirs).norm() <= tolerance * theirs.norm() + tolerance * 1e-2, what

    close(output.logits, expected_logits, "logits")
    close(total, expected_loss, "loss")
    for name, parameter in zip(names, model.parameters(), strict=True):
        close(parameter.grad, leaves[name].grad, f"gradient of {name}")
    close(criterion.centers.grad, centers.grad, "gradient of the centres")
    optimiser.step()
    for name, parameter in zip([*names, "centers"], [*model.parameters(), criterion.centers], strict=True):
        old = centers if name == "centers" else leaves[name]
        close(parameter.detach(), (old - 0.1 * (old.grad + 1e-4 * old)).detach(), f"{name} after the step")


# --- names, sizes, initialisation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", range(1, 9))
def test_parameters_by_number_of_heads(heads):
    with torch.device("meta"):
        model = dan.DAN(7, heads)
    assert sum(p.numel() for p in model.parameters()) == 13_316_021 + 2_135_904 * (heads - 1)


def test_eight_classes_have_the_parameters_of_table_6():
    with torch.device("meta"):
        model = dan.DAN(num_classes=8)
    assert sum(p.numel() for p in model.parameters()) == 19_724_248
    assert sum(p.numel() for p in model.features.parameters()) == 11_176_512


def test_the_state_dict_has_the_names_of_official_checkpoints():
    with torch.device("meta"):
        names = list(dan.DAN(7, 4).state_dict())
    trunk = nn.Sequential(*list(torchvision.models.resnet18().children())[:-2])
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    expected = [f"features.{name}" for name in trunk.state_dict()]
    for j in range(4):
        for branch in ("conv1x1", "conv_3x3", "conv_1x3", "conv_3x1"):
            expected += [f"cat_head{j}.sa.{branch}.{rest}" for rest in ("0.weight", "0.bias")]
            expected += [f"cat_head{j}.sa.{branch}.1.{rest}" for rest in norm]
        expected += [f"cat_head{j}.ca.attention.{rest}" for rest in ("0.weight", "0.bias")]
        expected += [f"cat_head{j}.ca.attention.1.{rest}" for rest in norm]
        expected += [f"cat_head{j}.ca.attention.{rest}" for rest in ("3.weight", "3.bias")]
    expected += ["fc.weight", "fc.bias", *(f"bn.{rest}" for rest in norm)]
    assert names == expected and len(names) == 275


def test_the_trunk_draws_the_weights_of_torchvision():
    torch.manual_seed(5)
    reference = torchvision.models.resnet18()
    torch.manual_seed(5)
    trunk = resnet18_trunk()
    after = torch.rand(1)
    torch.manual_seed(5)
    torchvision.models.resnet18()
    assert torch.equal(after, torch.rand(1)), "what is drawn next differs"
    theirs = nn.Sequential(*list(reference.children())[:-2]).state_dict()
    assert list(theirs) == list(trunk.state_dict())
    assert all(torch.equal(value, theirs[name]) for name, value in trunk.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_the_trunk_equals_torchvision_bit_for_bit(training):
    theirs = nn.Sequential(*list(torchvision.models.resnet18().children())[:-2]).train(training)
    trunk = resnet18_trunk().train(training)
    trunk.load_state_dict(theirs.state_dict())
    assert torch.equal(trunk(images()), theirs(images()))
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in trunk.state_dict().items())


def test_heads_are_drawn_one_after_the_other_as_the_official_constructor_does():
    torch.manual_seed(5)
    model = dan.DAN(7, 2)
    torch.manual_seed(5)
    torchvision.models.resnet18()
    for j in range(2):
        shapes = [(256, 512, 1, 1), (512, 256, 3, 3), (512, 256, 1, 3), (512, 256, 3, 1)]
        defaults = [nn.Conv2d(shape[1], shape[0], shape[2:]) for shape in shapes]
        defaults += [nn.Linear(512, 32), nn.Linear(32, 512)]
        final = [torch.randn(shape) * (2 / (shape[0] * shape[2] * shape[3])) ** 0.5 for shape in shapes]
        final += [torch.randn(32, 512) * 0.001, torch.randn(512, 32) * 0.001]
        drawn = [p for p in model.get_submodule(f"cat_head{j}").parameters() if p.dim() > 1]
        assert len(drawn) == len(defaults)
        for ours, expected in zip(drawn, final, strict=True):
            torch.testing.assert_close(ours.detach(), expected, rtol=1e-5, atol=1e-7)
    assert torch.equal(model.fc.weight, nn.Linear(512, 7).weight)


# --- outputs and switches --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> dan.DAN:
    torch.manual_seed(0)
    return dan.DAN(num_classes=7, num_heads=4).double().eval()


@torch.no_grad()
def test_heads_come_out_after_the_log_softmax(model):
    logits, features, heads = model(images(torch.float64))
    assert (logits.shape, features.shape, heads.shape) == ((BATCH, 7), (BATCH, 512, 2, 2), (BATCH, 4, 512))
    torch.testing.assert_close(heads.exp().sum(dim=1), torch.ones(BATCH, 512, dtype=torch.float64))
    raw = torch.stack([head(features) for head in model.attention_heads], dim=1)
    torch.testing.assert_close(heads, raw - raw.logsumexp(dim=1, keepdim=True))


@torch.no_grad()
@pytest.mark.parametrize("options", [Options(heads=1), Options(heads=2, fusion="none")])
def test_one_head_and_plain_fusion_give_raw_vectors(options):
    model = dan.DAN(7, options=options).eval()
    logits, features, heads = model(images())
    assert torch.equal(heads, torch.stack([head(features) for head in model.attention_heads], dim=1))
    torch.testing.assert_close(logits, model.bn(F.linear(heads.sum(1), model.fc.weight, model.fc.bias)))


@torch.no_grad()
def test_without_normalised_logits_they_are_linear_in_the_fused_vector():
    model = dan.DAN(7, options=Options(heads=2, head=Head(logit_bn=False)))
    logits, _, heads = model(images())
    torch.testing.assert_close(logits, F.linear(heads.sum(1), model.fc.weight, model.fc.bias))
    assert not any(name.startswith("bn.") for name in model.state_dict())


def test_the_spatial_switches_reach_every_head():
    spatial = Spatial(reduce="none", gate="sigmoid")
    model = dan.DAN(7, options=Options(heads=3, spatial=spatial))
    assert [head.sa.spatial_map.options for head in model.attention_heads] == [spatial] * 3


def test_the_number_of_heads_has_one_home():
    with torch.device("meta"):
        assert dan.DAN(7, 3).options.heads == dan.DAN(7, options=Options(heads=3)).options.heads == 3
        assert dan.DAN().options == Options()


@torch.no_grad()
def test_layout_in_memory_changes_the_logits_by_rounding_only(model):
    x = images(torch.float64)
    expected = model(x).logits
    nhwc = model.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    assert nhwc.features.is_contiguous(memory_format=torch.channels_last)
    assert (nhwc.logits - expected).norm() <= 1e-10 * expected.norm()


def test_bfloat16_autocast_trains_with_a_single_precision_loss():
    torch.manual_seed(0)
    model, criterion = dan.DAN(7, 2), DanLoss(7)
    labels = torch.arange(BATCH) % 7
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total = criterion(model(images()), labels).total
    total.backward()
    assert total.dtype == torch.float32
    assert total.item() == pytest.approx(criterion(model(images()), labels).total.item(), rel=0.1)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_switch_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="kind = 'centre' is not one of affinity, center, none"):
        Affinity(kind="centre")
    with pytest.raises(ValueError, match="heads = 0 must be 1 or more"):
        dan.DAN(7, 0)
    with pytest.raises(ValueError, match="center_weight = -1"):
        Affinity(center_weight=-1.0)


def test_reading_the_switches_imports_no_torch():
    code = "import sys, dan; dan.Options(); assert 'torch' not in sys.modules; dan.DAN, dan.weights.WeightsError"
    subprocess.run([sys.executable, "-c", code], check=True)
