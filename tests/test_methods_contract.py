"""Does every registered method keep the contract of bench.method?  A registry line is enough to be covered."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeCopyMode,
    FakeTensorMode,
)
from torch.nn import functional

from baselines.registry import METHODS
from bench.captured import UNTOLD
from bench.errors import CellError
from bench.method import Batch, Context, Method, Step
from bench.switches import resolve

CLASSES = 7
IMAGES = 8
SIZE = 64
STEPS = 10
LATE_EPOCHS = (10, 11)  # late enough for rules that start with an epoch, such as SCN's relabelling
LIGHT = {"vit_se": {"network": "vit_s16"}}  # the same code path at a quarter of the time
BY_EPOCH: dict[str, dict[str, object]] = {"esr9": {"schedule": "grow"}}  # what makes a step read the epoch
LABELS = torch.arange(IMAGES) % CLASSES


@dataclass(frozen=True)
class Run:
    """A short training on one batch: what each step gave, the state at the start and before the late epochs, and the
    method at the end."""

    name: str
    method: Method
    initial: dict[str, Tensor]
    steps: list[Step]
    gradients: dict[str, float]
    saved: bytes


def build(name: str, seed: int = 0, variant: dict[str, object] | None = None) -> Method:
    entry = METHODS[name]
    context = Context("rafdb", CLASSES, SIZE, LABELS.repeat(3), epochs=20, batch_size=IMAGES)
    torch.manual_seed(seed)
    return importlib.import_module(entry.module).build(resolve(entry.settings, variant or LIGHT.get(name, {})), context)


def batch(epoch: int = 1) -> Batch:
    images = torch.randn(IMAGES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5))
    return Batch(images, LABELS, torch.arange(IMAGES), epoch)


def optimizer_of(method: Method) -> torch.optim.Optimizer:
    return torch.optim.AdamW(list(method.parameter_groups(1e-3)), lr=1e-3, weight_decay=0.0)


def train_step(method: Method, optimizer: torch.optim.Optimizer, epoch: int, seed: int) -> Step:
    torch.manual_seed(seed)  # the engine seeds what randomness a step has, by epoch and step
    method.train()
    optimizer.zero_grad()
    given = batch(epoch)
    step = method.step(given)
    step.loss.backward()
    optimizer.step()
    with torch.no_grad():
        method.after_step(given, step)
    return step


def train_late(method: Method, optimizer: torch.optim.Optimizer) -> None:
    for epoch in LATE_EPOCHS:
        train_step(method, optimizer, epoch, seed=epoch)
        with torch.no_grad():
            method.after_epoch(epoch)


def state_of(method: Method) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in method.state_dict().items()}


def differing(first: dict[str, Tensor], second: dict[str, Tensor]) -> list[str]:
    assert list(first) == list(second)
    return [key for key, value in first.items() if not torch.equal(value, second[key])]


@pytest.fixture(scope="module", params=METHODS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    method = build(request.param)
    initial, gradients = state_of(method), {}
    optimizer = optimizer_of(method)
    steps = []
    for number in range(STEPS):
        steps.append(train_step(method, optimizer, epoch=1, seed=number))
        for key, value in method.named_parameters():
            largest = 0.0 if value.grad is None else value.grad.abs().max().item()
            gradients[key] = max(gradients.get(key, 0.0), largest)
    file = io.BytesIO()
    torch.save({"method": method.state_dict(), "optimizer": optimizer.state_dict()}, file)
    train_late(method, optimizer)
    yield Run(request.param, method, initial, steps, gradients, file.getvalue())


def test_logits_are_one_finite_score_for_each_image_and_class(run: Run) -> None:
    with torch.no_grad():
        scores = run.method.eval()(batch().images)
    assert scores.shape == (IMAGES, CLASSES)
    assert torch.isfinite(scores).all()
    assert all(step.logits.shape == (IMAGES, CLASSES) for step in run.steps)


def test_an_image_is_scored_alike_alone_and_among_others(run: Run) -> None:
    images = batch().images
    method = run.method.eval()
    with torch.no_grad():
        together = method.logits(images)
        alone = torch.cat([method.logits(image[None]) for image in images[:2]])
        reversed_order = method.logits(images.flip(0)).flip(0)
    near = {"rtol": 1e-4, "atol": 1e-4 * together.abs().max().item()}
    torch.testing.assert_close(alone, together[:2], **near)
    torch.testing.assert_close(reversed_order, together, **near)


def test_scoring_changes_no_state(run: Run) -> None:
    before = state_of(run.method.eval())
    with torch.no_grad():
        first, second = run.method.logits(batch().images), run.method(batch().images)
    assert torch.equal(first, second)
    assert differing(before, run.method.state_dict()) == []


def test_the_optimiser_gets_every_trainable_parameter_once(run: Run) -> None:
    groups = run.method.parameter_groups(1e-3)
    given = [id(parameter) for group in groups for parameter in group["params"]]
    wanted = [id(parameter) for parameter in run.method.parameters() if parameter.requires_grad]
    assert sorted(given) == sorted(wanted)


def test_gradient_reaches_every_trainable_parameter(run: Run) -> None:
    wanted = [key for key, value in run.method.named_parameters() if value.requires_grad]
    assert [key for key in wanted if run.gradients[key] == 0] == []


def test_the_loss_is_finite_and_falls(run: Run) -> None:
    losses = torch.stack([step.loss.detach() for step in run.steps])
    assert losses.dtype == torch.float32
    assert torch.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_one_batch_is_learnt_by_heart(run: Run) -> None:
    assert run.steps[-1].logits.argmax(dim=1).tolist() == LABELS.tolist()


def test_a_step_hands_out_scalars_for_the_log_and_detached_values_for_the_hooks(run: Run) -> None:
    step = run.steps[0]
    assert step.loss.dim() == 0
    assert all(part.numel() == 1 for part in step.parts.values())
    assert not any(value.requires_grad for value in step.kept.values())


def test_training_resumed_from_its_state_equals_the_uninterrupted_one_bit_by_bit(run: Run) -> None:
    resumed = build(run.name, seed=99)
    assert differing(run.initial, resumed.state_dict()) != [], "another seed must draw other weights"
    optimizer = optimizer_of(resumed)
    saved = torch.load(io.BytesIO(run.saved), weights_only=True)
    resumed.load_state_dict(saved["method"])
    optimizer.load_state_dict(saved["optimizer"])
    train_late(resumed, optimizer)
    assert differing(run.method.state_dict(), resumed.state_dict()) == []


def test_one_seed_builds_one_method_and_takes_one_first_step(run: Run) -> None:
    again = build(run.name)
    assert differing(run.initial, again.state_dict()) == []
    step = train_step(again, optimizer_of(again), epoch=1, seed=0)
    assert torch.equal(step.loss, run.steps[0].loss)
    assert torch.equal(step.logits, run.steps[0].logits)


def test_losses_and_own_state_stay_in_single_precision_under_autocast(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, given = build(run.name).train(), []
    cross_entropy = functional.cross_entropy

    def watched(logits: Tensor, *others: object, **options: object) -> Tensor:
        given.append(logits.dtype)
        return cross_entropy(logits, *others, **options)

    monkeypatch.setattr(functional, "cross_entropy", watched)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        step = method.step(batch())
        with torch.no_grad():
            method.after_step(batch(), step)
    assert given and set(given) == {torch.float32}
    assert step.loss.dtype == torch.float32
    assert torch.isfinite(step.loss)
    assert {key: value.dtype for key, value in method.state_dict().items()} == {
        key: value.dtype for key, value in run.initial.items()
    }


def test_a_step_waits_for_no_value_on_the_device_where_it_says_it_may_be_captured(run: Run) -> None:
    fakes = FakeTensorMode()  # tensors with shapes and no values: what would ask a GPU for one cannot run on them
    with FakeCopyMode(fakes):
        fake, given = deepcopy((build(run.name).train(), batch()))
    with fakes:
        if fake.capturable:
            fake.step(given).loss.backward()
        else:
            with pytest.raises((DataDependentOutputException, DynamicOutputShapeException)):
                fake.step(given)


def test_a_step_reads_the_epoch_only_where_it_says_so(run: Run) -> None:
    method, untold = build(run.name).train(), replace(batch(), epoch=UNTOLD)
    if method.reads_epoch:
        with pytest.raises(CellError, match="reads_epoch"):
            build(run.name, variant=BY_EPOCH.get(run.name)).train().step(untold)
    else:
        method.step(untold)
