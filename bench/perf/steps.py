"""What do the steps of a method cost?  Ours beside timm's, deterministic beside fastest, captured beside plain ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from baselines.cross_entropy import CrossEntropy
from bench.errors import CellError
from bench.numeric import Arithmetic, arithmetic
from bench.optim import build_optimizer
from bench.perf import clock, floor, work
from bench.perf.clock import Work
from bench.perf.contest import Absent, Contest, Row, filled
from bench.stepper import Stepper

SMALL_BATCH = 64  # where launching kernels takes a GPU's host longer than the GPU takes for them


def resnets(contest: Contest, where: work.Scene, numeric: str, extra: dict[str, Any]) -> list[Row | Absent]:
    """Ratio C; on a GPU also compiled, and `extra` gets the floor."""
    sizes, dataset, device = contest.sizes, where.dataset, contest.device
    scaled = replace(sizes, size=sizes.resnet_size, batch=sizes.resnet_batch)
    of = work.cell("resnet18", scaled, numeric)
    classes = len(dataset.classes)

    def batch(numbers: Arithmetic) -> tuple[Tensor, Tensor]:
        return work.one_batch(dataset, sizes.resnet_batch, numbers, sizes.resnet_size)

    def ours(numbers: Arithmetic) -> Work:
        steps = work.trainee(of, dataset, numbers).steps(numbers)
        return work.resident_steps(steps, *batch(numbers), contest.count)

    def timms(numbers: Arithmetic) -> Work:
        import timm

        network = CrossEntropy(timm.create_model("resnet18", num_classes=classes))
        method = network.to(device).to(memory_format=numbers.memory_format)
        who = work.Trainee(method, build_optimizer(method, of.recipe), of.recipe)
        return work.resident_steps(who.steps(numbers), *batch(numbers), contest.count)

    def compiled(numbers: Arithmetic) -> Work:
        steps = work.trainee(of, dataset, numbers).steps(numbers, work.LONG_CELL)
        return work.resident_steps(steps, *batch(numbers), contest.count)

    contenders = {"ours": contest.under(numeric, ours), "timm": contest.under(numeric, timms)}
    title, reason = "our ResNet-18 step", "measured on a GPU only: on a CPU it takes minutes and gains nothing"
    if device.type == "cuda":
        reason = _compiles(contenders, contest.under(numeric, compiled))
    samples = clock.interleaved(contenders, sizes.rounds, contest.clock)
    how = f"{numeric}, both captured" if device.type == "cuda" else numeric
    note = f"{sizes.resnet_size} px, batch {sizes.resnet_batch}, {how}"
    rows: list[Row | Absent] = [contest.row("C", f"{title} / timm's resnet18", samples, "ours", "timm", note)]
    if "compiled" in samples:
        rows.append(contest.row("C compiled", f"{title}, compiled / timm's", samples, "compiled", "timm", note))
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
        if "compiled" in samples:
            extra["floor"]["fraction_reached_compiled"] = limit.seconds * clock.rate(samples["compiled"]).median
    return rows


def determinism(contest: Contest, where: work.Scene, numeric: str) -> list[Row | Absent]:
    """Ratio D in both formats, and `fast` beside `faithful`."""
    sizes, dataset = contest.sizes, where.dataset

    def steps_of(mode: str) -> Callable[[Arithmetic], Work]:
        def made(numbers: Arithmetic) -> Work:
            who = work.trainee(work.cell("dan", sizes, mode), dataset, numbers)
            batch = work.one_batch(dataset, sizes.batch, numbers)
            return work.resident_steps(who.steps(numbers), *batch, contest.count)

        return made

    contenders = {
        f"{mode}, {kind}": contest.under(mode, steps_of(mode), deterministic=kind == "deterministic")
        for mode in ("faithful", "fast")
        for kind in ("deterministic", "fastest")
    } | {"faithful, filled": contest.under("faithful", lambda n: filled(steps_of("faithful")(n)), deterministic=True)}
    samples = clock.interleaved(contenders, sizes.rounds, contest.clock)
    what = f"DAN, {sizes.size} px, batch {sizes.batch}"
    names = {numeric: "D"}
    rows: list[Row | Absent] = [
        contest.row(
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
        contest.row(
            "D filled",
            "deterministic, new memory filled / fastest, formats of `faithful`",
            samples,
            "faithful, filled",
            "faithful, fastest",
            f"{what}; torch's default under deterministic algorithms, which the harness leaves out",
        )
    )
    rows.append(
        contest.row(
            "fast / faithful",
            "step of `fast`, fastest algorithms / step of `faithful`",
            samples,
            "fast, fastest",
            "faithful, deterministic",
            what,
        )
    )
    return sorted(rows, key=lambda row: row.name)


def captures(contest: Contest, where: work.Scene) -> list[Row | Absent]:
    """What capturing gives at two batch sizes, and compiling on top of it: DAN, the formats of `fast`."""
    if contest.device.type != "cuda":
        return [Absent("captured", "captured step / step by step", "a GPU captures; a CPU takes each step by itself")]
    sizes, rows = contest.sizes, list[Row | Absent]()
    for size in (sizes.batch, SMALL_BATCH):
        contenders = {
            "captured": _steps_of_dan(contest, where, size, lambda who, numbers: who.steps(numbers)),
            "plain": _steps_of_dan(contest, where, size, lambda who, numbers: who.step_by_step(numbers)),
        }
        samples = clock.interleaved(contenders, sizes.rounds, contest.clock)
        title, note = "captured step / step by step", f"DAN, {sizes.size} px, batch {size}"
        rows.append(contest.row(f"captured {size}", title, samples, "captured", "plain", note))
    contenders = {"captured": _steps_of_dan(contest, where, sizes.batch, lambda who, numbers: who.steps(numbers))}
    long = _steps_of_dan(contest, where, sizes.batch, lambda who, numbers: who.steps(numbers, work.LONG_CELL))
    title, note = "compiled and captured step / captured", f"DAN, {sizes.size} px, batch {sizes.batch}"
    if reason := _compiles(contenders, long):
        return [*rows, Absent("compiled", title, reason)]
    samples = clock.interleaved(contenders, sizes.rounds, contest.clock)
    return [*rows, contest.row("compiled", title, samples, "compiled", "captured", note)]


def _compiles(contenders: dict[str, Work], compiled: Work) -> str:
    """Let the compiled steps be one of the contenders if they can be taken; the reason, if they cannot."""
    try:
        compiled()
    except CellError as error:
        return str(error)
    contenders["compiled"] = compiled
    return ""


def _steps_of_dan(
    contest: Contest, where: work.Scene, size: int, made: Callable[[work.Trainee, Arithmetic], Stepper]
) -> Work:
    """Steps of DAN in `fast` on one batch of `size`, taken by the stepper that `made` gives."""
    of = work.cell("dan", replace(contest.sizes, batch=size), "fast")

    def works(numbers: Arithmetic) -> Work:
        steps = made(work.trainee(of, where.dataset, numbers), numbers)
        return work.resident_steps(steps, *work.one_batch(where.dataset, size, numbers), contest.count)

    return contest.under("fast", works)
