"""What a record is made of: the types of its sections, and what is wrong with one that was written by hand."""

from __future__ import annotations

import functools
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, Literal, Union

from evalharness.errors import shown
from evalharness.scoring import Score

_LARGEST = 2**63
_SURROGATES = re.compile("[\ud800-\udfff]")  # which no file can hold
Check = Callable[[Any], None]


@dataclass
class _Task:
    name: str
    version: str = ""
    digest: str = ""
    output_type: str = ""
    fewshot: int = 0


@dataclass
class _Dataset:
    source: Any = None
    digest: str = ""
    samples: int = 0
    faults: int = 0
    limit: int | None = None
    revision: str | None = None


@dataclass
class _System:
    name: str
    digest: str = ""
    spec: dict[str, Any] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Stopping:
    goal: str
    score: str
    reached: bool
    samples: int
    of_samples: int
    requests_saved: int
    interval: list[float] | None = None
    against: dict[str, Any] | None = None
    difference: dict[str, Any] | None = None


@dataclass
class _Differing:
    compared: int
    different: int
    first: list[str]
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass
class _Apart:
    sample: str
    largest_difference: float | None = None


@dataclass
class _Precision:
    dtype: str
    against: str
    not_compared: int = 0
    choices: _Differing | None = None
    texts: _Differing | None = None
    logprobs: _Apart | None = None


@dataclass
class _Seeds:
    seeds: list[int]
    scores: dict[str, list[float | None]]


@dataclass
class _Trouble:
    kind: str
    message: str


@dataclass
class _Spent:
    input_tokens: int
    output_tokens: int
    latency: float
    timed: int
    cost: float | None = None
    costs: dict[str, float | None] = field(default_factory=dict)


@dataclass
class _Usage:
    requests: int = 0
    from_store: int = 0
    seconds: float = 0.0
    troubles: list[_Trouble] = field(default_factory=list)
    responses: _Spent | None = None
    cost: float | None = None
    costs: dict[str, float | None] = field(default_factory=dict)
    data_faults: list[str] = field(default_factory=list)


@dataclass
class _Provenance:
    created: str = ""
    folder: str = ""
    task_file: str = ""
    command: str = ""
    packages: dict[str, str] = field(default_factory=dict)


@dataclass
class _Record:
    """The sections of a record; what has no default must be there."""

    task: _Task
    dataset: _Dataset
    system: _System
    scores: dict[str, Score]
    stopping: _Stopping | None = None
    precision: _Precision | None = None
    seeds: _Seeds | None = None
    usage: _Usage = field(default_factory=_Usage)
    provenance: _Provenance = field(default_factory=_Provenance)


class _Wrong(Exception):
    """A value does not fit; `path` leads to it, key by key."""

    def __init__(self, message: str, *path: str) -> None:
        self.message, self.path = message, path


def damage(plain: Mapping[str, Any]) -> str | None:
    """Return the first thing that is wrong with a record as JSON knows it, or None.

    >>> damage({"task": {"name": ["a"]}})
    "task.name is ['a'], not a string"
    """
    try:
        _check(_Record)(plain)
        for name, score in plain["scores"].items():
            _check_ends(name, score)
        _check_seeds(plain)
    except _Wrong as wrong:
        return f"{'.'.join(wrong.path).replace('.[', '[')} {wrong.message}"
    return None


def _check_ends(name: str, score: Mapping[str, Any]) -> None:
    """Check what the types of a score do not say: two ends of a range, and a fingerprint that is a number."""
    for part in ("bounds", "range"):
        ends = score.get(part)
        if ends is not None and len(ends) != 2:
            raise _Wrong(f"is {shown(ends)}, not two numbers", "scores", name, part)
    try:
        int(score.get("fingerprint") or "0", 16)
    except ValueError:
        raise _Wrong(f"is {shown(score['fingerprint'])}, no hexadecimal number", "scores", name, "fingerprint") from None


def _check_seeds(plain: Mapping[str, Any]) -> None:
    """Check that every score has a value, or null, of each seed."""
    section = plain.get("seeds")
    if section is None:
        return
    if not section["seeds"] or len(set(section["seeds"])) < len(section["seeds"]):
        raise _Wrong(f"is {shown(section['seeds'])}, not a list of different numbers", "seeds", "seeds")
    for name in plain["scores"]:
        values = section["scores"].get(name)
        if values is None or len(values) != len(section["seeds"]):
            raise _Wrong(f"is {shown(values)}, not a value of each of {len(section['seeds'])} seeds", "seeds", "scores", name)


@functools.cache
def _check(kind: Any) -> Check:
    """Return what raises _Wrong where a value is not of a type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return lambda value: None
    if origin in (Union, types.UnionType):
        return _optional(_check(next(arg for arg in args if arg is not type(None))))
    if origin is dict:
        return _mapping(_check(args[1]))
    if origin is list:
        return _list(_check(args[0]))
    if origin is Literal:
        return _leaf(f"one of {', '.join(map(repr, args))}", lambda value: isinstance(value, str) and value in args)
    return _section(kind) if is_dataclass(kind) else _leaf(*_LEAVES[kind])


_LEAVES: Mapping[Any, tuple[str, Callable[[Any], bool]]] = {
    str: ("a string", lambda value: type(value) is str and (value.isascii() or not _SURROGATES.search(value))),
    bool: ("true or false", lambda value: type(value) is bool),
    int: ("a whole number from 0", lambda value: type(value) is int and 0 <= value < _LARGEST),
    float: ("a number", lambda value: type(value) in (float, int) and abs(value) <= sys.float_info.max),
}


def _leaf(words: str, fits: Callable[[Any], bool]) -> Check:
    def check(value: Any) -> None:
        if not fits(value):
            raise _Wrong(f"is {shown(value)}, not {words}")

    return check


def _optional(inner: Check) -> Check:
    def check(value: Any) -> None:
        if value is not None:
            inner(value)

    return check


def _mapping(inner: Check) -> Check:
    def check(value: Any) -> None:
        _need(value, dict, "a mapping")
        for key, part in value.items():
            _within(str(key), inner, part)

    return check


def _list(inner: Check) -> Check:
    def check(value: Any) -> None:
        _need(value, list, "a list")
        for place, part in enumerate(value):
            _within(f"[{place}]", inner, part)

    return check


def _section(kind: Any) -> Check:
    hints = typing.get_type_hints(kind)
    checks = [(item.name, _check(hints[item.name]), item) for item in fields(kind)]

    def check(value: Any) -> None:
        _need(value, dict, "a mapping")
        for name, inner, item in checks:
            if name in value:
                _within(name, inner, value[name])
            elif item.default is item.default_factory is MISSING:
                raise _Wrong("is missing", name)

    return check


def _need(value: Any, kind: type, words: str) -> None:
    if not isinstance(value, kind):
        raise _Wrong(f"is {shown(value)}, not {words}")


def _within(name: str, check: Check, value: Any) -> None:
    try:
        check(value)
    except _Wrong as wrong:
        raise _Wrong(wrong.message, name, *wrong.path) from None
