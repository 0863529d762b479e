"""JSON paths: a strict part of RFC 9535, with names, indices and wildcards, that says what is there where it finds nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

STEP = re.compile(
    r"\.(?P<name>[^\W\d][\w-]*)|\[(?P<index>-?\d+)\]|\[(?P<quote>['\"])(?P<quoted>.+?)(?P=quote)\]|(?P<all>\[\*\]|\.\*)"
)
ALL = ...  # stands for [*] among the steps
ALLOWED = "$, .NAME, ['NAME'], [0], [-1] and [*]"


class NothingThere(Exception):
    """A path leads nowhere; the message says how far it came and what was there."""


@dataclass(frozen=True)
class Path:
    """A path into JSON.

    >>> Path("$.sources[*].id").values({"sources": [{"id": 1}, {"id": 2}]})
    [1, 2]

    Raises ValueError, which says where, for what is no path.
    """

    written: str

    def __post_init__(self) -> None:
        _ = self._steps

    @property
    def is_single(self) -> bool:
        """Whether it leads to one value rather than to all of several."""
        return all(step is not ALL for _, step in self._steps)

    @cached_property
    def _steps(self) -> list[tuple[str, Any]]:
        """The steps, each with the path so far."""
        if not self.written.startswith("$"):
            raise ValueError(f"the path '{self.written}' must start with $, such as $.answer")
        steps: list[tuple[str, Any]] = []
        end = 1
        while end < len(self.written):
            found = STEP.match(self.written, end)
            if found is None:
                raise ValueError(
                    f"the path '{self.written}' is not understood from '{self.written[end:]}' on; it may hold {ALLOWED}"
                )
            index, name = found["index"], found["name"] or found["quoted"]
            steps.append((self.written[:end], ALL if found["all"] else int(index) if index else name))
            end = found.end()
        return steps

    def values(self, content: Any) -> list[Any]:
        """Return all values that it leads to; raises NothingThere."""
        found = [content]
        for path, step in self._steps:
            found = [inner for value in found for inner in _taken(value, step, path, self.written)]
        return found

    def value(self, content: Any) -> Any:
        """Return the one value that it leads to; raises NothingThere."""
        return self.values(content)[0]


def _taken(value: Any, step: Any, path: str, whole: str) -> list[Any]:
    if step is ALL and isinstance(value, (list, Mapping)):
        return list(value.values() if isinstance(value, Mapping) else value)
    if isinstance(step, str) and isinstance(value, Mapping) and step in value:
        return [value[step]]
    if isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
        return [value[step]]
    raise NothingThere(f"'{whole}' finds nothing: at '{path}' there is {_described(value)}")


def _described(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(str, list(value)[:12]))}" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return {type(None): "null", bool: "true or false", str: "a text"}.get(type(value), "a number")
