"""In what does a row depart from the conditions that its table states?  The words behind the letters (a), (b) ..."""

from __future__ import annotations

from collections.abc import Mapping

from bench.markdown import count
from bench.report.footers import budget, weights
from bench.report.table_rows import Conditions, Trained
from bench.spec import OWN_RECIPE, settings_of
from bench.switches import Scalar, flatten


def departures(trained: Trained, main: Conditions | None) -> str:
    """What differs, in words; empty for a row under the table's own conditions."""
    own = trained.conditions
    if own is None or main is None:
        return ""
    return "; ".join([*_budget(trained, own, main), *_start(own, main), *_data(own, main), *_settings(trained, own)])


def _budget(trained: Trained, own: Conditions, main: Conditions) -> list[str]:
    """The budget, or single values of the recipe and the arithmetic where the budget is the same."""
    if own.budget != main.budget:
        return [f"budget `{own.budget}`: {budget(own)}"]
    found = []
    if own.numeric != main.numeric:
        found.append(f"arithmetic {own.numeric} (table: {main.numeric})")
    if changed := _changed(dict(own.recipe), dict(main.recipe), "table"):
        whose = "its authors' recipe" if (OWN_RECIPE, "own") in trained.row.variant else "another recipe"
        found.append(f"{whose}: {changed}")
    return found


def _start(own: Conditions, main: Conditions) -> list[str]:
    """The starting weights."""
    if (own.weights, own.weights_sha256) == (main.weights, main.weights_sha256):
        return []
    return [f"starts from {weights(own)} (table: {weights(main)})"]


def _data(own: Conditions, main: Conditions) -> list[str]:
    """The images, where the budget does not explain the difference."""
    if own.data_digest != main.data_digest and own.budget == main.budget:
        return [f"other images: digest `{own.data_digest[:12]}` (table: `{main.data_digest[:12]}`)"]
    if (own.n_test, own.n_expected) != (main.n_test, main.n_expected):
        return [f"{count(own.n_test)} of {count(own.n_expected)} test images scored"]
    return []


def _settings(trained: Trained, own: Conditions) -> list[str]:
    """Switches whose default has changed since the row was trained."""
    now = flatten(settings_of(trained.row.method, trained.row.variant))
    changed = _changed(dict(own.settings), now, "now")
    return [f"older defaults: {changed}"] if changed else []


def _changed(own: Mapping[str, Scalar], other: Mapping[str, Scalar], whose: str) -> str:
    names = [name for name in sorted(own.keys() | other.keys()) if own.get(name) != other.get(name)]
    return ", ".join(f"{name} {_text(own.get(name))} ({whose}: {_text(other.get(name))})" for name in names)


def _text(value: Scalar) -> str:
    return "none" if value is None else str(value)
