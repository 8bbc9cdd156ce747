"""Which switches does a settings dataclass have, and is this value one of theirs?

A method declares its switches as a frozen dataclass; nested dataclasses are groups.  Dotted names come from the nesting
(`affinity.reduction`).  A group with a field `kind` may be named alone: `affinity=none` is `affinity.kind=none`.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from bench.errors import UserError, unknown

Scalar = bool | int | float | str | None
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Switch:
    """One named setting: its dotted name, default, and what it accepts (`choices`, or values of `types`)."""

    name: str
    default: Scalar
    types: tuple[type, ...]
    choices: tuple[Scalar, ...] = ()

    def accepts(self) -> str:
        """What the switch takes, for people."""
        if self.choices:
            return " | ".join(map(str, self.choices))
        return " | ".join("none" if kind is types.NoneType else kind.__name__ for kind in self.types)


@dataclass(frozen=True)
class NoSettings:
    """A method without switches."""


@cache
def switches(settings: type) -> dict[str, Switch]:
    """All switches of a settings dataclass by dotted name, in declaration order."""
    found: dict[str, Switch] = {}
    hints = get_type_hints(settings)
    default = settings()
    for field in dataclasses.fields(settings):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            for name, inner in switches(hint).items():
                found[f"{field.name}.{name}"] = dataclasses.replace(inner, name=f"{field.name}.{name}")
        else:
            found[field.name] = _leaf(field.name, hint, getattr(default, field.name))
    return found


def resolve(settings: type[Settings], values: Mapping[str, Scalar], where: str = "") -> Settings:
    """The settings with `values` in place of the defaults.

    Raises UserError for an unknown switch (with the nearest names) or a value outside what the switch accepts.
    """
    kind: type = settings
    known = switches(kind)
    result = settings()
    for given, value in values.items():
        switch = known.get(full_name(kind, given))
        if switch is None:
            raise unknown("switch", given, known, where)
        try:
            result = _replace(result, switch.name.split("."), _checked(switch, value, where))
        except ValueError as error:  # the dataclass itself refuses it
            raise UserError(f"{where + ': ' if where else ''}{switch.name}: {error}") from None
    return result


def full_name(settings: type, name: str) -> str:
    """`affinity` -> `affinity.kind` where such a switch exists; any other name is returned as given."""
    return f"{name}.kind" if f"{name}.kind" in switches(settings) else name


def short_name(name: str) -> str:
    """`affinity.kind` -> `affinity`; any other name is returned as given."""
    return name.removesuffix(".kind")


def flatten(settings: Any) -> dict[str, Scalar]:
    """Every switch of a settings instance with its value, by dotted name."""
    flat: dict[str, Scalar] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            flat |= {f"{field.name}.{name}": inner for name, inner in flatten(value).items()}
        else:
            flat[field.name] = value
    return flat


def _leaf(name: str, hint: Any, default: Scalar) -> Switch:
    if get_origin(hint) is Literal:
        return Switch(name, default, tuple({type(choice) for choice in get_args(hint)}), get_args(hint))
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return Switch(name, default, tuple(kinds))


def _checked(switch: Switch, value: Scalar, where: str) -> Scalar:
    if switch.choices:
        if value in switch.choices:
            return value
    elif value is None or value == "none":
        if types.NoneType in switch.types:
            return None
    elif type(value) is int and float in switch.types and int not in switch.types:
        return float(value)  # TOML writes 1 where 1.0 is meant
    elif type(value) in switch.types:
        return value
    raise UserError(
        f"{where + ': ' if where else ''}{switch.name} = {value!r} is not possible (accepts {switch.accepts()})"
    )


def _replace(settings: Any, path: list[str], value: Scalar) -> Any:
    head, *rest = path
    inner = _replace(getattr(settings, head), rest, value) if rest else value
    return dataclasses.replace(settings, **{head: inner})
