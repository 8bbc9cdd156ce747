"""Is a full GPU told with the batch that would fit, and is a cell's memory measured?"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.resnet18 import ResNet18
from bench import memory
from bench.cell import Start, run_cell
from bench.errors import CellError
from bench.memory import largest_batch, probed

CPU = torch.device("cpu")
MB = 10**6


def test_the_batch_that_fits_follows_the_line_through_two_peaks():
    constant, image, available = 500 * MB, 30 * MB, 10_000 * MB
    peaks = {size: constant + size * image for size in (8, 16)}
    count = largest_batch(peaks, available)
    assert count % 8 == 0
    assert constant + count * image <= 0.9 * available < constant + (count + 8) * image


def test_where_the_constant_part_alone_is_too_large_no_batch_fits():
    assert largest_batch({8: 9_500 * MB, 16: 9_600 * MB}, 10_000 * MB) is None
    assert largest_batch({8: MB, 16: MB}, 10_000 * MB) is None  # two peaks that tell nothing


def test_probing_ends_where_a_small_batch_does_not_fit():
    def step(size):
        if size > 8:
            raise torch.OutOfMemoryError

    assert probed(step, CPU) is None


def full_beyond(limit, monkeypatch):
    step = ResNet18.step

    def cramped(self, batch):
        if len(batch.images) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")
        return step(self, batch)

    monkeypatch.setattr(ResNet18, "step", cramped)


def test_a_full_gpu_ends_the_cell_with_the_batch_that_would_fit(tiny, tiny_cell, tmp_path, monkeypatch):
    full_beyond(8, monkeypatch)
    seen = []

    def peaks(step, device):
        step(8)  # a real step on 8 images goes through
        seen.append(device)
        return {8: 100 * MB, 16: 200 * MB}

    monkeypatch.setattr(memory, "probed", peaks)
    monkeypatch.setattr(memory, "within_reach", lambda device: 112 * MB)
    with pytest.raises(CellError) as caught:
        run_cell(tiny_cell, tiny, Start("key", tmp_path), CPU, {})
    said = str(caught.value)
    assert "batch size 12 and 32 px: about 8 images would fit" in said
    assert "never changed silently" in said
    assert "Tried to allocate 2.00 GiB" in said and "\n" not in said
    assert seen == [CPU]


def test_a_gpu_too_full_for_a_few_images_is_told_too(tiny, tiny_cell, tmp_path, monkeypatch):
    full_beyond(0, monkeypatch)
    with pytest.raises(CellError, match="not even 8 and 16 fit"):
        run_cell(tiny_cell, tiny, Start("key", tmp_path), CPU, {})


def test_the_peak_counts_from_where_one_begins_to_measure():
    block = np.ones(400 * MB, np.uint8)
    assert block.sum() == 400 * MB
    high = memory.peak_bytes(CPU)
    assert high >= 400 * MB
    del block
    memory.forget_peak(CPU)
    assert memory.peak_bytes(CPU) < high - 200 * MB


def test_workspaces_that_earlier_cells_left_on_a_gpu_do_not_count_as_this_cells(monkeypatch):
    held = {"now": 64 * MB, "peak": 900 * MB}  # one workspace, and what an earlier cell had at its worst

    def clear():
        held["now"] = 0

    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch._C, "_cuda_clearCublasWorkspaces", clear, raising=False)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: held.update(peak=held["now"]))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: held["peak"])
    memory.forget_peak(torch.device("cuda"))
    assert memory.peak_bytes(torch.device("cuda")) == 0
