"""Does reading ahead change anything but the time?  Order, errors, how far ahead, and the digest of a record."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from bench.cell import Start, run_cell
from bench.loader import AHEAD, loaded


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_batches_come_in_the_order_of_their_parts(workers):
    held = [threading.Event() for _ in range(9)]
    for event in held[1:]:
        event.set()
    threading.Timer(0.05, held[0].set).start()  # the first part is the last to be read

    def read(part):
        held[part].wait()
        return part * part

    assert list(loaded(read, range(9), workers)) == [part * part for part in range(9)]


@pytest.mark.parametrize("workers", [1, 3])
def test_nothing_is_read_further_ahead_than_agreed(workers):
    begun = []
    batches = loaded(lambda part: begun.append(part) or part, iter(range(100)), workers)
    assert next(batches) == 0
    assert len(begun) <= AHEAD * workers + 1
    batches.close()


def test_without_workers_a_part_is_read_when_it_is_asked_for():
    begun = []
    batches = loaded(lambda part: begun.append(part) or part, range(3), 0)
    assert begun == []
    next(batches)
    assert begun == [0]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_is_raised_where_its_part_is_asked_for(workers):
    batches = loaded(lambda part: 6 // (2 - part), range(5), workers)
    assert [next(batches), next(batches)] == [3, 6]
    with pytest.raises(ZeroDivisionError):
        next(batches)


@pytest.mark.parametrize("sampler", ["shuffle", "balanced"])
def test_one_record_digest_for_0_1_and_4_loader_workers(tiny, tiny_cell, tmp_path, sampler):
    recipe = replace(tiny_cell.recipe, epochs=2, batch_size=8, augment="affectnet", sampler=sampler)
    cell = replace(tiny_cell, recipe=recipe)
    digests = {
        run_cell(cell, tiny, Start("key", tmp_path / str(workers), loader_workers=workers), torch.device("cpu"), {})[
            0
        ].digest
        for workers in (0, 1, 4)
    }
    assert len(digests) == 1
