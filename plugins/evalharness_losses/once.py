"""A property that is computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Once:
    """A property that is computed when it is first read; functools.cached_property takes a lock, which nothing can trace.

    >>> class Square:
    ...     def __init__(self, side): self.side = side
    ...     @Once
    ...     def area(self): return self.side ** 2
    >>> Square(3).area
    9
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __get__(self, owner: Any, _: Any = None) -> Any:
        if owner is None:
            return self
        value = self._function(owner)
        setattr(owner, self._function.__name__, value)
        return value
