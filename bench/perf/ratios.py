"""What are the ratios A to D on this device, and is the harness still exact?  One run, everything in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from bench.numeric import Arithmetic, arithmetic
from bench.perf import clock, work
from bench.perf.clock import Work
from bench.perf.contest import Absent, Contest, Row
from bench.perf.gates import Gate, gates
from bench.perf.plan import Sizes
from bench.perf.steps import captures, determinism, resnets


@dataclass(frozen=True)
class Outcome:
    """All that one run found.  `extra` holds figures beside the ratios (the floor of ratio C)."""

    rows: tuple[Row | Absent, ...]
    gates: tuple[Gate, ...]
    extra: dict[str, Any]


def measure(device: torch.device, sizes: Sizes, say: Callable[[str], None]) -> Outcome:
    """Measure everything; `say` is told what is being done."""
    contest = Contest(device, sizes)
    numeric = "fast" if device.type == "cuda" else "faithful"
    if device.type == "cpu":
        torch.set_num_threads(1)
    rows: list[Row | Absent] = []
    extra: dict[str, Any] = {}
    say("rendering faces")
    with work.scene(sizes) as where:
        stages: dict[str, Callable[[], list[Row | Absent]]] = {
            "A and B: an epoch of DAN, the usual loop, steps on one batch": lambda: epochs(contest, where, numeric),
            "A, the data path alone": lambda: [data_path(contest, where)],
            "C: ResNet-18 beside timm's": lambda: resnets(contest, where, numeric, extra),
            "D: deterministic beside fastest": lambda: determinism(contest, where, numeric),
            "captured and compiled steps beside plain ones": lambda: captures(contest, where),
        }
        for title, stage in stages.items():
            say(title)
            found = stage()
            rows += found
            if told := [f"{row.name} {row.ratio.median:.2f}" for row in found if isinstance(row, Row)]:
                say(", ".join(told))
        say("gates: augmentation, digests")
        held = gates(where, sizes, device)
    return Outcome(tuple(rows), held, extra)


def epochs(contest: Contest, where: work.Scene, numeric: str) -> list[Row | Absent]:
    """Ratio A in `numeric` (and in `faithful`, where that is another), and B."""
    sizes, dataset = contest.sizes, where.dataset
    steps = -(-len(dataset.train) // sizes.batch)

    def harness(mode: str) -> Work:
        of = work.cell("dan", sizes, mode)
        return contest.under(mode, lambda n: work.harness_epoch(work.trainee(of, dataset, n), dataset, n))

    def resident(numbers: Arithmetic) -> Work:
        who = work.trainee(work.cell("dan", sizes, numeric), dataset, numbers)
        return work.resident_steps(who.steps(numbers), *work.one_batch(dataset, sizes.batch, numbers), steps)

    with arithmetic("faithful", contest.device) as plain:
        who = work.trainee(work.cell("dan", sizes), dataset, plain)
        usual = work.reference_epoch(who, where, sizes, contest.device)
    modes = dict.fromkeys((numeric, "faithful"))
    contenders = {f"harness {mode}": harness(mode) for mode in modes}
    contenders |= {"usual": usual, "resident": contest.under(numeric, resident)}
    samples = clock.interleaved(contenders, sizes.rounds, contest.clock)
    what = f"DAN, {len(dataset.train)} JPEG files, {sizes.size} px, batch {sizes.batch}"
    loaders = f"{sizes.workers} loader processes" if sizes.workers else "loader in the same process"
    rows: list[Row | Absent] = [
        contest.row(
            "A" if mode == numeric else f"A {mode}",
            f"harness ({mode}), end to end / official-style loop (fp32)",
            samples,
            f"harness {mode}",
            "usual",
            f"{what}; {loaders}",
        )
        for mode in modes
    ]
    title = f"harness ({numeric}), end to end / the same step on one resident batch"
    return [*rows, contest.row("B", title, samples, f"harness {numeric}", "resident", what)]


def data_path(contest: Contest, where: work.Scene) -> Row:
    """Ratio A of the data path alone."""
    sizes = contest.sizes
    with arithmetic("faithful", contest.device) as numbers:
        samples = clock.interleaved(work.data_paths(where, sizes, numbers), sizes.rounds, contest.clock)
    note = f"{min(sizes.data_images, len(where.listing.train))} images, {sizes.data_size} px, one process each"
    return contest.row(
        "A data",
        "cache and batched augmentation / decode, PIL transforms, collate",
        samples,
        "ours",
        "theirs",
        note,
    )
