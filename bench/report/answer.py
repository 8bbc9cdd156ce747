"""Does the paper hold, in one paragraph?  Sentences made from the verdicts and the paired differences, hedged as the
runs are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.cost import Cost
from bench.data.catalog import TWINS, info, title
from bench.markdown import count, half_width, plural, points, spans
from bench.report import reported as printed
from bench.report.all_verdicts import Judged, of_the_paper
from bench.report.judged import impossible
from bench.report.reported import Reported
from bench.report.seed_by_seed import collapsed
from bench.report.table_lines import layout
from bench.report.table_rows import HEADLINE, ORACLE, Finished, Trained, same_images
from bench.report.verdicts_page import DECIDED, count_verdicts
from bench.spec import Suite, Table
from bench.stats import SeedSummary, summarise_seeds

CONTROL = "resnet18"  # the paper's baseline: the same trunk without the attention network


@dataclass(frozen=True)
class Gain:
    """The reference method less the control on one dataset, paired by seed; what choosing the epoch on test images
    adds to the reference; whether its accuracy is below that of always answering the most frequent class; and the seeds
    of either whose training collapsed onto one class."""

    dataset: str
    budget: str
    n_test: int
    difference: SeedSummary
    oracle: float
    below_floor: bool
    reference_collapsed: tuple[int, ...]
    control_collapsed: tuple[int, ...]


def sentences(
    found: Sequence[Judged], sizes: Sequence[tuple[printed.Cost, Cost]], gains: Sequence[Gain], against: str
) -> list[str]:
    """The answer, a sentence each; empty ones left out."""
    own = of_the_paper(found)
    listed = [
        _verdicts(own),
        _impossible(own),
        _sizes(sizes),
        *_gains(gains, against),
        _floor(gains, against),
        _collapse(gains, against),
        _oracle(gains, against),
    ]
    return [text for text in listed if text]


def gains_of(table: Table, datasets: Sequence[str], suite: Suite, finished: Finished, reported: Reported) -> list[Gain]:
    """Reference less control on each dataset where both were run on the same images with a common seed."""
    found = []
    for dataset in datasets:
        lines = layout(table, dataset, suite, finished, reported).lines
        rows = [line.trained for line in lines if line.trained and line.trained.records]
        reference = _first(rows, table.reference)
        control = _first(rows, CONTROL)
        if reference and control and same_images(reference, control) and (gain := _gain(reference, control, suite)):
            found.append(gain)
    return found


def rehearsal(finished: Finished) -> str:
    """The first line of the report: what kind of runs its numbers come from."""
    budgets = {str(record.cell["budget"]) for record in finished.records.values()}
    datasets = {str(record.cell["dataset"]) for record in finished.records.values()}
    if not budgets:
        return "Nothing has been run yet: this page holds only what needs no training."
    licensed = [name for name in datasets if name not in TWINS and info(name).licensed]
    where = _joined(
        [
            *(["the licensed datasets"] if licensed else []),
            *(["rendered twins (computer-made faces, not the licensed photos)"] if datasets & TWINS.keys() else []),
            *(["open photos"] if any(not info(name).licensed for name in datasets - TWINS.keys()) else []),
        ]
    )
    if budgets == {"quick"}:
        return (
            f"**Rehearsal.** Every accuracy here comes from the quick budget (small images, few epochs, few seeds) on "
            f"{where}. It shows that the machinery works, not what a method is worth."
        )
    if not licensed:
        return f"**Not the paper's data.** Every accuracy here was measured on {where}; none compares with the paper's."
    mixed = " Tables of the quick budget are rehearsals and say so." if "quick" in budgets else ""
    return f"Accuracies here were measured on {where}.{mixed}"


def _verdicts(own: Sequence[Judged]) -> str:
    if not own:
        return ""
    words = Counter(each.verdict.word for each in own)
    decided = sum(words[word] for word in DECIDED)
    if not decided:
        return (
            f"None of the paper's {len(own)} accuracies is confirmed or refuted here: that takes its own photos at "
            "full size, and no such run is among these results."
        )
    split = ", ".join(f"{words[word]} {word}" for word in DECIDED if words[word])
    rest = f"; {len(own) - decided} stay open" if decided < len(own) else ""
    return f"Of the paper's {len(own)} accuracies, {decided} were put to the test at full size: {split}{rest}."


def _impossible(own: Sequence[Judged]) -> str:
    """The paper's own measurements (not those that it quotes) that cannot be a count of the stated test images."""
    figures: dict[str, dict[str, None]] = {}
    for each in own:
        if impossible(each.figure) and each.figure.citation is None:
            figures.setdefault(info(each.figure.dataset).title, {})[each.figure.figure] = None
    if not figures:
        return ""
    listed = _joined([f"{' and '.join(values)} on {dataset}" for dataset, values in figures.items()])
    return f"Without any run: {listed} cannot be a whole number of images out of the test size that the paper states."


def _sizes(sizes: Sequence[tuple[printed.Cost, Cost]]) -> str:
    verdicts = [verdict.word for figure, cost in sizes for verdict in count_verdicts(figure, cost)]
    right = verdicts.count("consistent")
    if not verdicts:
        return ""
    all_of = "All" if right == len(verdicts) else f"{right} of"
    return f"{all_of} {len(verdicts)} printed parameter and operation counts of Table 6 come out to the last digit."


def _gains(gains: Sequence[Gain], against: str) -> list[str]:
    if not gains:
        return []
    listed = []
    for gain in gains:
        half = gain.difference.half_width
        interval = f" ± {half_width(half)}" if half is not None else " (one seed, no interval)"
        where = f"{_short(gain.dataset)}, n = {count(gain.n_test)}"
        listed.append(f"{points(gain.difference.mean)}{interval} ({where}, {plural(gain.difference.n, 'seed')})")
    budgets = {gain.budget for gain in gains}
    kind = "In the rehearsal" if budgets == {"quick"} else "Under one recipe"
    return [f"{kind} {against} differs from ResNet-18 by {_joined(listed)} points: {_shown(gains)}."]


def _shown(gains: Sequence[Gain]) -> str:
    """What the intervals of the differences say."""
    intervals = [(gain.difference.mean, half) for gain in gains if (half := gain.difference.half_width) is not None]
    clear = sum(abs(mean) > half for mean, half in intervals)
    if not intervals:
        return "single seeds show no gain"
    if len(intervals) == 1:
        return "the interval excludes 0" if clear else "the interval includes 0, so no gain is shown"
    if not clear:
        return "none of these intervals excludes 0, so no gain is shown"
    return f"{clear} of {len(intervals)} such intervals exclude{'s' * (clear == 1)} 0, uncorrected for their number"


def _floor(gains: Sequence[Gain], against: str) -> str:
    """A warning where the networks have hardly learnt."""
    below = sum(gain.below_floor for gain in gains)
    if not below:
        return ""
    where = "everywhere" if below == len(gains) else f"on {below} of {len(gains)} datasets"
    return (
        f"Beware: {where} {against} answers fewer test images correctly than always naming the most frequent class "
        "would, so these networks have learnt little and their differences say little."
    )


def _collapse(gains: Sequence[Gain], against: str) -> str:
    """A warning where a seed has learnt one class alone: it decides the mean and the width of the interval."""
    listed = [
        f"{name} with seed{'s' * (len(seeds) > 1)} {spans(seeds)} on {_short(gain.dataset)}"
        for gain in gains
        for name, seeds in ((against, gain.reference_collapsed), ("ResNet-18", gain.control_collapsed))
        if seeds
    ]
    if not listed:
        return ""
    return (
        f"Training collapsed onto one class: {_joined(listed)}; that counts in the means and intervals, and each table "
        "lists its seeds one by one."
    )


def _oracle(gains: Sequence[Gain], against: str) -> str:
    if not gains:
        return ""
    low, high = min(gain.oracle for gain in gains), max(gain.oracle for gain in gains)
    span = points(low) if low == high else f"{points(low)} to {points(high)}"
    return (
        f"Choosing the epoch on the test images, as the paper does, adds {span} points to {against} in the same runs."
    )


def _first(rows: Sequence[Trained], method: str) -> Trained | None:
    return next((row for row in rows if row.row.method == method and not row.row.variant), None)


def _gain(reference: Trained, control: Trained, suite: Suite) -> Gain | None:
    headline = HEADLINE[suite.protocol]
    ours, theirs = reference.accuracies(headline), control.accuracies(headline)
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds or reference.conditions is None:
        return None
    oracle = reference.accuracies(ORACLE)
    added = summarise_seeds([oracle[seed] - ours[seed] for seed in ours]).mean
    difference = summarise_seeds([ours[seed] - theirs[seed] for seed in seeds])
    sizes = next(iter(reference.records.values())).data.test_per_class
    below = summarise_seeds(list(ours.values())).mean < max(sizes) / sum(sizes)
    shared = reference.conditions
    lost = collapsed(reference, headline), collapsed(control, headline)
    return Gain(reference.dataset, shared.budget, shared.n_test, difference, added, below, *lost)


def _short(dataset: str) -> str:
    """A dataset's title without saying again that twins are rendered."""
    return title(dataset).replace(" (rendered faces)", "")


def _joined(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)
