"""Are switches named, checked and flattened as people write them?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from bench.errors import UserError
from bench.switches import NoSettings, flatten, full_name, resolve, short_name, switches


@dataclass(frozen=True)
class Inner:
    kind: Literal["a", "b"] = "a"
    rate: float = 0.5
    limit: int | None = None


@dataclass(frozen=True)
class Outer:
    heads: int = 4
    clamp: bool = True
    inner: Inner = field(default_factory=Inner)


def test_dotted_names_come_from_the_nesting_in_declaration_order() -> None:
    assert list(switches(Outer)) == ["heads", "clamp", "inner.kind", "inner.rate", "inner.limit"]
    assert switches(Outer)["inner.kind"].choices == ("a", "b")
    assert switches(NoSettings) == {}


def test_defaults_stay_where_nothing_is_given() -> None:
    assert resolve(Outer, {}) == Outer()


def test_a_nested_switch_changes_alone() -> None:
    changed = resolve(Outer, {"inner.rate": 0.25, "heads": 1})
    assert changed == Outer(heads=1, inner=Inner(rate=0.25))


def test_a_group_named_alone_is_its_kind() -> None:
    assert resolve(Outer, {"inner": "b"}) == Outer(inner=Inner(kind="b"))
    assert full_name(Outer, "inner") == "inner.kind"
    assert full_name(Outer, "heads") == "heads"
    assert short_name("inner.kind") == "inner"
    assert short_name("inner.rate") == "inner.rate"


def test_a_whole_number_is_taken_for_a_float_but_a_float_not_for_a_whole_number() -> None:
    value = resolve(Outer, {"inner.rate": 1}).inner.rate
    assert value == 1.0 and isinstance(value, float)
    with pytest.raises(UserError, match=r"heads = 2\.0 is not possible"):
        resolve(Outer, {"heads": 2.0})


def test_true_is_no_number_and_one_is_not_true() -> None:
    with pytest.raises(UserError, match="heads = True"):
        resolve(Outer, {"heads": True})
    with pytest.raises(UserError, match="clamp = 1"):
        resolve(Outer, {"clamp": 1})


@pytest.mark.parametrize("nothing", ["none", None])
def test_none_is_written_as_a_word_because_toml_has_no_null(nothing: str | None) -> None:
    assert resolve(Outer, {"inner.limit": nothing}).inner.limit is None
    assert resolve(Outer, {"inner.limit": 3}).inner.limit == 3
    with pytest.raises(UserError, match="heads"):
        resolve(Outer, {"heads": nothing})


def test_a_misspelt_switch_names_the_place_and_the_nearest() -> None:
    with pytest.raises(UserError, match=r"paper\.toml: unknown switch 'inner\.rat' \(nearest: inner\.rate"):
        resolve(Outer, {"inner.rat": 1.0}, "paper.toml")


def test_a_value_outside_the_choices_says_what_is_accepted() -> None:
    with pytest.raises(UserError, match=r"inner\.kind = 'c' is not possible \(accepts a \| b\)"):
        resolve(Outer, {"inner.kind": "c"})
    assert switches(Outer)["inner.limit"].accepts() == "int | none"


def test_flattening_and_resolving_are_inverse() -> None:
    settings = Outer(heads=2, inner=Inner("b", 0.125, 7))
    flat = flatten(settings)
    assert flat == {"heads": 2, "clamp": True, "inner.kind": "b", "inner.rate": 0.125, "inner.limit": 7}
    assert resolve(Outer, flat) == settings
