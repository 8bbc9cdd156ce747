"""How does a person pre-train a backbone?  The command line only."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench import command
from bench.errors import UserError

if TYPE_CHECKING:
    from bench.pretrain.train import EpochLog, Plan

EXAMPLE = """examples:
  python -m bench.pretrain --out mine.safetensors
  python -m bench.run --suite paper --pretrained rendered=mine.safetensors
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    again = "interrupted: the same command goes on from the last finished epoch"
    return command.finish(lambda: _run(options), again)


def _run(options: argparse.Namespace) -> int:
    if options.out.suffix != ".safetensors":
        raise UserError(f"--out {options.out}: give a file name that ends in .safetensors")
    command.writable(options.out.parent)
    command.writable(options.runs)
    from bench.numeric import choose_device
    from bench.pretrain.session import run

    plan = _plan(options)
    device = choose_device(options.device)
    for path in run(plan, options.out, options.runs, device, lambda log: _say(log, plan)):
        print(path)
    return 0


def _plan(options: argparse.Namespace) -> Plan:
    """The budget's plan with what the command line changes.  Raises UserError for sizes that make no sense."""
    from bench.pretrain.plans import PLANS

    chosen = {name: value for name in ("images", "epochs", "seed") if (value := getattr(options, name)) is not None}
    plan = replace(PLANS[options.budget], **chosen)
    if plan.images < 80 or plan.epochs < 1 or plan.seed < 0:
        raise UserError(
            f"--images {plan.images} --epochs {plan.epochs} --seed {plan.seed}: give at least 80 images, one epoch and "
            "a seed that is not negative"
        )
    return plan


def _say(log: EpochLog, plan: Plan) -> None:
    import numpy as np

    left = (plan.epochs - log.epoch) * log.seconds
    print(
        f"epoch {log.epoch}/{plan.epochs}: loss {log.loss:.4f}, r2 of the held-out people {np.nanmean(log.r2):.3f} "
        f"({log.seconds:.0f} s, about {left / 60:.0f} min left)",
        file=sys.stderr,
        flush=True,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.pretrain",
        description="Pre-train a ResNet-18 on rendered faces: a backbone without any real person in it.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="the weights (.safetensors); .json and a card (.md) go beside them"
    )
    parser.add_argument(
        "--budget",
        choices=("quick", "full"),
        default="quick",
        help="quick: 48-pixel crops, as shipped, about half an hour on a CPU core; full: 112-pixel crops, for a GPU",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--images", type=int, metavar="N", help="training pictures (default: the budget's)")
    parser.add_argument("--epochs", type=int, metavar="N", help="how often each is seen (default: the budget's)")
    parser.add_argument("--seed", type=int, metavar="S", help="of the people and the training (default 0)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="rendered faces, checkpoints (default runs/)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
