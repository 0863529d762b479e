"""Exact sums of statistics by group: the same bytes whatever the order, the batches or the shards.

A number is split into two limbs, multiples of 2^-20 and of 2^-50. As long as the absolute values add up to less than
2^33 and 2^3, every partial sum of a limb is a multiple of its grid that float64 holds exactly, so addition is
associative. Beyond those limits `beyond` is true, for every order alike. What is smaller than 2^-50 is lost, and
`GroupSums.lost` remembers how much of a row at most.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evalharness.scoring.generator import BUCKETS
from evalharness.scoring.keys import Keys

Matrix = NDArray[np.float64]

GRIDS = (2.0**20, 2.0**50)
LIMITS = (2.0**33, 2.0**3)
# Numbers that are smaller than this on average may have lost a millionth of themselves.
FINEST = 2.0**-31
NUMBERS_HELD = 2**23
NUMBERS_PENDING = 2**20


def limbs(values: Matrix) -> Matrix:
    """Return values (rows, width) as two limbs side by side (rows, 2 * width)."""
    within = np.clip(values, -2 * LIMITS[0], 2 * LIMITS[0])  # beyond the limits all the same, and never infinite
    high = np.rint(within * GRIDS[0]) / GRIDS[0]
    low = np.rint((within - high) * GRIDS[1]) / GRIDS[1]
    return np.concatenate([high, low], axis=1)


def joined(sums: Matrix) -> Matrix:
    """Return summed limbs (..., 2 * width) as numbers (..., width), rounded once."""
    width = sums.shape[-1] // 2
    return sums[..., :width] + sums[..., width:]


def beyond(magnitude: Matrix) -> bool:
    """Return whether absolute totals of limbs (..., 2 * width) pass the limits of exact addition."""
    width = magnitude.shape[-1] // 2
    return not bool((magnitude[..., :width] < LIMITS[0]).all() and (magnitude[..., width:] < LIMITS[1]).all())


def bucket_count(width: int) -> int:
    """Return how many buckets hold groups with `width` statistics: 65,536, and fewer beyond 128 numbers a row.

    It depends on the metric alone, so two systems are always folded alike.
    """
    count = BUCKETS
    while count * width > NUMBERS_HELD:
        count //= 2
    return count


class KeySet:
    """A growing set of 64-bit keys, held as one sorted array."""

    def __init__(self, keys: Keys) -> None:
        self._sorted = keys
        self._pending: list[Keys] = []
        self._waiting = 0

    def add(self, keys: Keys) -> None:
        """Take in keys; they are sorted in once they are many."""
        self._pending.append(keys)
        self._waiting += len(keys)
        if self._waiting > len(self._sorted):
            self.array()

    def array(self) -> Keys:
        """Return all keys, sorted."""
        if self._pending:
            ordered = np.sort(np.concatenate([self._sorted, *self._pending]), kind="stable")
            self._sorted = ordered[_firsts(ordered)]
            self._pending, self._waiting = [], 0
        return self._sorted


@dataclass(frozen=True)
class Groups:
    """Sums by group at one moment, in the order of the keys.

    `rows` (groups, 2 * width) holds limbs; `buckets` says which weights a row takes; `multiplicity` how many groups
    were folded into it; `count` is the number of distinct groups.
    """

    buckets: NDArray[np.uint64]
    rows: Matrix
    multiplicity: NDArray[np.int64]
    count: int
    magnitude: Matrix


@dataclass
class GroupSums:
    """Exact sums of `width` statistics by group key, folded into buckets once there are more keys than buckets."""

    width: int
    buckets: int = field(init=False)
    keys: Keys = field(init=False)
    rows: Matrix = field(init=False)
    magnitude: Matrix = field(init=False)
    lost: Matrix = field(init=False)
    nonzero: Matrix = field(init=False)
    distinct: KeySet | None = field(init=False, default=None)
    _pending: list[tuple[Keys, Matrix]] = field(init=False, default_factory=list)
    _waiting: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.buckets = bucket_count(self.width)
        self.keys = np.empty(0, np.uint64)
        self.rows = np.empty((0, 2 * self.width))
        self.magnitude = np.zeros(2 * self.width)
        self.lost, self.nonzero = np.zeros(self.width), np.zeros(self.width)

    def add(self, keys: Keys, values: Matrix) -> None:
        """Add rows (n, width), at least one, to the groups of these keys (n,)."""
        rows = limbs(values)
        self.magnitude += np.abs(rows).sum(0)
        self.lost = np.maximum(self.lost, np.abs(values - joined(rows)).max(0))
        self.nonzero += np.count_nonzero(values, axis=0)
        self._pending.append((keys, rows))
        self._waiting += rows.size
        if self._waiting > NUMBERS_PENDING:
            self._settle()

    def merge(self, other: GroupSums) -> None:
        """Add another shard's sums; the result does not depend on how rows were spread over shards."""
        self._settle()
        other._settle()
        self.magnitude = self.magnitude + other.magnitude
        self.lost = np.maximum(self.lost, other.lost)
        self.nonzero += other.nonzero
        if other.distinct is None:
            self._absorb(other.keys, other.rows)
            return
        if self.distinct is None:
            self._fold()
        assert self.distinct is not None
        self.distinct.add(other.distinct.array())
        self._insert(other.keys, other.rows)

    def groups(self) -> Groups:
        """Return the sums by group."""
        self._settle()
        if self.distinct is None:
            ones = np.ones(len(self.keys), np.int64)
            return Groups(self.keys % np.uint64(self.buckets), self.rows, ones, len(self.keys), self.magnitude)
        names = self.distinct.array()
        counts = np.bincount((names % np.uint64(self.buckets)).astype(np.int64), minlength=self.buckets)
        return Groups(self.keys, self.rows, counts[self.keys.astype(np.int64)], len(names), self.magnitude)

    def _settle(self) -> None:
        if self._pending:
            keys, rows = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
            self._pending, self._waiting = [], 0
            self._absorb(*_collapse(keys, rows))

    def _absorb(self, keys: Keys, rows: Matrix) -> None:
        if self.distinct is None:
            self._insert(keys, rows)
            if len(self.keys) > self.buckets:
                self._fold()
        else:
            self.distinct.add(keys)
            self._insert(*_collapse(keys % np.uint64(self.buckets), rows))

    def _insert(self, keys: Keys, rows: Matrix) -> None:
        """Add rows with distinct sorted keys to the sums, which stay sorted."""
        place = np.searchsorted(self.keys, keys)
        known = np.zeros(len(keys), bool)
        inside = place < len(self.keys)
        known[inside] = self.keys[place[inside]] == keys[inside]
        self.rows[place[known]] += rows[known]
        if not known.all():
            new = ~known
            merged = np.concatenate([self.keys, keys[new]])
            order = np.argsort(merged, kind="stable")
            self.keys, self.rows = merged[order], np.concatenate([self.rows, rows[new]])[order]

    def _fold(self) -> None:
        self.distinct = KeySet(self.keys)
        self.keys, self.rows = _collapse(self.keys % np.uint64(self.buckets), self.rows)


def _collapse(keys: Keys, rows: Matrix) -> tuple[Keys, Matrix]:
    """Return sorted distinct keys and the sum of the rows of each."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    firsts = _firsts(ordered)
    if len(firsts) == len(keys):
        return ordered, rows[order]
    return ordered[firsts], np.add.reduceat(rows[order], firsts, axis=0)


def _firsts(ordered: Keys) -> NDArray[np.intp]:
    """Return where each distinct key of a sorted array stands first (np.unique hashes first, which is slower)."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else np.empty(0, np.intp)
