"""Which switch settings did a finished study choose?  Frozen winners as TOML, for `bench.run --tuned` and for people.

Read by the plan, so neither torch nor Optuna is imported.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.atomic import write_text
from bench.errors import UserError
from bench.spec import Row, Table, Variant, variant_of
from bench.study.space import variant_for
from bench.study.text import Study
from bench.switches import Scalar

HEAD = """# The winner of a study: chosen on the validation split alone, frozen before any test label was read.
# Written by `python -m bench.tune`, read by `python -m bench.run --tuned`; not edited by hand.
"""


@dataclass(frozen=True)
class Winner:
    """A frozen winner.  `value` and `published_value` are the objective on the validation split, fractions.

    `variant` holds the switches that differ from the published point; empty where the published point won.
    """

    study: str
    study_digest: str
    dataset: str
    method: str
    budget: str
    weights: str
    objective: str
    trials: int
    tuning_seeds: tuple[int, ...]
    value: float
    published_value: float
    variant: Variant


def winner_of(study: Study) -> Winner:
    """The best complete trial.  Raises UserError where none is complete."""
    best, first, identity = study.best, study.published, study.identity
    if best is None or best.value is None or first is None or first.value is None:
        raise UserError(f"the study '{study.name}' has no complete trial, so there is no winner; run more --trials")
    return Winner(
        study=study.name,
        study_digest=study.digest,
        dataset=identity.dataset,
        method=identity.method,
        budget=identity.budget,
        weights=identity.weights,
        objective=identity.objective,
        trials=len(study.trials),
        tuning_seeds=identity.tuning_seeds,
        value=best.value,
        published_value=first.value,
        variant=variant_for(identity.method, best.params),
    )


def winner_path(results: Path, study: str) -> Path:
    return results / "tuned" / f"{study}.toml"


def save(results: Path, winner: Winner) -> Path:
    """Freeze a winner."""
    path = winner_path(results, winner.study)
    scalars = {name: value for name, value in vars(winner).items() if name != "variant"}
    lines = [f"{name} = {_toml(value)}" for name, value in scalars.items()]
    lines += ["", "[switches]  # none: the published point won" if not winner.variant else "[switches]"]
    lines += [f"{_toml(name)} = {_toml(value)}" for name, value in winner.variant]
    write_text(path, HEAD + "\n".join(lines) + "\n")
    return path


def load(path: Path) -> Winner:
    """A frozen winner.  Raises UserError with the file for anything that is none."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        switches = content.pop("switches")
        content["tuning_seeds"] = tuple(content["tuning_seeds"])
        values = {name: None if value == "none" else value for name, value in switches.items()}
        return Winner(**content, variant=variant_of(content["method"], values, str(path)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: no frozen winner ({error}); run python -m bench.tune again") from None


def load_all(results: Path) -> tuple[Winner, ...]:
    """Every frozen winner, in the order of the file names."""
    folder = results / "tuned"
    return tuple(load(path) for path in sorted(folder.glob("*.toml"))) if folder.is_dir() else ()


def tuned_variants(results: Path, budget: str) -> dict[tuple[str, str], Winner]:
    """The winner of each (dataset, method) under a budget.  Raises UserError where two studies have one each."""
    found: dict[tuple[str, str], Winner] = {}
    for winner in load_all(results):
        if winner.budget != budget:
            continue  # tuned for images of another size and another number of epochs
        other = found.setdefault((winner.dataset, winner.method), winner)
        if other is not winner:
            raise UserError(
                f"two studies tuned {winner.method} on {winner.dataset}: {other.study} and {winner.study}; "
                f"keep one of their files in {results / 'tuned'}"
            )
    return found


def with_tuned(table: Table, dataset: str, tuned: Mapping[tuple[str, str], Winner]) -> Table:
    """The table with a row of its own below each published row whose method was tuned on this dataset.

    A method whose published point won gets no second row: it would be the same cells.
    """
    rows: list[Row] = []
    for row in table.rows:
        rows.append(row)
        winner = tuned.get((dataset, row.method))
        if winner is not None and winner.variant and not row.variant:
            rows.append(Row(row.method, winner.variant, _label(row), row.group, note_of(winner)))
    return replace(table, rows=tuple(rows))


def note_of(winner: Winner) -> str:
    """The footnote of a tuned row."""
    return (
        f"weights tuned on the validation split by the study `{winner.study}` ({winner.trials} trials, "
        f"seeds {', '.join(map(str, winner.tuning_seeds))}); no test label was read"
    )


def budgets_line(winners: Mapping[str, int]) -> str:
    """Whether compared methods were searched equally long: a line for a table's header, from trials by method."""
    if not winners:
        return ""
    if len(set(winners.values())) == 1:
        return f"Equal search budgets: {next(iter(winners.values()))} trials for each tuned method."
    listed = ", ".join(f"{method} {trials}" for method, trials in sorted(winners.items()))
    return f"Search budgets differ (trials: {listed}): a longer search alone can explain a lead."


def _label(row: Row) -> str:
    from baselines.registry import entry

    return f"{row.label or entry(row.method).title} (tuned)"


def _toml(value: Scalar | tuple[int, ...] | Any) -> str:
    """A TOML value; JSON strings, numbers and booleans are TOML's too."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return json.dumps("none" if value is None else value, ensure_ascii=False)
