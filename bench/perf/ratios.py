"""What are the ratios A to D on this device, and is the harness still exact?  One run, everything in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from baselines.cross_entropy import CrossEntropy
from bench.numeric import Arithmetic, arithmetic
from bench.optim import build_optimizer
from bench.perf import clock, floor, work
from bench.perf.clock import Rate, Ratio, Work
from bench.perf.gates import Gate, gates
from bench.perf.plan import Sizes


@dataclass(frozen=True)
class Row:
    """One comparison: `ours` over `theirs` (their rates in images per second of the clock), and what is aimed at.

    `goal` is None where the row only informs; `note` says what was done."""

    name: str
    title: str
    ratio: Ratio
    ours: Rate
    theirs: Rate
    goal: float | None
    note: str


@dataclass(frozen=True)
class Absent:
    """A comparison that could not be made here, and why."""

    name: str
    title: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """All that one run found.  `extra` holds figures beside the ratios (the floor of ratio C)."""

    rows: tuple[Row | Absent, ...]
    gates: tuple[Gate, ...]
    extra: dict[str, Any]


GOALS = {
    "cpu": {"A": 1.0, "B": 0.97, "D": 0.98},
    "cuda": {"A": 8.0, "B": 0.95, "C": 1.0, "C compiled": 1.15, "D": 0.90},
}


def measure(device: torch.device, sizes: Sizes, say: Callable[[str], None]) -> Outcome:
    """Measure everything; `say` is told what is being done."""
    timed = Timed(device, sizes)
    numeric = "fast" if device.type == "cuda" else "faithful"
    if device.type == "cpu":
        torch.set_num_threads(1)
    say("rendering faces")
    rows: list[Row | Absent] = []
    extra: dict[str, Any] = {}
    with work.scene(sizes) as where:
        say("A and B: an epoch of DAN, the usual loop, steps on one batch")
        rows += timed.epochs(where, numeric)
        if numeric == "fast":
            rows += timed.epochs(where, "faithful")[:1]
        say("A, the data path alone")
        rows.append(timed.data_path(where))
        say("C: ResNet-18 beside timm's")
        rows += timed.resnets(where, numeric, extra)
        say("D: deterministic beside fastest")
        rows += timed.determinism(where, numeric)
        say("gates: augmentation, digests")
        found = gates(where, sizes, device)
    return Outcome(tuple(rows), found, extra)


class Timed:
    """The comparisons of one run, on one device with one clock."""

    def __init__(self, device: torch.device, sizes: Sizes) -> None:
        self.device, self.sizes = device, sizes
        self.clock = clock.clock_of(device.type)[1]
        self.goals = GOALS[device.type]

    def row(
        self, name: str, title: str, samples: dict[str, list[float]], ours: str, theirs: str, note: str = ""
    ) -> Row:
        ratio = clock.ratio(samples[ours], samples[theirs])
        return Row(
            name, title, ratio, clock.rate(samples[ours]), clock.rate(samples[theirs]), self.goals.get(name), note
        )

    def under(self, numeric: str, made: Callable[[Arithmetic], Work], *, deterministic: bool | None = None) -> Work:
        """The work that `made` gives, in a numeric mode, which is set up and taken back around every call.

        `deterministic`, where given, overrides the mode: the algorithms alone change, not the formats.
        """
        with arithmetic(numeric, self.device) as numbers:
            inner = made(numbers)

        def run() -> int:
            with arithmetic(numeric, self.device), algorithms(deterministic):
                return inner()

        return run

    def epochs(self, where: work.Scene, numeric: str) -> list[Row | Absent]:
        sizes, dataset = self.sizes, where.dataset
        of = work.cell("dan", sizes, numeric)
        steps = -(-len(dataset.train) // sizes.batch)

        def resident(numbers: Arithmetic) -> Work:
            batch = work.one_batch(dataset, sizes.batch, numbers)
            return work.resident_steps(work.trainee(of, dataset, numbers), *batch, numbers, steps)

        with arithmetic("faithful", self.device) as plain:
            usual = work.reference_epoch(
                work.trainee(work.cell("dan", sizes), dataset, plain), where, sizes, self.device
            )
        samples = clock.interleaved(
            {
                "harness": self.under(numeric, lambda n: work.harness_epoch(work.trainee(of, dataset, n), dataset, n)),
                "usual": usual,
                "resident": self.under(numeric, resident),
            },
            sizes.rounds,
            self.clock,
        )
        what = f"DAN, {len(dataset.train)} JPEG files, {sizes.size} px, batch {sizes.batch}"
        loaders = f"{sizes.workers} loader processes" if sizes.workers else "loader in the same process"
        ours = "" if numeric == ("fast" if self.device.type == "cuda" else "faithful") else f" {numeric}"
        return [
            self.row(
                f"A{ours}",
                f"harness ({numeric}), end to end / official-style loop (fp32)",
                samples,
                "harness",
                "usual",
                f"{what}; {loaders}",
            ),
            self.row(
                "B",
                f"harness ({numeric}), end to end / the same step on one resident batch",
                samples,
                "harness",
                "resident",
                what,
            ),
        ]

    def data_path(self, where: work.Scene) -> Row:
        sizes = self.sizes
        with arithmetic("faithful", self.device) as numbers:
            samples = clock.interleaved(work.data_paths(where, sizes, numbers), sizes.rounds, self.clock)
        note = f"{min(sizes.data_images, len(where.listing.train))} images, {sizes.data_size} px, one process each"
        return self.row(
            "A data",
            "cache and batched augmentation / decode, PIL transforms, collate",
            samples,
            "ours",
            "theirs",
            note,
        )

    def resnets(self, where: work.Scene, numeric: str, extra: dict[str, Any]) -> list[Row | Absent]:
        sizes, dataset, device = self.sizes, where.dataset, self.device
        scaled = replace(sizes, size=sizes.resnet_size, batch=sizes.resnet_batch)
        of = work.cell("resnet18", scaled, numeric)
        classes = len(dataset.classes)

        def batch(numbers: Arithmetic) -> tuple[Tensor, Tensor]:
            return work.one_batch(dataset, sizes.resnet_batch, numbers, sizes.resnet_size)

        def ours(numbers: Arithmetic) -> Work:
            return work.resident_steps(work.trainee(of, dataset, numbers), *batch(numbers), numbers, 2)

        def timms(numbers: Arithmetic) -> Work:
            import timm

            network = CrossEntropy(timm.create_model("resnet18", num_classes=classes))
            method = network.to(device).to(memory_format=numbers.memory_format)
            who = work.Trainee(method, build_optimizer(method, of.recipe), of.recipe)
            return work.resident_steps(who, *batch(numbers), numbers, 2)

        def compiled(numbers: Arithmetic) -> Work:
            who = work.trainee(of, dataset, numbers)
            who.method.step = torch.compile(who.method.step)  # type: ignore[method-assign]
            steps = work.resident_steps(who, *batch(numbers), numbers, 2)
            steps()  # compiles here, or says why it cannot
            return steps

        contenders = {"ours": self.under(numeric, ours), "timm": self.under(numeric, timms)}
        title, reason = "our ResNet-18 step", "measured on a GPU only: on a CPU it takes minutes and gains nothing"
        if device.type == "cuda":
            try:
                contenders["compiled"] = self.under(numeric, compiled)
            except Exception as error:  # whatever a compiler says where it lacks something
                reason = f"torch.compile failed: {type(error).__name__}: {str(error).splitlines()[0]}"
        samples = clock.interleaved(contenders, sizes.rounds, self.clock)
        note = f"{sizes.resnet_size} px, batch {sizes.resnet_batch}, {numeric}"
        rows: list[Row | Absent] = [self.row("C", f"{title} / timm's resnet18", samples, "ours", "timm", note)]
        if "compiled" in samples:
            rows.append(self.row("C compiled", f"{title}, compiled / timm's", samples, "compiled", "timm", note))
        else:
            rows.append(Absent("C compiled", f"{title}, compiled / timm's", reason))
        if device.type == "cuda":
            with arithmetic(numeric, device) as numbers:
                network = work.trainee(of, dataset, numbers).method
                limit = floor.measured(network, sizes.resnet_size, device)
            extra["floor"] = {
                "bandwidth_bytes_per_second": limit.bandwidth,
                "products_flop_per_second": limit.products,
                "seconds_per_image": limit.seconds,
                "fraction_reached": limit.seconds * clock.rate(samples["ours"]).median,
            }
        return rows

    def determinism(self, where: work.Scene, numeric: str) -> list[Row | Absent]:
        sizes, dataset = self.sizes, where.dataset

        def steps_of(mode: str) -> Callable[[Arithmetic], Work]:
            def made(numbers: Arithmetic) -> Work:
                who = work.trainee(work.cell("dan", sizes, mode), dataset, numbers)
                return work.resident_steps(who, *work.one_batch(dataset, sizes.batch, numbers), numbers, 3)

            return made

        contenders = {
            f"{mode}, {kind}": self.under(mode, steps_of(mode), deterministic=kind == "deterministic")
            for mode in ("faithful", "fast")
            for kind in ("deterministic", "fastest")
        } | {"faithful, filled": self.under("faithful", lambda n: filled(steps_of("faithful")(n)), deterministic=True)}
        samples = clock.interleaved(contenders, sizes.rounds, self.clock)
        what = f"DAN, {sizes.size} px, batch {sizes.batch}"
        names = {numeric: "D"}
        rows: list[Row | Absent] = [
            self.row(
                names.get(mode, f"D {mode}"),
                f"deterministic / fastest algorithms, formats of `{mode}`",
                samples,
                f"{mode}, deterministic",
                f"{mode}, fastest",
                what,
            )
            for mode in ("faithful", "fast")
        ]
        rows.append(
            self.row(
                "D filled",
                "deterministic, new memory filled / fastest, formats of `faithful`",
                samples,
                "faithful, filled",
                "faithful, fastest",
                f"{what}; torch's default under deterministic algorithms, which the harness leaves out",
            )
        )
        rows.append(
            self.row(
                "fast / faithful",
                "step in bf16, channels last / step in fp32, deterministic",
                samples,
                "fast, fastest",
                "faithful, deterministic",
                what,
            )
        )
        return sorted(rows, key=lambda row: row.name)


def filled(inner: Work) -> Work:
    """`inner` where deterministic algorithms fill new memory before it is written (torch.utils.deterministic)."""

    def run() -> int:
        switches: Any = torch.utils.deterministic
        before = switches.fill_uninitialized_memory
        switches.fill_uninitialized_memory = True
        try:
            return inner()
        finally:
            switches.fill_uninitialized_memory = before

    return run


@contextmanager
def algorithms(deterministic: bool | None) -> Iterator[None]:
    """Deterministic algorithms, or whatever is fastest (cuDNN searches); None leaves them as they are."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if deterministic is not None:
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = not deterministic
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
