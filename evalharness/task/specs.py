"""Checks plugins and their options where a task file names them, each fault at the option's own place."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any

from evalharness import registry
from evalharness.contract import File, Plugin, Spec
from evalharness.contract.options import WrongValue, convert_options, describe_type, option_types, sole_option
from evalharness.contract.spec import BARE
from evalharness.errors import Fault, shown
from evalharness.registry import Kind
from evalharness.task.strict_yaml import Node


def read_spec(kind: Kind, node: Node, faults: list[Fault]) -> tuple[Spec, Plugin | None]:
    """Return the spec that a node holds and the plugin that it builds; None where something is wrong with it."""
    named = _name_and_options(node)
    if named is None:
        faults.append(Fault(f"must be {describe_type(Spec)}{_but_is(node)}", str(node.place)))
        return Spec("?"), None
    name, options, place = named
    spec = Spec(name, {}, node.place.folder)
    entry = registry.installed().get(kind, name)
    if entry is None:
        faults.append(Fault(registry.installed().unknown(kind, name), str(place.place)))
        return spec, None
    before = len(faults)
    options = _named_value(kind, entry.cls, options, faults)
    spec = Spec(name, _read_options(entry.cls, options, spec.folder, faults), spec.folder)
    kwargs, wrong = convert_options(entry.cls, spec.options, kind=kind, folder=spec.folder)
    faults.extend(_located(fault.path, fault.message, options, place) for fault in wrong)
    return spec, _build(kind, entry.cls, kwargs, place, faults) if len(faults) == before else None


def _but_is(node: Node) -> str:
    if isinstance(node.content, dict) and len(node.content) > 1:
        return f": one name, with its options inside, not the keys {' and '.join(node.content)}"
    return f", not {shown(node.value())}"


def _name_and_options(node: Node) -> tuple[str, Node, Node] | None:
    """Return the plugin's name, the node of its options, and the node that stands for its name."""
    if isinstance(node.content, str):
        return node.content, Node({}, node.place, node.key), node
    if not isinstance(node.content, dict) or len(node.content) != 1:
        return None
    ((name, options),) = node.content.items()
    place = Node(name, options.key, options.key)
    if options.content is None:
        options = Node({}, options.place, options.key)
    elif not isinstance(options.content, dict):
        options = Node({BARE: options}, options.place, options.key)
    return name, options, place


def _named_value(kind: Kind, cls: type[Plugin], options: Node, faults: list[Fault]) -> Node:
    """Return the options with a value that stands alone under the name of the one required option; one set too holds."""
    if BARE not in options.content:
        return options
    rest = dict(options.content)
    value = rest.pop(BARE)
    try:
        return Node({sole_option(cls, kind): value, **rest}, options.place, options.key)
    except WrongValue as wrong:
        faults.append(Fault(wrong.message, str(value.place)))
        return Node(rest, options.place, options.key)


def _read_options(cls: type[Plugin], options: Node, folder: str, faults: list[Fault]) -> dict[str, Any]:
    declared = option_types(cls)
    kinds = {item.name: item.metadata.get("kind", item.name) for item in cls.option_fields()}
    return {key: _read_option(declared.get(key), kinds.get(key), child, folder, faults) for key, child in options.content.items()}


def _read_option(declared: Any, kind: str | None, node: Node, folder: str, faults: list[Fault]) -> Any:
    """Return an option's value with the plugins in it checked; a path from elsewhere keeps its own folder."""
    types = _mentioned(declared)
    if Spec in types and kind in registry.PROVIDERS and node.content is not None:
        if isinstance(node.content, list):
            return [read_spec(kind, child, faults)[0] for child in node.content]
        return read_spec(kind, node, faults)[0]
    if Spec in types and isinstance(node.content, (str, dict)) and node.place.folder != folder:
        named = _name_and_options(node)
        return node.value() if named is None else Spec(named[0], named[1].value(), node.place.folder)
    if File in types and isinstance(node.content, str) and node.place.folder != folder:
        return File(str(Path(node.place.folder) / node.content), written=node.content)
    return node.value()


def _mentioned(declared: Any) -> set[Any]:
    """Return a type and all types within it."""
    return {declared}.union(*(_mentioned(arg) for arg in typing.get_args(declared)))


def _located(path: tuple[str | int, ...], message: str, options: Node, name: Node) -> Fault:
    node = options.at(path) if path else name
    place = node.key if "has no option" in message and len(path) == 1 else node.place
    return Fault(message + quote_hint(node, message), str(place))


def quote_hint(node: Node, message: str) -> str:
    """Return how to quote a value that was meant as text, where the message asks for a string."""
    if node.written is None or node.content is None or "a string" not in message:
        return ""
    return f' Write "{node.written}" in quotes if the text is meant.'


def _build(kind: Kind, cls: type[Plugin], kwargs: dict[str, Any], name: Node, faults: list[Fault]) -> Plugin | None:
    try:
        return cls(**kwargs)
    except Exception as error:  # a plugin may refuse its options in any way
        faults.append(Fault(f"{kind} '{cls.name}': {error}", str(name.place)))
        return None


def bounds_fault(item: dataclasses.Field[Any], value: Any) -> str:
    """Return what is wrong with a number that the field's metadata bounds, or an empty string."""
    low, high = item.metadata.get("at_least"), item.metadata.get("at_most")
    if isinstance(value, (int, float)) and ((low is not None and value < low) or (high is not None and value > high)):
        allowed = f"at least {low}" if high is None else f"between {low} and {high}"
        return f"'{item.name}' must be {allowed}, not {value}"
    return ""
