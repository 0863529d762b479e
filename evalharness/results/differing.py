"""Where two plain values differ: the dotted keys that lead there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def differing(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the path of each difference with both values; what only one has is None in the other.

    >>> list(differing({"metrics": [{"bleu": {}}], "group": None}, {"metrics": [{"bleu": {"n": 2}}], "group": "topic"}))
    [('metrics[0].bleu.n', None, 2), ('group', None, 'topic')]
    """
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from differing(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from differing(*pair, f"{path}[{number}]")
    elif one != other:
        yield path, one, other
