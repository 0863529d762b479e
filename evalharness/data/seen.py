"""Which ids have been seen: 24 to 48 bytes an id, a quarter of what a dictionary takes."""

from __future__ import annotations

from array import array

HASHES = 2**64 - 1


class SeenIds:
    """The 64-bit hashes of ids, each with the number of the item that had it first; so many are `expected`.

    >>> seen = SeenIds()
    >>> seen.add("a", 0), seen.add("b", 1), seen.add("a", 2)
    (None, None, 0)
    """

    def __init__(self, expected: int = 0) -> None:
        self._count = 0
        slots = 1024
        while 2 * slots <= 3 * expected:
            slots *= 2
        self._make(slots)

    def __len__(self) -> int:
        return self._count

    def add(self, identifier: str, number: int) -> int | None:
        """Note an id; return the number of the item that had it before, or None if it is new."""
        hashes, hashed = self._hashes, hash(identifier) & HASHES or 1  # 0 marks an empty slot
        slot = hashed & self._mask
        if hashes[slot] and hashes[slot] != hashed:
            slot = self._slot(hashed)
        if hashes[slot]:
            return self._numbers[slot]
        hashes[slot], self._numbers[slot] = hashed, number
        self._count += 1
        if self._count > self._most:
            self._grow()
        return None

    def _slot(self, hashed: int) -> int:
        """Return where a hash stands, or the empty slot where it belongs."""
        hashes, mask = self._hashes, self._mask
        slot = hashed & mask
        while hashes[slot] and hashes[slot] != hashed:
            slot = (slot + 1) & mask
        return slot

    def _make(self, slots: int) -> None:
        self._hashes, self._numbers = array("Q", bytes(8 * slots)), array("Q", bytes(8 * slots))
        self._mask, self._most = slots - 1, 2 * slots // 3

    def _grow(self) -> None:
        hashes, numbers = self._hashes, self._numbers
        self._make(2 * len(hashes))
        for hashed, number in zip(hashes, numbers, strict=True):
            if hashed:
                slot = self._slot(hashed)
                self._hashes[slot], self._numbers[slot] = hashed, number
