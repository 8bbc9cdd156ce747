"""What does a method answer for images whose labels nobody shows it?"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.feed import Feed, HostBatch
from bench.loader import loaded
from bench.method import Method

LARGEST = {"cpu": 128, "cuda": 1024}  # a CPU core gains nothing beyond; a GPU little, but memory is there to be used
# Every batch is filled up to a multiple of this.  Matrix products treat the rows that are left over beyond their block
# otherwise than full blocks: without it the last bits of a logit would depend on the size of the batch.
UNIT = 32
log = logging.getLogger(__name__)


class EvaluationBatch:
    """How many images are answered at once: the largest size that fits, found by halving when a GPU's memory is full.

    It begins at a constant and not at a share of the free memory, so that the same machine takes the same size again.
    """

    def __init__(self, size: int) -> None:
        self.size = max(UNIT, size // UNIT * UNIT)

    @staticmethod
    def on(device: torch.device) -> EvaluationBatch:
        return EvaluationBatch(LARGEST[device.type])

    def halve(self) -> bool:
        """Whether there was something to halve."""
        if self.size == UNIT:
            return False
        self.size = max(UNIT, self.size // 2 // UNIT * UNIT)
        return True


@torch.no_grad()
def predict(method: Method, feed: Feed, batch: EvaluationBatch | None = None) -> Tensor:
    """Logits (n, C) in fp32 on the host, for all positions of the feed in order.  The method is left in evaluation
    mode.

    On a CPU the logits do not depend on the size of the batch, to the bit (tests/test_evaluation_batch.py).
    """
    method.eval()
    batch = batch or EvaluationBatch.on(feed.arithmetic.device)
    found: list[Tensor] = []
    done = 0
    while done < len(feed):
        for host in loaded(feed.host_plain, _filled(done, len(feed), batch.size), feed.workers):
            logits = _answer(method, feed, host)
            if logits is None:
                break
            found.append(logits[: len(feed) - done])  # without what the last batch was filled up with
            done += len(found[-1])
        else:
            break
        if not batch.halve():
            raise torch.OutOfMemoryError(f"not even {UNIT} images fit for evaluation")
        torch.cuda.empty_cache()
        log.warning("evaluation does not fit; going on with %d images at once", batch.size)
    return torch.cat(found).cpu()


def _filled(done: int, count: int, size: int) -> Iterator[NDArray[np.int64]]:
    """The positions from `done` to `count` in batches of `size`, the last one filled up to a multiple of UNIT."""
    for start in range(done, count, size):
        positions = np.arange(start, min(start + size, count))
        yield np.concatenate([positions, np.repeat(positions[-1:], -len(positions) % UNIT)])


def _answer(method: Method, feed: Feed, host: HostBatch) -> Tensor | None:
    """Logits (B, C) of a batch in single precision, or None where the GPU's memory is too small for it.

    A function of its own, so that an error's traceback lets go of the tensors before the next attempt.
    """
    try:
        with feed.arithmetic.forward():
            return method.logits(feed.on_device(host)).float()
    except torch.OutOfMemoryError:
        return None
