"""What does a pre-training leave?  A backbone in half precision, and beside it a JSON of how it came about and a model
card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from bench.atomic import write_bytes, write_text
from bench.data.twin.population import TwinSpec, digest
from bench.pretrain import targets
from bench.pretrain.card import Story, model_card
from bench.pretrain.faces import PRESET
from bench.pretrain.look import Look
from bench.pretrain.train import EpochLog, Plan, Regressor
from dan.backbone import TRUNK_INDEX


def backbone_bytes(model: Regressor) -> bytes:
    """The trunk under torchvision's names, fp16, as safetensors.  The same weights give the same bytes.

    Raises ValueError for a value that fp16 cannot hold.
    """
    names = {str(index): name for name, index in TRUNK_INDEX.items()}
    tensors = {}
    for key, value in sorted(model.features.state_dict().items()):
        if key.endswith("num_batches_tracked"):  # nothing reads it
            continue
        layer, _, rest = key.partition(".")
        half = value.detach().cpu().to(torch.float16).contiguous()
        if not bool(half.isfinite().all()):
            raise ValueError(f"{names[layer]}.{rest} does not fit into half precision")
        tensors[f"{names[layer]}.{rest}"] = half
    return save(tensors)


def story(plan: Plan, population: TwinSpec, logs: list[EpochLog], weights: bytes, provenance: dict[str, Any]) -> Story:
    """Everything about a pre-training that a reader may ask for, as JSON values."""
    return {
        "sha256": hashlib.sha256(weights).hexdigest(),
        "plan": asdict(plan),
        "look": asdict(Look()),
        "data": {
            "digest": digest(population, plan.render_size),
            "preset": PRESET,
            "seed": population.seed,
            "images": population.train_size,
            "held_out": population.test_size,
        },
        "targets": list(targets.NAMES),
        "shares": targets.SHARES,
        "epochs": [asdict(log) for log in logs],
        "provenance": provenance,
    }


def write(out: Path, weights: bytes, told: Story) -> tuple[Path, Path, Path]:
    """Write the weights to `out`, and `.json` and `.md` beside them; each file appears whole."""
    facts, card = out.with_suffix(".json"), out.with_suffix(".md")
    write_bytes(out, weights)
    write_text(facts, json.dumps(told, indent=1) + "\n")
    write_text(card, model_card(told))
    return out, facts, card
