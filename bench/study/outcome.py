"""Published against tuned: what was chosen, and does it gain anything on seeds that no trial has seen?"""

from __future__ import annotations

from collections.abc import Mapping

from bench.markdown import MISSING, Column, half_width, p_value, percent, plural, points, spans, table
from bench.record import Score
from bench.report.differences import against
from bench.stats import summarise_seeds
from bench.study.score import Scored
from bench.study.space import as_trained
from bench.study.text import FinishedTrial, Study
from bench.study.tuned import Winner


def outcome(study: Study, winner: Winner | None, found: Scored | None) -> str:
    """Published and tuned: settings, validation value, and the test split over scoring seeds."""
    if study.published is None:
        return ""
    columns = (
        Column("Row", "left"), *(Column(f"`{name}`") for name in study.identity.space), Column("Validation"),
        Column("Test"), Column("±"), Column("Balanced"), Column("±"), Column("Seeds"),
    )  # fmt: skip
    rows = [_row("published", study.published, found.published if found else {})]
    if study.best is not None:
        won = winner is not None and not winner.variant
        rows.append(
            _row("tuned (the published point won)" if won else "tuned", study.best, found.tuned if found else {})
        )
    return table(columns, rows)


def _row(label: str, trial: FinishedTrial, scores: Mapping[int, Score]) -> tuple[str, ...]:
    settings = (setting(value) for value in as_trained(trial.params).values())
    return (
        label,
        *settings,
        percent(trial.value),
        *_mean_cells(scores, "accuracy"),
        *_mean_cells(scores, "balanced_accuracy"),
        spans(scores) or MISSING,
    )


def _mean_cells(scores: Mapping[int, Score], figure: str) -> tuple[str, str]:
    if not scores:
        return MISSING, ""
    summary = summarise_seeds([getattr(score, figure) for score in scores.values()])
    return percent(summary.mean), half_width(summary.half_width)


def gain(winner: Winner | None, found: Scored | None) -> str:
    """Tuned less published on the test split, seed by seed, for accuracy and balanced accuracy."""
    if winner is None or found is None:
        return "The winner has not been scored yet."
    if not winner.variant:
        return (
            "The published point won on the validation split: tuned and published are the same cells, and the gain is "
            "zero by construction."
        )
    heads = ("Seeds", "Published", "Tuned", "Gain", "±")
    columns = (Column("Figure", "left"), *map(Column, heads), Column("p", "left"))
    rows = []
    for name, figure in (("accuracy", "accuracy"), ("balanced accuracy", "balanced_accuracy")):
        base = {seed: getattr(score, figure) for seed, score in found.published.items()}
        tuned = {seed: getattr(score, figure) for seed, score in found.tuned.items()}
        (difference,) = against(base, [(name, tuned)])
        if difference is None:
            return "Published and tuned share no finished scoring seed yet."
        shared = sorted(base.keys() & tuned.keys())
        least = f"{plural(difference.seeds, 'seed')} can reach {p_value(difference.smallest_p)} at best"
        p = f"{difference.why or p_value(difference.p or 0.0)} ({least})"
        means = (percent(sum(side[seed] for seed in shared) / len(shared)) for side in (base, tuned))
        gain = difference.summary
        rows.append((name, str(difference.seeds), *means, points(gain.mean), half_width(gain.half_width), p))
    return joined(
        table(columns, rows),
        "p: exact sign-flip test over seeds, paired; the two figures are two tests of one question.",
    )


def scored_cells(found: Scored | None, winner: Winner | None) -> tuple[str, ...]:
    """Test accuracy published and tuned, gain, its half-width and the seeds, for the overview."""
    if found is None or winner is None:
        return (MISSING, MISSING, MISSING, "", MISSING)
    shared = sorted(found.published.keys() & found.tuned.keys())
    if not shared:
        return (MISSING, MISSING, MISSING, "", MISSING)
    base = [found.published[seed].accuracy for seed in shared]
    tuned = [found.tuned[seed].accuracy for seed in shared]
    gain = summarise_seeds([b - a for a, b in zip(base, tuned, strict=True)])
    means = (percent(sum(side) / len(side)) for side in (base, tuned))
    return (*means, points(gain.mean), half_width(gain.half_width), spans(shared))


def setting(value: object) -> str:
    """A switch's value in print."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def joined(*parts: str) -> str:
    """The parts that are there, as paragraphs."""
    return "\n\n".join(part for part in parts if part)
