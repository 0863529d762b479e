"""Reads the sections of a task file whose keys are the fields of a dataclass."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Collection, Mapping
from typing import Any

from evalharness.contract.options import WrongValue, convert_value
from evalharness.errors import Fault, nearest
from evalharness.task.specs import bounds_fault, quote_hint
from evalharness.task.strict_yaml import Node

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def known_children(node: Node, title: str, known: Collection[str], faults: list[Fault]) -> dict[str, Node]:
    """Return the children of a section by key; what is no mapping, and unknown keys, are faults."""
    if not isinstance(node.content, dict):
        faults.append(Fault(f"{title} must be a mapping with the keys {', '.join(known)}", str(node.place)))
        return {}
    for key, child in node.content.items():
        if key not in known:
            has = ", ".join(known)
            faults.append(Fault(f"{title} has no key '{key}'.{nearest(key, known)} It has: {has}.", str(child.key)))
    return {key: child for key, child in node.content.items() if key in known}


def read_value(node: Node, kind: Any, name: str, faults: list[Fault], default: Any = None) -> Any:
    """Return the node's value as the type `kind`; where it is not, note the fault and return `default`."""
    try:
        return convert_value(node.value(), kind, node.place.folder)
    except WrongValue as wrong:
        place = node.at(wrong.path)
        message = f"'{name}' {wrong.message}"
        faults.append(Fault(message + quote_hint(place, message), str(place.place)))
        return default


def read_fields(
    cls: type[Any], children: Mapping[str, Node], faults: list[Fault], *, skip: Collection[str] = ()
) -> dict[str, Any]:
    """Return keyword arguments for a dataclass from those children that have a value of the right type and size."""
    kinds = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for item in dataclasses.fields(cls):
        if item.name in skip or item.name not in children:
            continue
        node, before = children[item.name], len(faults)
        value = read_value(node, kinds[item.name], item.name, faults)
        wrong = bounds_fault(item, value)
        if wrong:
            faults.append(Fault(wrong, str(node.place)))
        if len(faults) == before:
            values[item.name] = value
    return values


def read_section(cls: type[Any], node: Node, title: str, faults: list[Fault]) -> Any:
    """Return a dataclass whose fields are the keys of a section; the default one where it refuses its values."""
    known = [item.name for item in dataclasses.fields(cls)]
    values = read_fields(cls, known_children(node, title, known, faults), faults)
    try:
        return cls(**values)
    except ValueError as error:
        faults.append(Fault(f"{title}: {error}", str(node.place)))
        return cls()


def read_name(node: Node | None, section: Node, title: str, faults: list[Fault]) -> str:
    """Return the name of a task or system, which also names folders."""
    if node is None:
        faults.append(Fault(f"{title} needs the key 'name'", str(section.place)))
        return ""
    name = read_value(node, str, "name", faults, "")
    if name and not SAFE_NAME.fullmatch(name):
        allowed = "letters, digits and . _ + -, and starts with a letter or digit, since folders are called after it"
        faults.append(Fault(f"'{name}' cannot be a name: a name holds {allowed}", str(node.place)))
    return str(name)
