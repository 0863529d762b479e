"""Checks option values against a plugin's dataclass and turns YAML values into Python ones."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union

from evalharness.contract.spec import BARE, Arguments, File, Plugin, Spec, Values
from evalharness.errors import UsageError, nearest, shown


@dataclasses.dataclass(frozen=True)
class OptionFault:
    """One wrong option: `path` leads to it from the plugin's options, key by key."""

    path: tuple[str | int, ...]
    message: str


class WrongValue(UsageError):
    """A value of the wrong type: `path` leads to the wrong part of it."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.message, self.path = message, path


def option_types(cls: type[Plugin]) -> dict[str, Any]:
    """Return the declared type of each option."""
    hints = typing.get_type_hints(cls)
    return {item.name: hints[item.name] for item in cls.option_fields()}


def convert_options(
    cls: type[Plugin], options: Mapping[str, Any], *, kind: str, folder: str = "."
) -> tuple[dict[str, Any], list[OptionFault]]:
    """Return keyword arguments for `cls` and all faults of `options` (unknown, missing, wrong type) at once.

    Files are resolved against `folder`. Allowed types: str, int, float, bool, None, Literal, tuple[T, ...], Spec, File,
    frozen dataclasses of these, Values, and Arguments, which takes in every option that has no other place. A value under
    BARE is that of the one required option.
    """
    declared = option_types(cls)
    faults: list[OptionFault] = []
    try:
        options = _with_arguments(declared, _named(cls, options, kind))
    except WrongValue as wrong:
        return {}, [OptionFault((BARE,), wrong.message)]
    kwargs: dict[str, Any] = {"folder": folder} if cls.has_folder() else {}
    for key, value in options.items():
        if key not in declared:
            has = ", ".join(declared) or "no options"
            message = f"{kind} '{cls.name}' has no option '{key}'.{nearest(key, declared)} It has: {has}."
            faults.append(OptionFault((key,), message))
            continue
        try:
            kwargs[key] = convert_value(value, declared[key], folder)
        except WrongValue as wrong:
            faults.append(OptionFault((key, *wrong.path), f"option '{key}' of {kind} '{cls.name}' {wrong.message}"))
    faults.extend(
        OptionFault((), f"{kind} '{cls.name}' needs the option '{name}' ({describe_type(declared[name])}).")
        for name in required_options(cls)
        if name not in options
    )
    return kwargs, faults


def required_options(cls: type[Plugin]) -> list[str]:
    """Return the names of the options that have no default."""
    return [item.name for item in cls.option_fields() if item.default is item.default_factory is dataclasses.MISSING]


def sole_option(cls: type[Plugin], kind: str) -> str:
    """Return the name of the one required option, whose value may stand alone; raises WrongValue where it is not one."""
    required = required_options(cls)
    if len(required) == 1:
        return required[0]
    has = ", ".join(item.name for item in cls.option_fields())
    if required:
        written = ", ".join(f"{name}: ..." for name in required)
        raise WrongValue(f"{kind} '{cls.name}' needs more than one option, so each is named: {{{cls.name}: {{{written}}}}}.")
    if not has:
        raise WrongValue(f"{kind} '{cls.name}' has no options: write {cls.name} alone.")
    way = f"{{{cls.name}: {{OPTION: VALUE}}}}. It has: {has}."
    raise WrongValue(f"{kind} '{cls.name}' needs no option, so one that is set is named: {way}")


def _named(cls: type[Plugin], options: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the options with the name of the one required option in place of BARE; where it is set too, that holds."""
    if BARE not in options:
        return options
    return {sole_option(cls, kind): options[BARE], **{key: value for key, value in options.items() if key != BARE}}


def _with_arguments(declared: Mapping[str, Any], options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options with those that are not declared in the first one of the type Arguments, if there is one."""
    place = next((name for name, kind in declared.items() if kind is Arguments), None)
    loose = {key: value for key, value in options.items() if key not in declared}
    given = {} if place is None else options.get(place, {})
    if place is None or not loose or not isinstance(given, Mapping):
        return options
    return {**{key: value for key, value in options.items() if key in declared}, place: {**given, **loose}}


def describe_type(kind: Any) -> str:
    """Return the type in words that a task author understands.

    >>> describe_type(tuple[int, ...])
    'a list of (a whole number)'
    >>> describe_type(Literal["exp", "floor"])
    "one of 'exp', 'floor'"
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(repr(arg) for arg in args)
    if origin in (Union, types.UnionType):
        return " or ".join(describe_type(arg) for arg in args)
    if origin is tuple:
        return f"a list of ({describe_type(args[0])})"
    if _is_section(kind):
        return "a mapping with the keys " + ", ".join(item.name for item in dataclasses.fields(kind))
    names = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
    names |= {Spec: "a plugin, NAME or {NAME: {option: value}}", File: "a path"}
    names |= dict.fromkeys((Values, Arguments), "a mapping of name to value")
    return names.get(kind, str(kind))


def convert_value(value: Any, kind: Any, folder: str = ".") -> Any:
    """Return a YAML value as the Python type `kind`; raises WrongValue, whose message says what is allowed.

    >>> convert_value([1, 3], tuple[int, ...])
    (1, 3)
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if any(value == arg and type(value) is type(arg) for arg in args):
            return value
        hint = nearest(value, [arg for arg in args if isinstance(arg, str)]) if isinstance(value, str) else ""
        raise WrongValue(f"must be {describe_type(kind)}, not {shown(value)}.{hint}")
    if origin in (Union, types.UnionType):
        return _convert_union(value, kind, args, folder)
    if origin is tuple:
        return _convert_tuple(value, kind, args[0], folder)
    if kind is Spec:
        return to_spec(value, folder)
    if _is_section(kind):
        return _convert_section(value, kind, folder)
    if kind in (Values, Arguments) and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value if isinstance(value, kind) else kind(value)
    if kind is File and isinstance(value, str):
        return value if isinstance(value, File) else File(str(Path(folder) / value), written=value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (str, int, float, bool, type(None)) and type(value) is kind:
        return value
    raise WrongValue(f"must be {describe_type(kind)}, not {shown(value)}.")


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not Spec


def _convert_section(value: Any, kind: type[Any], folder: str) -> Any:
    """Return a dataclass from a mapping of its fields."""
    if isinstance(value, kind):
        return value
    hints, known = typing.get_type_hints(kind), {item.name: item for item in dataclasses.fields(kind)}
    if not isinstance(value, Mapping):
        raise WrongValue(f"must be {describe_type(kind)}, not {shown(value)}.")
    values: dict[str, Any] = {}
    for key, inner in value.items():
        if key not in known:
            raise WrongValue(f"has no key '{key}'.{nearest(str(key), known)} It has: {', '.join(known)}.", (key,))
        try:
            values[key] = convert_value(inner, hints[key], folder)
        except WrongValue as wrong:
            raise WrongValue(f"has a wrong '{key}': it {wrong.message}", (key, *wrong.path)) from None
    needed = [name for name, item in known.items() if item.default is item.default_factory is dataclasses.MISSING]
    missing = [name for name in needed if name not in values]
    if missing:
        raise WrongValue(f"needs the key '{missing[0]}'.")
    try:
        return kind(**values)
    except ValueError as error:
        raise WrongValue(f"is refused: {error}") from None


def _convert_union(value: Any, kind: Any, args: tuple[Any, ...], folder: str) -> Any:
    wrongs: list[WrongValue] = []
    for arg in args:
        try:
            return convert_value(value, arg, folder)
        except WrongValue as wrong:
            if _is_section(arg) and isinstance(value, Mapping):
                raise
            wrongs.append(wrong)
    deepest = max(wrongs, key=lambda wrong: len(wrong.path))
    raise deepest if deepest.path else WrongValue(f"must be {describe_type(kind)}, not {shown(value)}.")


def _convert_tuple(value: Any, kind: Any, item_kind: Any, folder: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise WrongValue(f"must be {describe_type(kind)}, not {shown(value)}.")
    items = []
    for index, item in enumerate(value):
        try:
            items.append(convert_value(item, item_kind, folder))
        except WrongValue as wrong:
            raise WrongValue(f"has a wrong item {index + 1}: it {wrong.message}", (index, *wrong.path)) from None
    return tuple(items)


def to_spec(value: Any, folder: str = ".") -> Spec:
    """Turn `NAME`, `{NAME: {option: value}}` or `{NAME: value}` into a Spec.

    >>> to_spec({"bm25": {"k1": 1.2}})
    Spec(name='bm25', options={'k1': 1.2})
    """
    if isinstance(value, Spec):
        return value
    if isinstance(value, str):
        return Spec(value, folder=folder)
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, options),) = value.items()
        if isinstance(name, str):
            bare = options is not None and not isinstance(options, Mapping)
            return Spec(name, {BARE: options} if bare else dict(options or {}), folder)
    raise WrongValue(f"must be {describe_type(Spec)}, not {shown(value)}.")
