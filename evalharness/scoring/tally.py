"""What is known of one metric over the samples seen so far: a mergeable mapping, the same for any shards and order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evalharness.scoring.chain import Entry
from evalharness.scoring.keys import Keys
from evalharness.scoring.measuring import AS_WORST, ERROR, Measured, refused
from evalharness.scoring.normalise import Columns, Layout, layout
from evalharness.scoring.repeats import OF_SAMPLE
from evalharness.scoring.sums import FINEST, GroupSums, Matrix, joined

_WORD = 2**64


class Store(Protocol):
    """Where the statistics of measured rows are kept."""

    layout: Layout

    def add(self, groups: Keys, ids: Keys, statistics: Columns) -> None:
        """Take in rows."""

    def merge(self, other: Any) -> None:
        """Take in another shard's rows."""


class SumStore:
    """Sums by group of statistics with one layout; numbers are divided by `scale`, a power of two, beforehand."""

    def __init__(self, names: Layout, scale: float) -> None:
        self.layout, self.scale = names, scale
        self.sums = GroupSums(sum(int(np.prod(shape)) for _, shape in names))

    def add(self, groups: Keys, ids: Keys, statistics: Columns) -> None:
        """Add rows to their groups."""
        rows = [statistics[name].reshape(len(groups), -1) for name, _ in self.layout]
        with np.errstate(over="ignore"):
            self.sums.add(groups, np.concatenate(rows, axis=1) / self.scale)

    def merge(self, other: SumStore) -> None:
        """Add another shard's groups."""
        self.sums.merge(other.sums)

    def vanishing(self) -> list[str]:
        """Return the statistics whose numbers are too small for what addition keeps of them."""
        lost, size = self.unpack(self.sums.lost), self.unpack(joined(self.sums.magnitude))
        finest = self.unpack(FINEST * self.sums.nonzero)
        return [name for name, _ in self.layout if lost[name].any() and size[name].max() < finest[name].max()]

    def unpack(self, numbers: Matrix) -> Columns:
        """Return numbers (..., width) as statistics by name, each (..., shape), with the scale put back."""
        columns: Columns = {}
        start = 0
        for name, shape in self.layout:
            stop = start + int(np.prod(shape))
            columns[name] = (numbers[..., start:stop] * self.scale).reshape((*numbers.shape[:-1], *shape))
            start = stop
        return columns


class RowStore:
    """All rows, for metrics that are no function of sums; memory grows with the samples."""

    def __init__(self, names: Layout) -> None:
        self.layout = names
        self._parts: list[tuple[Keys, Keys, Columns]] = []

    def add(self, groups: Keys, ids: Keys, statistics: Columns) -> None:
        """Keep rows."""
        self._parts.append((groups, ids, statistics))

    def merge(self, other: RowStore) -> None:
        """Keep another shard's rows."""
        self._parts += other._parts

    def rows(self) -> tuple[Keys, Columns]:
        """Return the group hash of each row and the columns, in the order of (group hash, id hash)."""
        groups, ids = (np.concatenate(part) for part in list(zip(*self._parts, strict=True))[:2])
        order = np.lexsort((ids, groups))
        columns = {name: np.concatenate([part[2][name] for part in self._parts])[order] for name, _ in self.layout}
        return groups[order], columns


@dataclass
class Tally:
    """Statistics by group, counts and the fingerprint of one entry of the chain.

    `samples` are those in the total, `as_worst` those among them that count at the bad end of the range;
    `unmeasured` and `errors` count the others by reason. The fingerprint of a score is the sum of the sample hashes mod
    2^64 of what is in it, a sample once for each of its repeats; see `Score.same_samples`.
    """

    entry: Entry
    samples: int = 0
    as_worst: int = 0
    fingerprints: dict[str, int] = field(default_factory=dict)
    unmeasured: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    notes: set[str] = field(default_factory=set)
    layouts: set[Layout] = field(default_factory=set)
    store: Any = None

    def add(self, measured: Measured, groups: Keys, ids: Keys, samples: Keys | None = None) -> Measured:
        """Take in a measured batch and return it; `groups` and `ids` are the hashes of each row's group and id.

        `samples`: the hashes of the samples that the rows are repeats of; without it each row is a sample. Where
        statistics do not fit those of the batches before, the rows come back as errors of the plugin.
        """
        if measured.kept.any():
            names = layout(measured.statistics)
            self._open(names)
            measured = measured if names == self.store.layout else refused(self.entry, measured)
        self._count(measured)
        self.notes.update(measured.notes)
        if measured.kept.any():
            self._keep(measured, groups, ids, ids if samples is None else samples)
        return measured

    def _keep(self, measured: Measured, groups: Keys, ids: Keys, samples: Keys) -> None:
        kept, statistics = measured.kept, measured.statistics
        if not kept.all():
            groups, ids, samples = groups[kept], ids[kept], samples[kept]
            statistics = {name: column[kept] for name, column in statistics.items()}
        self._sign(self._ids_in(statistics, samples))
        self.store.add(groups, ids, statistics)

    def merge(self, other: Tally) -> None:
        """Take in another shard's tally of the same entry."""
        self.samples += other.samples
        self.as_worst += other.as_worst
        self._sign(other.fingerprints)
        self.unmeasured += other.unmeasured
        self.errors += other.errors
        self.notes |= other.notes
        for names in other.layouts:
            self._open(names)
        if other.store is not None and other.store.layout == self.store.layout:
            self.store.merge(other.store)

    def _open(self, names: Layout) -> None:
        # More than one layout is the plugin's fault, and the score says so.
        self.layouts.add(names)
        if self.store is None:
            metric = self.entry.metric
            self.store = RowStore(names) if metric.pool == "rows" else SumStore(names, metric.scale)

    def _ids_in(self, statistics: Columns, ids: Keys) -> dict[str, int]:
        """Return by score the sum of the ids that are in it: of a plain mean with parts, those with a number there."""
        metric, scores = self.entry.metric, self.entry.scores
        if not (metric.is_mean and metric.parts):
            return dict.fromkeys(scores, int(ids.sum(dtype=np.uint64)))
        counts = [statistics[f"{part}.count"] > 0 for part in metric.parts]
        return {name: int(ids[inside].sum(dtype=np.uint64)) for name, inside in zip(scores, counts, strict=True)}

    def _sign(self, sums: Mapping[str, int]) -> None:
        for name, added in sums.items():
            self.fingerprints[name] = (self.fingerprints.get(name, 0) + added) % _WORD

    def _count(self, measured: Measured) -> None:
        self.samples += int(measured.kept.sum())
        for status, kept in zip(measured.statuses, measured.kept.tolist(), strict=True):
            if status is None or status == OF_SAMPLE:
                continue
            if kept:
                self.as_worst += status.startswith(AS_WORST)
            elif status.startswith(ERROR):
                self.errors[status.removeprefix(ERROR)] += 1
            else:
                self.unmeasured[status] += 1


def distinct(groups: Keys) -> NDArray[np.uint64]:
    """Return the distinct keys of sorted group hashes."""
    return groups[np.concatenate([[True], groups[1:] != groups[:-1]])] if len(groups) else groups
