"""What does a method answer for images whose labels nobody shows it?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bench.feed import Feed
from bench.method import Method

BATCH = 128  # large enough to fill a device, small enough for a laptop; logits do not depend on it under `faithful`


@torch.no_grad()
def predict(method: Method, feed: Feed, batch_size: int = BATCH) -> Tensor:
    """Logits (n, C) in fp32 on the host, for all positions of the feed in order.  The method is left in evaluation
    mode."""
    method.eval()
    found = []
    for start in range(0, len(feed), batch_size):
        positions = np.arange(start, min(start + batch_size, len(feed)))
        with feed.arithmetic.forward():
            logits = method.logits(feed.plain(positions))
        found.append(logits.float())
    return torch.cat(found).cpu()
