"""What should a user of the weights know?  The model card, written from the story of the pre-training alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.pretrain import targets

Story = dict[str, Any]  # what files.story returns

_CARD = """# Model card: ResNet-18 pre-trained on rendered faces

A ResNet-18 trunk under torchvision's names, without classifier, as fp16 safetensors,
SHA-256 `{sha256}`.
It stands in for the MS-Celeb-1M backbone of the paper, whose photographs were withdrawn in 2019. It never saw a person.

- **Data**: {images:,} pictures of rendered 3-D people (`bench/data/twin`, preset {preset}, seed {seed},
  {render_size} px, digest `{digest}`), four pictures a person; no person of any twin is among them.
  The head comes from CC0 MakeHuman assets (`bench/data/twin/NOTICE.md`).
- **Task**: regression of what the renderer set: {units} action-unit intensities, head pose, age, gender and skin tone
  as the renderer's sliders have them.
  Loss: squared error of standardised targets; shares: {shares}.
  No expression label is a target.
- **Training**: {epochs} epochs of {image_size}-pixel crops with domain randomisation (`bench/pretrain/look.py`), batch
  {batch_size}, AdamW {lr:g}, weight decay {weight_decay:g}, cosine to zero, seed {seed}, torch {torch}, {device}.
  On one machine's CPU and one version of torch, every run gives the same bits.
- **On {held_out:,} pictures of people it was not trained on**, mean coefficient of determination after the last epoch:
  {groups}. Told best: {best}.
- **Licence**: Apache-2.0, as the code that makes it.
- **Limits**: stylised faces of one parametric head, three families of ancestry shapes, {image_size}-pixel pictures: for
  larger ones it is a start and no more. Nothing is known of its fairness. These are features, no detector of
  anything. What they are worth against random weights, on twins and on photographs, stands in `results/`.
"""


def model_card(told: Story) -> str:
    """The card in Markdown (headings after Mitchell et al. 2019)."""
    last = dict(zip(told["targets"], told["epochs"][-1]["r2"], strict=True))
    units = sorted((name for name in last if name.startswith("AU")), key=lambda name: -last[name])
    facts = told["plan"] | {name: told["data"][name] for name in ("preset", "images", "held_out")}
    return _CARD.format(
        **facts,
        sha256=told["sha256"],
        digest=told["data"]["digest"][:16],
        units=len(units),
        shares=", ".join(f"{name} {share:g}" for name, share in told["shares"].items()),
        groups=", ".join(f"{name} {value:.2f}" for name, value in group_means(told).items()),
        best=", ".join(f"{name} {last[name]:.2f}" for name in units[:5]),
        torch=told["provenance"]["packages"]["torch"],
        device=told["provenance"]["device"],
    )


def group_means(told: Story, epoch: int = -1) -> dict[str, float]:
    """The mean coefficient of determination of each group of targets after an epoch (by default the last)."""
    values = np.array(told["epochs"][epoch]["r2"], dtype=np.float64)
    names = np.array([_group(name) for name in told["targets"]])
    return {name: float(np.nanmean(values[names == name])) for name in dict.fromkeys(names.tolist())}


def _group(name: str) -> str:
    if name.startswith("AU"):
        return "action units"
    return "pose" if name in targets.POSE else "attributes"
