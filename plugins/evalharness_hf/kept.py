"""What was dear to compute and is wanted again: values of recent keys, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Values by key; those that were not asked for the longest are forgotten once all take more than `most` bytes.

    >>> kept = Kept[str](most=2)
    >>> kept.put("a", "A", 1), kept.put("b", "B", 1), kept.get("a"), kept.put("c", "C", 1), kept.get("b"), kept.get("a")
    (None, None, 'A', None, None, 'A')
    """

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0
        self._values: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.held = 0

    def get(self, key: Hashable) -> T | None:
        """Return the value of a key, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: T, size: int) -> None:
        """Keep a value of so many bytes."""
        with self._lock:
            self.held += size - self._values.pop(key, (None, 0))[1]
            self._values[key] = (value, size)
            while self.held > self.most:
                self.held -= self._values.popitem(last=False)[1][1]
