"""What did a study find?  One page a study: published against tuned, how sensitive, what mattered, every trial.

Made from results/studies, results/tuned and results/records; no database, no training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.atomic import write_text
from bench.data.catalog import title
from bench.markdown import (
    MISSING,
    Column,
    Page,
    Section,
    count,
    link,
    percent,
    plural,
    spans,
    table,
)  # fmt: skip
from bench.plan import duration
from bench.report.footers import COLUMNS, NUMERIC, PROTOCOLS
from bench.spec import slug
from bench.study.importance import FEWEST, Importance, importances
from bench.study.numbers import expected_best, values_of
from bench.study.outcome import gain, joined, outcome, scored_cells, setting
from bench.study.score import Scored, scored
from bench.study.sensitivity import answer, surface_table
from bench.study.space import as_trained
from bench.study.text import Study
from bench.study.tuned import Winner, budgets_line, load_all, winner_path

MADE_BY = "Rendered from `results/` by `python -m bench.tune --report`; not edited by hand."
OBJECTIVES = {"accuracy": "accuracy", "balanced-accuracy": "balanced accuracy (mean recall over the classes)"}
INDEX = "README.md"


def page(study: Study, winner: Winner | None, found: Scored | None, pictures: Mapping[str, str]) -> Page:
    """A study's page.  `pictures` maps surface, history and expected to the file names of the figures that exist."""
    identity = study.identity
    return Page(
        heading=f"Study: {identity.method} on {title(identity.dataset)}",
        status=_status(study),
        table=outcome(study, winner, found),
        sections=(
            Section("Gain on unseen seeds", gain(winner, found)),
            Section(
                "Is the score sensitive to the weights?",
                joined(answer(study), surface_table(study), _image(pictures, "surface")),
            ),
            Section("Importance", _importance(study, importances(study))),
            Section(
                "What searching bought",
                joined(_bought(study), _image(pictures, "history"), _image(pictures, "expected")),
            ),
            Section("Trials", _trials(study)),
        ),
        footers=_footers(study),
        made_by=MADE_BY,
    )


def overview(studies: Sequence[Study], winners: Mapping[str, Winner], found: Mapping[str, Scored]) -> Page:
    """All studies side by side; says whether the compared methods were searched equally long."""
    comparable: dict[tuple[str, str], dict[str, int]] = {}
    for study in studies:
        group = comparable.setdefault((study.identity.dataset, study.identity.budget), {})
        group[study.name] = len(study.trials)
    lines = [
        f"{title(dataset)}, {budget}: {budgets_line(group)}"
        for (dataset, budget), group in comparable.items()
        if len(group) > 1
    ]
    rows = []
    for study in studies:
        winner, scores = winners.get(study.name), found.get(study.name)
        rows.append(
            (
                title(study.identity.dataset),
                study.identity.method,
                study.identity.budget,
                link(study.name, f"{study.name}.md"),
                count(len(study.trials)),
                percent(study.published.value if study.published else None),
                percent(study.best.value if study.best else None),
                *scored_cells(scores, winner),
            )
        )
    left = ("Dataset", "Method", "Budget", "Study")
    right = (
        "Trials", "Validation, published", "Validation, best", "Test, published", "Test, tuned", "Gain", "±", "Seeds",
    )  # fmt: skip
    columns = (*(Column(head, "left") for head in left), *map(Column, right))
    status = "Weights tuned on validation splits, then scored on the test split with seeds that no trial has seen."
    return Page(
        "Studies", "  ".join((status, *lines)), table(columns, rows), footers=(_READING, COLUMNS[0]), made_by=MADE_BY
    )


def render(results: Path, studies: Sequence[Study]) -> tuple[Path, ...]:
    """Write pages, figures and their data for every study, and the overview.  Returns the pages."""
    from bench.study.figures import draw

    winners = {winner.study: winner for winner in load_all(results)}
    # A winner that was frozen when the study was shorter is not this study's.
    winners = {study.name: winners[study.name] for study in studies if _fits(study, winners.get(study.name))}
    found = {study.name: scored(results, study, winners[study.name]) for study in studies if study.name in winners}
    folder, written = results / "studies", []
    for study in studies:
        pictures = draw(study, folder)
        path = folder / f"{study.name}.md"
        write_text(path, page(study, winners.get(study.name), found.get(study.name), pictures).text())
        written.append(path)
    write_text(folder / INDEX, overview(studies, winners, found).text())
    return (*written, folder / INDEX)


_READING = (
    "The validation figure of the best trial is a maximum over trials and so too high.  The gain is the paired "
    "difference on the test split over scoring seeds, with the half-width of its 95 % t-interval."
)


def _fits(study: Study, winner: Winner | None) -> bool:
    return winner is not None and winner.study_digest == study.digest


def _status(study: Study) -> str:
    identity = study.identity
    rehearsal = "**Rehearsal** (quick budget)" if identity.budget == "quick" else "Full budget"
    order = "" if study.order_repeatable else "  Trials ran side by side: the order of proposals is not repeatable."
    return (
        f"{rehearsal}: {plural(len(study.trials), 'trial')} by validation {OBJECTIVES[identity.objective]}; "
        f"no test label was read before the winner was frozen.{order}"
    )


def _importance(study: Study, found: Sequence[Importance]) -> str:
    if len(study.identity.space) < 2:
        return ""
    if not found:
        have = plural(len(study.complete), "complete trial")
        return f"Not estimated: it takes {FEWEST} complete trials that differ in value; this study has {have}."
    columns = (Column("Parameter", "left"), Column("fANOVA"), Column("PED-ANOVA"))
    rows = [(f"`{each.name}`", f"{each.fanova:.2f}", f"{each.ped_anova:.2f}") for each in found]
    return joined(
        table(columns, rows),
        "Shares of 1, from the complete trials.  fANOVA (Hutter et al. 2014): of the variance that a random forest "
        "explains over the whole space.  PED-ANOVA (Watanabe et al. 2023): of what tells the best tenth of the trials "
        "from the rest.  Trials crowd where the sampler hopes; where the two disagree, the trials do not decide.",
    )


def _bought(study: Study) -> str:
    if not study.complete:
        return ""
    curve = expected_best(values_of(study))
    shown = sorted({b for b in (1, 2, 5, 10, 20, 50, 100, 200) if b < len(curve)} | {len(curve)})
    rows = [tuple(percent(curve[b - 1]) for b in shown)]
    return joined(
        table(tuple(Column(plural(b, "trial")) for b in shown), rows),
        "Expected best validation value of so many of these trials, drawn at random (Tang et al. 2020; a pruned trial "
        "counts with its last report).  Trials of a sampler that learns are not independent, so this describes the "
        "study and promises nothing for the next.",
    )


def _trials(study: Study) -> str:
    names = list(study.identity.space)
    heads = ("Trial", *(f"`{name}`" for name in names), "Validation", "Epochs")
    columns = (*map(Column, heads), Column("Ended", "left"))
    rows = []
    for number, trial in enumerate(study.trials):
        settings = as_trained(trial.params)
        ended = f"{trial.state}: {trial.reason}" if trial.reason else trial.state
        rows.append(
            (
                str(number),
                *(setting(settings[name]) for name in names),
                percent(trial.value),
                str(len(trial.steps)),
                " ".join(ended.split()),
            )
        )
    return joined(
        table(columns, rows), "Trial 0 is the published point.  The value of a pruned trial is its last report."
    )


def _footers(study: Study) -> tuple[str, ...]:
    identity, recipe = study.identity, study.identity.recipe
    ended = Counter(trial.state for trial in study.trials)
    epochs = sum(len(trial.steps) for trial in study.trials)
    seconds = sum(trial.seconds for trial in study.trials)
    validation = next((count(trial.scores[0].n) for trial in study.trials if trial.scores), MISSING)
    order = (
        "the same command gives the same trials, however often it is interrupted"
        if study.order_repeatable
        else "trials ran side by side, so the order is not repeatable"
    )
    return (
        f"Spent: {plural(len(study.trials), 'trial')} ({', '.join(f'{n} {state}' for state, n in ended.items())}), "
        f"{plural(epochs, 'epoch')}, {duration(seconds)}.",
        f"Objective: {OBJECTIVES[identity.objective]} on {validation} validation images, at the epoch that is best on "
        f"them; mean over the tuning seeds ({spans(identity.tuning_seeds)}), which score nothing.",
        f"Protocol `honest`: {PROTOCOLS['honest']}.  Tuning ran without the test split in memory.",
        f"Budget `{identity.budget}`: {recipe.get('epochs')} epochs, {recipe.get('image_size')} px, batch "
        f"{recipe.get('batch_size')}; weights {identity.weights}; {NUMERIC[str(recipe.get('numeric', 'faithful'))]}.",
        f"Search: {identity.sampler.upper()} sampler, pruner {identity.pruner}, seed {identity.seed}, Optuna "
        f"{identity.optuna}; {order}.",
        "Space: " + "; ".join(f"`{name}={domain}`" for name, domain in identity.space.items()) + ".",
        f"Data digest `{identity.data[:12]}`, study digest `{study.digest[:12]}`.",
        _READING,
    )


def winner_line(results: Path, winner: Winner) -> str:
    """Where the winner is frozen, for the end of a command."""
    return f"{winner_path(results, winner.study)}: {slug(winner.variant)}"


def _image(pictures: Mapping[str, str], which: str) -> str:
    texts = {
        "surface": "Validation score over the two weights",
        "history": "Value of each trial and the best so far",
        "expected": "Expected best value against the number of trials",
    }
    return f"![{texts[which]}]({pictures[which]})" if which in pictures else ""
