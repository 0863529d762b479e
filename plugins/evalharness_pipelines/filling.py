"""Bodies and queries with places for what a sample holds: `{{ NAME }}`, and nothing else, is filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

PLACE = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")


def names(value: Any) -> Iterator[str]:
    """Yield the names that a value has places for.

    >>> list(names({"question": "{{ input }}", "options": [{"user": "{{ user }}"}, 3]}))
    ['input', 'user']
    """
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from names(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from names(inner)
    elif isinstance(value, str):
        yield from PLACE.findall(value)


def wrong_place(value: Any) -> str:
    """Return the first text with braces that are no place for a name, or ""."""
    if isinstance(value, str):
        return value if "{{" in PLACE.sub("", value) or "{%" in value else ""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return next(filter(None, map(wrong_place, inner)), "")


def filled(value: Any, given: Mapping[str, Any]) -> Any:
    """Return a value with everything filled in; a text that is one place alone becomes the very value.

    >>> filled({"q": "{{ input }}?", "n": 3, "docs": "{{ contexts }}"}, {"input": "Who", "contexts": []})
    {'q': 'Who?', 'n': 3, 'docs': []}
    """
    if isinstance(value, Mapping):
        return {key: filled(inner, given) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(inner, given) for inner in value]
    if not isinstance(value, str):
        return value
    alone = PLACE.fullmatch(value)
    return given[alone[1]] if alone else PLACE.sub(lambda place: _text(given[place[1]]), value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
