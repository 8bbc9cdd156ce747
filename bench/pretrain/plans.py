"""How long is a pre-training?  One plan for each budget."""

from __future__ import annotations

from bench.pretrain.train import Plan

# quick is what ships: half an hour of one CPU core.  full is for a CUDA GPU and has not been run by us.
PLANS = {
    "quick": Plan(images=16_000, render_size=64, image_size=48, epochs=10),
    "full": Plan(images=120_000, render_size=144, image_size=112, epochs=20, batch_size=128),
}
