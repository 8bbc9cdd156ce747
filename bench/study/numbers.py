"""What do a study's trials say: how much did searching gain, and how sensitive is the score to the weights?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bench.record import Score
from bench.study.text import FinishedTrial, Objective, Study, objective_value

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Decade:
    """The trials of one cell of the surface: `low` to `high` for each parameter, their number and values.

    `mean` is over complete trials, None without one; `pruned` counts those stopped early, whose values say less.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    complete: int
    pruned: int
    mean: float | None
    worst: float | None


@dataclass(frozen=True)
class Sensitivity:
    """How the complete trials lie about the published point.

    `same` cannot be told from it on this validation split, `below` and `above` can.  `stopped` trials were stopped
    early, and `behind` of them were by then worse than the published point at the same step by more than chance.
    `spread` is from the worst to the best complete value.  `error` is the standard error of the published value.
    `seeds_seen` says whether the errors hold the chance of training (two tuning seeds or more) or the images' alone.
    """

    published: float
    error: float
    n_val: int
    best: float
    worst: float
    same: int
    below: tuple[FinishedTrial, ...]
    above: tuple[FinishedTrial, ...]
    seeds_seen: bool
    stopped: int
    behind: tuple[FinishedTrial, ...]

    @property
    def spread(self) -> float:
        return self.best - self.worst


def expected_best(values: Sequence[float]) -> tuple[float, ...]:
    """The expected largest of b values drawn without replacement, for b = 1..n.

    sum_i v_(i) C(i-1, b-1) / C(n, b) over the ascending values v_(i): the unbiased form (Tang et al. 2020, "Showing
    Your Work Doesn't Always Work") of the expected validation performance of Dodge et al. 2019 ("Show Your Work").
    """
    ordered = sorted(values)
    n = len(ordered)
    return tuple(
        math.fsum(value * (math.comb(place - 1, b - 1) / math.comb(n, b)) for place, value in enumerate(ordered, 1))
        for b in range(1, n + 1)
    )


def values_of(study: Study) -> tuple[float, ...]:
    """The value of every trial, a pruned one's being its last report; one that diverged at once counts as 0."""
    return tuple(0.0 if trial.value is None else trial.value for trial in study.trials)


def best_so_far(study: Study) -> tuple[float | None, ...]:
    """The best complete value after each trial; None before the first."""
    found: list[float | None] = []
    best: float | None = None
    for trial in study.trials:
        if trial.state == "complete" and trial.value is not None and (best is None or trial.value > best):
            best = trial.value
        found.append(best)
    return tuple(found)


def sensitivity(study: Study) -> Sensitivity | None:
    """Compare every complete trial with the published point (`Study.published`); None before that is complete.

    Two values differ where |difference| > z sqrt(e_1^2 + e_2^2) with the errors of `standard_error`: trials share their
    validation images, so this is conservative (it calls too many trials the same, never too few).
    """
    first, objective = study.published, study.identity.objective
    if first is None or first.state != "complete" or first.value is None:
        return None
    between = variance_of_training(study)
    error = standard_error(first.scores, objective, between)
    z = float(ndtri(0.5 + CONFIDENCE / 2))
    values = [trial.value for trial in study.complete if trial.value is not None]
    below: list[FinishedTrial] = []
    above: list[FinishedTrial] = []
    for trial in study.complete:
        if trial is first or trial.value is None:
            continue
        margin = z * math.hypot(error, standard_error(trial.scores, objective, between))
        if abs(trial.value - first.value) > margin:
            (above if trial.value > first.value else below).append(trial)
    return Sensitivity(
        published=first.value,
        error=error,
        n_val=first.scores[0].n,
        best=max(values),
        worst=min(values),
        same=len(study.complete) - 1 - len(below) - len(above),
        below=tuple(below),
        above=tuple(above),
        seeds_seen=between is not None,
        stopped=sum(trial.state == "pruned" for trial in study.trials),
        behind=tuple(trial for trial in study.trials if _was_behind(trial, first, z * math.sqrt(2) * error)),
    )


def _was_behind(trial: FinishedTrial, first: FinishedTrial, margin: float) -> bool:
    """Whether a trial was stopped at a step where the published point had more, by more than `margin`."""
    if trial.state != "pruned" or not trial.steps:
        return False
    step, value = trial.steps[-1]
    return dict(first.steps).get(step, value) - value > margin


def standard_error(scores: Sequence[Score], objective: Objective, seed_variance: float | None = None) -> float:
    """The standard error of a mean over seeds: root of p (1 - p) / n over the images plus `seed_variance` / seeds.

    p = (k + 1) / (n + 2), so that a class with no or only right answers is not taken for certain (Agresti and Caffo
    2000); for the balanced accuracy the image part is summed over the C classes and divided by C^2.  All seeds share
    the validation images, so more seeds bring no more images.
    """
    chance = 0.0 if seed_variance is None else seed_variance / len(scores)
    if objective == "accuracy":
        correct, sizes = np.array([np.mean([score.correct for score in scores])]), np.array([scores[0].n])
    else:
        correct = np.mean([score.class_correct for score in scores], axis=0)  # (C,)
        sizes = np.asarray(scores[0].class_n)
    correct, sizes = correct[sizes > 0], sizes[sizes > 0]
    p = (correct + 1) / (sizes + 2)
    return math.sqrt(float((p * (1 - p) / sizes).sum()) / len(sizes) ** 2 + chance)


def variance_of_training(study: Study) -> float | None:
    """The variance of the objective between tuning seeds of one trial, pooled over the complete trials (ddof 1 each).

    None where trials have one seed: then nothing tells the weights from the chance of training.
    """
    objective = study.identity.objective
    groups = [[objective_value(score, objective) for score in trial.scores] for trial in study.complete]
    found = [float(np.var(group, ddof=1)) for group in groups if len(group) > 1]
    return float(np.mean(found)) if found else None


def log_edges(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten that cut a logarithmic interval, with its ends."""
    inner = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    return tuple(dict.fromkeys([low, *(edge for edge in inner if low * 1.001 < edge < high / 1.001), high]))


def surface(study: Study, names: tuple[str, str], edges: tuple[Sequence[float], Sequence[float]]) -> tuple[Decade, ...]:
    """The trials in the cells of a grid over two parameters, rows of the first innermost."""
    found: list[Decade] = []
    for y in range(len(edges[1]) - 1):
        for x in range(len(edges[0]) - 1):
            low, high = (edges[0][x], edges[1][y]), (edges[0][x + 1], edges[1][y + 1])
            inside = [
                trial
                for trial in study.trials
                if all(
                    _in_bin(float(trial.params[name] or 0), edges[axis], place)
                    for axis, (name, place) in enumerate(zip(names, (x, y), strict=True))
                )
            ]
            done = [trial.value for trial in inside if trial.state == "complete" and trial.value is not None]
            mean = math.fsum(done) / len(done) if done else None
            found.append(Decade(low, high, len(done), len(inside) - len(done), mean, min(done, default=None)))
    return tuple(found)


def _in_bin(value: float, edges: Sequence[float], place: int) -> bool:
    """Half-open bins; the last one holds its upper end.  What strays outside by rounding falls in the end bins."""
    index = int(np.searchsorted(edges, value, side="right")) - 1
    return min(max(index, 0), len(edges) - 2) == place
