"""What does a method answer for images whose labels nobody shows it?"""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

from bench.feed import Feed
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
        positions = np.arange(done, min(done + batch.size, len(feed)))
        logits = _answer(method, feed, positions)
        if logits is not None:
            found.append(logits)
            done += len(positions)
        elif batch.halve():
            torch.cuda.empty_cache()
            log.warning("evaluation does not fit; going on with %d images at once", batch.size)
        else:
            raise torch.OutOfMemoryError(f"not even {UNIT} images fit for evaluation")
    return torch.cat(found).cpu()


def _answer(method: Method, feed: Feed, positions: np.ndarray) -> Tensor | None:
    """Logits (B, C) of these positions, or None where the GPU's memory is too small for them.

    A function of its own, so that an error's traceback lets go of the tensors before the next attempt.
    """
    filled = np.concatenate([positions, np.repeat(positions[-1:], -len(positions) % UNIT)])
    try:
        with feed.arithmetic.forward():
            logits = method.logits(feed.plain(filled))
    except torch.OutOfMemoryError:
        return None
    return logits[: len(positions)].float()
