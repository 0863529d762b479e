"""What `vary` makes of one training task: a task for each combination of the values that it replaces."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from evalharness.contract import canonical
from evalharness.errors import Fault, nearest
from evalharness.task.overrides import put_value
from evalharness.task.strict_yaml import Node

UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True)
class Variant:
    """A task file with some values replaced; `labels` name these, one for each key of `vary`."""

    root: Node
    labels: tuple[str, ...] = ()


def variants(root: Node, known: Collection[str], faults: list[Fault]) -> Iterator[Variant]:
    """Yield the task of every combination, the last key of `vary` changing fastest; the file itself where nothing varies.

    `known` are the keys that a task has at its top. What is wrong with `vary` is noted, and what is right is yielded all the
    same, so that the faults of the rest of the file are found with it.
    """
    varied = root.content.get("vary") if isinstance(root.content, dict) else None
    if varied is None:
        yield Variant(root)
        return
    if not isinstance(varied.content, dict) or not varied.content:
        message = "'vary' must be a mapping of keys to lists of values, such as {plant.outliers.share: [0, 0.1]}"
        faults.append(Fault(message, str(varied.place)))
        yield Variant(root)
        return
    axes = {key: _labelled(key, node, faults) for key, node in varied.content.items() if _is_known(key, node, known, faults)}
    axes = {key: values for key, values in axes.items() if values}
    rest = Node({key: node for key, node in root.content.items() if key != "vary"}, root.place, root.key)
    for combination in itertools.product(*axes.values()):
        made = copy.deepcopy(rest)
        for key, (_, value) in zip(axes, combination, strict=True):
            if not put_value(made, key, copy.deepcopy(value)):
                faults.append(
                    Fault(f"nothing can be set at '{key}': it leads through a plain value", str(varied.content[key].key))
                )
        yield Variant(made, tuple(label for label, _ in combination))


def _is_known(key: str, node: Node, known: Collection[str], faults: list[Fault]) -> bool:
    top = key.partition(".")[0]
    if top in known and top != "vary":
        return True
    faults.append(Fault(f"vary: a training task has no key '{top}'.{nearest(top, known)}", str(node.key)))
    return False


def _labelled(key: str, node: Node, faults: list[Fault]) -> list[tuple[str, Node]]:
    """Return the values of one key with the label of each; what is no list is a fault, and read as the only value."""
    if not isinstance(node.content, list) or not node.content:
        faults.append(Fault(f"vary: '{key}' must be a list of the values to try", str(node.place)))
        return [] if isinstance(node.content, list) or node.content is None else [("value", node)]
    values = [child.value() for child in node.content]
    return list(zip(labels(values), node.content, strict=True))


def labels(values: Sequence[object]) -> list[str]:
    """Return a short name for each value, all different: the name of a plugin or data set, a number, or all that it holds.

    >>> labels(["sklearn:diabetes", "sklearn:digits:8"]), labels([0, 0.15])
    (['diabetes', 'digits-8'], ['0', '0.15'])
    >>> labels(["linear", {"mlp": {"width": 32}}]), labels([{"mlp": {"width": 8}}, {"mlp": {"width": 16}}])
    (['linear', 'mlp'], ['mlp-width-8', 'mlp-width-16'])
    """
    short = [_short(value) for value in values]
    if len(set(short)) == len(short):
        return short
    long = [_safe(canonical(value)) for value in values]
    return long if len(set(long)) == len(long) else [f"{label}-{number}" for number, label in enumerate(short, 1)]


def _short(value: object) -> str:
    named = next(iter(value)) if isinstance(value, dict) and value else value
    return _safe(named.partition(":")[2] or named if isinstance(named, str) else canonical(named))


def _safe(text: str) -> str:
    return UNSAFE.sub("-", text).strip("-._+") or "value"
