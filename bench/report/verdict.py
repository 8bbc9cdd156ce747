"""Does our result agree with the printed figure?  One word and one line of reason for each reported number.

The rule.  Ours are S seeds with mean m and standard deviation s (ddof 1) of the accuracy; the paper prints one figure
p, the mean of r runs (r = 1 unless it says otherwise), measured on n images.  Two kinds of chance separate m from p
although nothing is wrong:

* the run: the paper's seed is one more draw from the seeds that we see vary, so m - p varies over runs by
  a = t(S - 1) * s * sqrt(1 / S + 1 / r), the t-interval over seeds widened for r further runs;
* the images: p itself is k / n of a sample, with the Wilson interval [l, u] at its own n.  Ours are scored on the same
  test split, so their share of that chance is not added a second time.

The two are squared and added, each on its own side of p because Wilson's interval is not symmetric (Newcombe 1998,
method 10; Zou and Donner 2008, "MOVER"): d = m - p lies in [d - sqrt(a^2 + (u - p)^2), d + sqrt(a^2 + (p - l)^2)].

* `above` or `below`: that interval excludes 0.
* `consistent`: it holds 0, and our own uncertainty t(S - 1) * s / sqrt(S) is no wider than half of [l, u].  No number
  of seeds makes a comparison finer than the printed figure is, so agreement is all that can be shown from there on.
* `undecidable`: it holds 0 and our seeds are the blurrier side, or there is one seed only and hence no interval: more
  seeds could still change the answer.
* `not attainable at this n`: no count of our n prints as the figure, rounded or truncated, so it was measured on other
  images; the reason still tells the difference.
* `not comparable`: other data or a rehearsal (a twin, the open photos, the quick budget, missing images), or a row
  that is quoted only.

On the same images part of the second chance is shared, so the rule is cautious where the images dominate and keeps its
5 % where the seeds do: of 1,000 simulated papers each, it called 0.2 to 1.5 % different with little seed noise and
3 to 6.4 % with much.  Weights, backbone and selection that differ from the reported ones do not change the word; the
reason names them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from bench.metrics import Interval, wilson_interval
from bench.report.granularity import attainable, explain, prints_as, scaled
from bench.report.reported import Accuracy
from bench.stats import SeedSummary, summarise_seeds

Word = Literal["consistent", "above", "below", "undecidable", "not attainable at this n", "not comparable"]


@dataclass(frozen=True)
class Ours:
    """Our result for one table row: correct answers by seed on n scored images, with what must agree for a comparison.

    `selection` is last, best-val or best-test; `weights` the pretraining (msceleb, imagenet, none ...); `backbone` None
    if unknown.
    """

    dataset: str
    budget: str
    selection: str
    weights: str
    correct: Mapping[int, int]
    n: int
    n_expected: int
    backbone: str | None = None


@dataclass(frozen=True)
class Verdict:
    """The word, its reason in one line, and ours minus the figure (a fraction) with its interval where they exist."""

    word: Word
    reason: str
    difference: float | None = None
    interval: Interval | None = None


def judge(reported: Accuracy, ours: Ours | None, confidence: float = 0.95) -> Verdict:
    """The verdict on one reported accuracy, by the rule at the head of this file."""
    if not reported.retrained:
        return Verdict("not comparable", f"quoted only: {reported.why}")
    if ours is None or not ours.correct:
        return Verdict("undecidable", "no finished seed")
    if reason := _other_data(reported, ours):
        return Verdict("not comparable", reason)
    seeds = summarise_seeds([k / ours.n for k in ours.correct.values()], confidence)
    figure, n = _figure(reported), _size(reported, ours.n)
    difference = seeds.mean - figure
    interval = _interval(seeds, reported, n, confidence)
    unlike = _unlike(reported, ours)
    if reported.runs == 1 and not attainable(reported.figure, ours.n).possible:
        where = f" (but of {n})" if n != ours.n and attainable(reported.figure, n).possible else ""
        reason = f"{explain(reported.figure, ours.n)}{where}; ours differs by {_points(difference)}{unlike}"
        return Verdict("not attainable at this n", reason, difference, interval)
    if interval is None or seeds.half_width is None:
        return Verdict(
            "undecidable", f"one seed gives no interval; it differs by {_points(difference)}{unlike}", difference
        )
    level = f"{100 * confidence:g} %"
    span = f"{_points(difference)}, {level} interval {_points(interval.low)} to {_points(interval.high)}"
    basis = f"{seeds.n} seeds, n = {n}{unlike}"
    if interval.low > 0 or interval.high < 0:
        return Verdict("above" if interval.low > 0 else "below", f"{span} excludes 0; {basis}", difference, interval)
    own = _wilson(figure, n, confidence)
    resolution = (own.high - own.low) / 2
    if seeds.half_width > resolution:
        blur = f"our mean is known to {_points(seeds.half_width, False)}, the figure to {_points(resolution, False)}"
        return Verdict("undecidable", f"{span}, {blur}: more seeds are needed; {basis}", difference, interval)
    return Verdict("consistent", f"{span} holds 0; {basis}", difference, interval)


def judge_count(figure: str, count: int, unit: int) -> Verdict:
    """The verdict on a printed count, such as "19.72" for 19,723,733 parameters in millions (unit 10^6).

    It is exact: no interval, and no `difference`, which is one of accuracies.
    """
    if prints_as(count, unit, figure):
        return Verdict("consistent", f"{count:,} prints as {figure}")
    value, decimals = scaled(figure)
    ours = Fraction(count, unit)
    word: Word = "above" if ours > Fraction(value, 10**decimals) else "below"
    return Verdict(word, f"{count:,} prints as {float(ours):.{decimals}f}, not {figure}")


def _other_data(reported: Accuracy, ours: Ours) -> str:
    """Why the two were not measured on the same data in full, or nothing."""
    if ours.dataset != reported.dataset:
        kind = "a rendered twin of" if ours.dataset == f"{reported.dataset}-twin" else "other data than"
        return f"{ours.dataset} is {kind} {reported.dataset}, on which the figure was measured"
    if ours.budget != "full":
        return f"the {ours.budget} budget is a rehearsal: smaller images, fewer epochs and seeds than the paper's"
    if ours.n != ours.n_expected:
        return f"{ours.n} of {ours.n_expected} test images were scored"
    return ""


def _unlike(reported: Accuracy, ours: Ours) -> str:
    """The conditions that differ where both are known, as the end of a reason."""
    pairs = (
        ("backbone", reported.backbone, ours.backbone),
        ("weights", reported.pretraining, ours.weights),
        ("selection", reported.selection, ours.selection),
    )
    differing = [
        f"{name} {theirs} there, {own} here" for name, theirs, own in pairs if theirs and own and theirs != own
    ]
    return f"; {', '.join(differing)}" if differing else ""


def _interval(seeds: SeedSummary, reported: Accuracy, n: int, confidence: float) -> Interval | None:
    """The interval of ours minus the figure; None with one seed."""
    if seeds.half_width is None:
        return None
    figure = _figure(reported)
    own = _wilson(figure, n, confidence)
    # half_width is t s / sqrt(S); times sqrt(S) sqrt(1/S + 1/r) it is a.
    runs = seeds.half_width * math.sqrt(1 + seeds.n / reported.runs)
    difference = seeds.mean - figure
    return Interval(
        difference - math.hypot(runs, own.high - figure),
        difference + math.hypot(runs, figure - own.low),
    )


def _figure(reported: Accuracy) -> float:
    value, decimals = scaled(reported.figure)
    return value / (100 * 10**decimals)


def _size(reported: Accuracy, ours: int) -> int:
    """The n of the reported figure; where several are possible ours if it is one of them, else the least (the widest
    interval)."""
    return ours if ours in reported.sizes or not reported.sizes else min(reported.sizes)


def _wilson(figure: float, n: int, confidence: float) -> Interval:
    interval = wilson_interval(round(figure * n), n, confidence)
    # Where the figure is no k / n the nearest count's interval still has to enclose the figure itself.
    return Interval(min(interval.low, figure), max(interval.high, figure))


def _points(fraction: float, sign: bool = True) -> str:
    """A difference of accuracies in percentage points."""
    return f"{100 * fraction:{'+' if sign else ''}.2f} points"
