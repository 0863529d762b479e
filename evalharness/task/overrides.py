"""Replaces single values of a task: `--set system.generate.max_tokens=48`."""

from __future__ import annotations

from itertools import pairwise

from evalharness.contract.spec import BARE
from evalharness.errors import Fault
from evalharness.task.strict_yaml import Node, read_argument


def set_value(root: Node, override: str, faults: list[Fault]) -> None:
    """Replace the value at a dotted path, making mappings on the way; items of a list go by their number from 0.

    A plugin written as a bare name, or with one value for its options, becomes a mapping when one of them is set.
    """
    path, equals, text = override.partition("=")
    where = f"--set {path}"
    if not equals or not path.strip():
        faults.append(Fault("must be KEY.PATH=VALUE, for example system.generate.max_tokens=48", f"--set {override}"))
        return
    if not put_value(root, path.strip(), read_argument(text, faults, name=where)):
        faults.append(Fault(f"nothing can be set there: '{path}' leads through a plain value or past the end of a list", where))


def put_value(root: Node, path: str, value: Node) -> bool:
    """Put a node at a dotted path; returns whether it could be done."""
    keys = path.split(".")
    node: Node | None = root
    for key, following in pairwise(keys):
        before, node = node, _step(node, key, value) if node is not None else None
        if before is not None and node is not None and node.content != following:
            _name_value(before, node)
    return node is not None and _put(node, keys[-1], value)


def _step(node: Node, key: str, value: Node) -> Node | None:
    if isinstance(node.content, list):
        return node.content[int(key)] if key.isdecimal() and int(key) < len(node.content) else None
    if isinstance(node.content, dict):
        found = node.content.setdefault(key, Node({}, value.place, value.key))
        if found.content is None:
            found.content = {}
        return found
    if node.content == key:  # a bare plugin name: `bm25` becomes `bm25: {}`
        options = Node({}, node.place, node.key)
        node.content = {key: options}
        return options
    return None


def _name_value(plugin: Node, options: Node) -> None:
    """Make a mapping of `{NAME: VALUE}`, where one value stands for the options, so that others find their place in it."""
    if isinstance(plugin.content, dict) and len(plugin.content) == 1 and not isinstance(options.content, (dict, list)):
        options.content = {BARE: Node(options.content, options.place, options.key, options.written)}


def _put(node: Node, key: str, value: Node) -> bool:
    if isinstance(node.content, dict):
        node.content[key] = value
    elif isinstance(node.content, list) and key.isdecimal() and int(key) < len(node.content):
        node.content[int(key)] = value
    elif node.content == key:
        node.content = {key: value}
    else:
        return False
    return True
