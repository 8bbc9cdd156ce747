"""Does a captured step do what the plain one does?  On a recorder in the place of a CUDA graph; on a GPU bench.perf
holds the digests of `fast` to each other."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from recorded_graph import on_this_machine
from torch import Tensor

from bench import captured, compiled
from bench.captured import UNTOLD, WARM_STEPS, CapturedStepper, means
from bench.cell import build
from bench.data.augment import IMAGENET_MEAN, IMAGENET_STD, augment, normalisation_table
from bench.data.catalog import info
from bench.errors import CellError
from bench.feed import feed
from bench.key import sources
from bench.method import Batch, Method, Step
from bench.numeric import Arithmetic
from bench.optim import build_optimizer
from bench.perf.cell import noise
from bench.recipe import Recipe, recipe
from bench.stepper import Stepper
from bench.train import stepper, train_epoch

CPU = torch.device("cpu")
PLAIN = Arithmetic(CPU, False, torch.contiguous_format)
IMAGES, BATCH = 5 * 8 + 3, 8  # five full batches and one that is not


class Warming(Method):
    """Cross-entropy of a linear layer, times the epoch: what may not be captured once for all epochs."""

    reads_epoch = True

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 3)

    def step(self, batch: Batch) -> Step:
        logits = self.layer(batch.images.mean(dim=(2, 3)))
        loss = batch.epoch * torch.nn.functional.cross_entropy(logits, batch.labels)
        return Step(loss, logits, {"part": loss.detach() / 2})


def of_length(method: str, dataset: str, **changes: object) -> captured.Means:
    """The means for the full-budget cell of a dataset."""
    chosen = replace(recipe(dataset, "full"), **changes)  # type: ignore[arg-type]
    cell_images = sum(info(dataset).train) * chosen.epochs
    return means(made(method), chosen, cell_images)


def made(name: str) -> Method:
    from bench.spec import Cell

    labels = np.arange(IMAGES) % 3
    small = Recipe(image_size=32, batch_size=BATCH, epochs=2)
    return build(Cell("rafdb", name, (), "paper", "quick", 0, "none", small), 3, labels, None, PLAIN)


def trained(method: Method, tiny, monkeypatch, *, capture: bool) -> tuple[dict[str, Tensor], list, int]:
    """The state after two epochs, their logs, and how many graphs were captured."""
    chosen = Recipe(image_size=32, batch_size=BATCH, epochs=2, lr=1e-2, augment="rafdb")
    dataset = replace(tiny, train=noise(IMAGES, 1))
    graphs = on_this_machine(monkeypatch, list(method.state_dict().values()))
    optimizer = build_optimizer(method, chosen)
    kind = (
        CapturedStepper(method, optimizer, chosen, PLAIN, 1) if capture else Stepper(method, optimizer, chosen, PLAIN)
    )
    images = feed(dataset, "train", np.arange(IMAGES), PLAIN)
    logs = [train_epoch(kind, images, dataset.train.labels, 0, epoch) for epoch in (1, 2)]
    return method.state_dict(), logs, len(graphs)


@pytest.mark.parametrize(("name", "graphs"), [("dan", 1), ("center_loss", 1), ("warming", 2), ("scn", 0)])
def test_captured_steps_train_to_the_bits_of_plain_ones(name, graphs, tiny, monkeypatch):
    torch.manual_seed(0)
    method = Warming() if name == "warming" else made(name)
    first = {key: value.clone() for key, value in method.state_dict().items()}
    plain, plain_logs, none = trained(method, tiny, monkeypatch, capture=False)
    plain = {key: value.clone() for key, value in plain.items()}
    assert any(not torch.equal(plain[key], first[key]) for key in plain)
    method.load_state_dict(first)
    state, logs, count = trained(method, tiny, monkeypatch, capture=True)
    assert [key for key in plain if not torch.equal(state[key], plain[key])] == []
    assert logs == plain_logs
    assert (none, count) == (0, graphs)


def test_the_first_steps_of_a_process_are_taken_as_they_are_written(tiny, monkeypatch):
    method = made("resnet18")
    calls = []
    step = method.step
    method.step = lambda batch: calls.append(len(batch.labels)) or step(batch)  # type: ignore[method-assign]
    trained(method, tiny, monkeypatch, capture=True)
    # The warm-up, the capture, and the rest of each epoch: Python never sees the other six batches.
    assert calls == [BATCH] * (WARM_STEPS + 1) + [3, 3]


def test_what_is_compiled_is_decided_by_the_length_of_the_cell():
    assert of_length("resnet18", "sfew") == captured.Means(False, True, False)
    assert of_length("resnet18", "rafdb") == captured.Means(True, True, False)
    assert of_length("resnet18", "affectnet7") == captured.Means(True, True, True)


def test_what_cannot_be_captured_or_changes_with_the_epoch_is_not_compiled():
    assert of_length("scn", "affectnet7") == captured.Means(True, False, False)  # boolean indices
    assert of_length("esr9", "affectnet7") == captured.Means(True, True, False)  # branches join by epoch
    assert of_length("resnet18", "affectnet7", sam_rho=0.05) == captured.Means(True, False, False)


def test_only_a_gpu_in_fast_captures():
    method, chosen = made("resnet18"), Recipe()
    optimizer = build_optimizer(method, chosen)
    for numbers in (PLAIN, Arithmetic(CPU, True, torch.channels_last)):
        assert type(stepper(method, optimizer, chosen, numbers, 1)) is Stepper
    assert not Arithmetic(torch.device("cuda"), False, torch.contiguous_format).captures
    assert Arithmetic(torch.device("cuda"), True, torch.channels_last).captures


def test_a_step_that_reads_the_epoch_unsaid_is_told_to_say_so(tiny, monkeypatch):
    class Silent(Warming):
        reads_epoch = False

    with pytest.raises(CellError, match="give its class `reads_epoch = True`"):
        trained(Silent(), tiny, monkeypatch, capture=True)
    for use in (
        lambda: UNTOLD > 3,
        lambda: UNTOLD == 1,
        lambda: 0.1 * UNTOLD,
        lambda: int(UNTOLD),
        lambda: bool(UNTOLD),
    ):
        with pytest.raises(CellError):
            use()


def test_a_step_that_cannot_be_captured_is_one_line(tiny, monkeypatch):
    class Waiting(Warming):
        def step(self, batch: Batch) -> Step:
            if torch._C._len_torch_dispatch_stack():  # what CUDA says while it captures
                raise RuntimeError("operation not permitted when stream is capturing\nand more")
            return super().step(batch)

    with pytest.raises(CellError) as error:
        trained(Waiting(), tiny, monkeypatch, capture=True)
    assert str(error.value) == (
        "the step of Waiting cannot be captured as a CUDA graph (operation not permitted when stream is capturing): "
        "give its class `capturable = False`"
    )


def test_without_a_compiler_the_augmentation_goes_on_and_a_long_cell_says_what_to_do(tiny, monkeypatch, caplog):
    def failing(*_: object, **__: object) -> Tensor:
        raise RuntimeError("no C compiler\nand a traceback")

    monkeypatch.setattr(captured, "compiled_augment", failing)
    monkeypatch.setattr(captured, "COMPILED_AUGMENTATION_FROM", 0)
    plain, logs, _ = trained(made("resnet18"), tiny, monkeypatch, capture=False)
    with caplog.at_level(logging.WARNING):
        state, again, _ = trained(made("resnet18"), tiny, monkeypatch, capture=True)
    assert again == logs and all(torch.equal(state[key], plain[key]) for key in plain)
    assert caplog.messages == ["augmentation is not compiled, which changes no bit: no C compiler"]

    monkeypatch.setattr(captured, "COMPILED_STEPS_FROM", 0)
    monkeypatch.setattr(captured, "compiled_step", lambda method: failing)
    with pytest.raises(CellError, match=r"torch.compile failed for ResNet18 \(no C compiler\).*--numeric faithful"):
        trained(made("resnet18"), tiny, monkeypatch, capture=True)


def test_compiled_augmentation_has_the_bits_of_the_other(monkeypatch):
    from bench.data.draws import draw, preset

    # Traced and made functional as for a GPU, but run without a C++ compiler.
    traced = torch.compile(compiled.fused, backend="aot_eager", dynamic=False)
    monkeypatch.setattr(compiled, "compiled_fused", lambda: traced)
    images = torch.from_numpy(noise(12, 3).images)
    index, table = torch.tensor([7, 3, 3, 11]), normalisation_table(IMAGENET_MEAN, IMAGENET_STD)
    for name in ("rafdb", "affectnet", "sfew"):
        draws = torch.from_numpy(draw(preset(name, 32), 0, 1, index.numpy(), np.zeros(4, np.int64)))
        for layout in (torch.contiguous_format, torch.channels_last):
            found = compiled.compiled_augment(images, index, draws, table, memory_format=layout)
            assert torch.equal(found, augment(images, index, draws, table, memory_format=layout))
            assert found.is_contiguous(memory_format=layout)


def test_an_edit_of_how_steps_are_captured_stales_the_cells_of_fast_alone():
    fast, faithful = sources("dan", "fast"), sources("dan", "faithful")
    assert fast.keys() - faithful.keys() == {"bench/captured.py", "bench/compiled.py"}
    assert faithful.items() <= fast.items()


def test_what_the_compiler_made_is_kept_where_no_other_user_can_put_anything(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "where the user says")
    compiled.keep_to_oneself()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "where the user says"
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    compiled.keep_to_oneself()
    folder = tmp_path / "cache" / "dan-bench" / "compiled"
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(folder)
    assert folder.stat().st_mode & 0o077 == 0

    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # no folder can be made here
    monkeypatch.setattr(compiled.tempfile, "tempdir", str(tmp_path))
    compiled.keep_to_oneself()
    assert Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).stat().st_mode & 0o077 == 0
