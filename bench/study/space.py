"""Which values may a study try?  Intervals declared beside the method (baselines/registry.py), or given by --space.

Imports neither torch nor Optuna: `--help-space` reads it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from baselines.registry import METHODS, Range, entry
from bench.errors import UserError, unknown
from bench.spec import Variant, variant_of
from bench.switches import Scalar, Switch, full_name, short_name, switches

DIGITS = 4  # significant digits of a weight that is trained: more would only lengthen names
_INTERVAL = re.compile(
    r"(?P<low>[^.:|]+(?:\.\d+)?(?:e[+-]?\d+)?)\.\.(?P<high>[^:|]+?)(?::(?P<scale>log|linear))?", re.IGNORECASE
)


@dataclass(frozen=True)
class Dimension:
    """One switch that a study varies: an interval (`low` to `high`, both included) or a list of `choices`.

    `published` is the switch's default, the value of trial 0.  `whole` intervals hold integers only.
    """

    name: str
    published: Scalar
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    whole: bool = False
    choices: tuple[Scalar, ...] = ()

    @property
    def domain(self) -> str:
        """The values as --space takes them: `0.001..10:log`, `1..8`, `mean|sum`."""
        if self.choices:
            return "|".join(_text(choice) for choice in self.choices)
        return f"{_text(self.low)}..{_text(self.high)}" + (":log" if self.log else "")

    def contains(self, value: Scalar) -> bool:
        if self.choices:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high


Space = tuple[Dimension, ...]


def space_of(method: str, given: Sequence[str] = ()) -> Space:
    """The search space of a method: every declared switch, or exactly those `given`.

    `given` are texts such as `loss.lambda1` (the declared interval), `loss.lambda1=1e-2..1e2:log`, `heads=1..8` or
    `affinity.reduction=mean|sum`.  Raises UserError for a method without tunable switches, an unknown switch, an
    interval that is none, or one that leaves out the published value.
    """
    declared = entry(method, "--method").tunable
    if not given:
        if not declared:
            raise UserError(
                f"{method} declares nothing to tune; name a switch of it with --space, such as --space NAME=0.1..10:log"
            )
        return tuple(_from_range(_switch(method, name, "registry"), interval) for name, interval in declared.items())
    found: dict[str, Dimension] = {}
    for text in given:
        dimension = _parsed(method, text, declared)
        if dimension.name in found:
            raise UserError(f"--space names {dimension.name} twice; give it once")
        found[dimension.name] = dimension
    return tuple(found.values())


def from_text(method: str, space: Mapping[str, str], published: Mapping[str, Scalar]) -> Space:
    """The space of a study that is text: domains in words, and the published values at that time."""
    dimensions = (_parsed(method, f"{name}={domain}", {}, check=False) for name, domain in space.items())
    return tuple(replace(dimension, published=published[dimension.name]) for dimension in dimensions)


def published(space: Space) -> dict[str, Scalar]:
    """The published point: trial 0 of every study."""
    return {dimension.name: dimension.published for dimension in space}


def as_trained(params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """A proposal as it is trained: real numbers with four significant digits, everything else unchanged."""
    return {name: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for name, value in params.items()}


def variant_for(method: str, params: Mapping[str, Scalar]) -> Variant:
    """The variant that a proposal means.  What is at its published value is left out, so that trial 0 is `default`."""
    known = switches(entry(method).settings)
    return variant_of(
        method, {name: value for name, value in as_trained(params).items() if value != known[name].default}
    )


def distributions(space: Space) -> dict[str, Any]:
    """The space in Optuna's terms."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    def one(dimension: Dimension) -> Any:
        if dimension.choices:
            return CategoricalDistribution(dimension.choices)
        if dimension.whole:
            return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)

    return {dimension.name: one(dimension) for dimension in space}


def described(methods: Iterable[str] = ()) -> str:
    """What `--help-space` prints: a line for each declared switch of each method."""
    rows = [("method", "switch", "values", "published")]
    silent = []
    for method in methods or METHODS:
        if not entry(method, "--method").tunable:
            silent.append(method)
            continue
        rows += [(method, item.name, item.domain, _text(item.published)) for item in space_of(method)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if silent:
        lines += ["", f"nothing declared: {', '.join(silent)}"]
    lines += ["", "Any switch of a method can be searched: --space heads=1..8, --space 'affinity.reduction=mean|sum'."]
    return "\n".join(lines if len(rows) > 1 else lines[2:])


def _parsed(method: str, text: str, declared: Mapping[str, Range], check: bool = True) -> Dimension:
    name, separator, domain = text.partition("=")
    where = f"--space {text}"
    switch = _switch(method, name.strip(), where)
    if not separator:
        if switch.name not in declared:
            raise UserError(
                f"{where}: {method} declares no interval for it; write {switch.name}=LOW..HIGH[:log] or A|B"
            )
        return _from_range(switch, declared[switch.name])
    match = _INTERVAL.fullmatch(domain.strip())
    dimension = _interval(switch, match, where) if match else _choices(method, switch, domain, where)
    if check and not dimension.contains(switch.default):
        raise UserError(
            f"{where} leaves out the published value {_text(switch.default)}, which trial 0 measures; widen it"
        )
    return dimension


def _interval(switch: Switch, match: re.Match[str], where: str) -> Dimension:
    if not {int, float} & set(switch.types):
        raise UserError(f"{where}: {switch.name} is no number (accepts {switch.accepts()}); write its values as A|B")
    whole = float not in switch.types
    try:
        low, high = (int(match[end]) if whole else float(match[end]) for end in ("low", "high"))
    except ValueError:
        raise UserError(
            f"{where}: write {'whole numbers' if whole else 'numbers'}, such as {switch.name}=1..8"
        ) from None
    log = match["scale"] == "log"
    if not (math.isfinite(low) and math.isfinite(high)) or low >= high or (log and low <= 0):
        raise UserError(
            f"{where}: the interval must run from a smaller to a larger number" + (" above 0" if log else "")
        )
    return Dimension(switch.name, switch.default, low, high, log, whole)


def _choices(method: str, switch: Switch, domain: str, where: str) -> Dimension:
    texts = [text.strip() for text in domain.split("|") if text.strip()]
    if len(texts) < 2:
        raise UserError(f"{where}: write an interval LOW..HIGH[:log] or at least two values A|B")
    values = tuple(dict.fromkeys(_scalar(text) for text in texts))
    for value in values:
        variant_of(method, {switch.name: value}, where)
    if switch.default is None:
        values = tuple(None if value == "none" else value for value in values)
    return Dimension(switch.name, switch.default, choices=values)


def _switch(method: str, name: str, where: str) -> Switch:
    kind = entry(method).settings
    known = switches(kind)
    switch = known.get(full_name(kind, name))
    if switch is None:
        raise unknown("switch", name, map(short_name, known), where)
    return switch


def _from_range(switch: Switch, interval: Range) -> Dimension:
    whole = float not in switch.types
    return Dimension(switch.name, switch.default, interval.low, interval.high, interval.log, whole)


def _scalar(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _text(value: Scalar) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return short if not isinstance(value, float) or float(short) == value else repr(value)
