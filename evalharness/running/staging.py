"""The order in which a run that may stop early takes its groups, and in how many at a time.

The order is a function of the task and the keys of the groups: not of the file's order, of the system or of the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalharness.contract import Sample
from evalharness.running.pipeline import ROWS_A_BATCH
from evalharness.scoring import hash_keys
from evalharness.systems.batching import batched

FIRST_STAGE = 32
Keys = NDArray[np.uint64]


def order_keys(seed: int, groups: Sequence[str]) -> Keys:
    """Return what groups are sorted by: a hash of the task's seed and the group's key."""
    return hash_keys([(seed, group) for group in groups])


@dataclass(frozen=True)
class Order:
    """The order of a dataset's groups: `ranks` by position of the sample, -1 where it is left out; `sizes` by rank.

    `of_groups` counts all groups of the data, those too of which nothing is taken.
    """

    ranks: NDArray[np.intp]
    sizes: NDArray[np.intp]
    of_groups: int

    @classmethod
    def of(cls, samples: Iterable[Sample], seed: int, only: Keys | None = None) -> Order:
        """Return the order of these samples' groups; with `only`, of the samples whose ids have one of these hashes."""
        groups, ids = [], []
        for block in batched(samples, ROWS_A_BATCH):
            groups.append(order_keys(seed, [sample.id if sample.group is None else sample.group for sample in block]))
            ids.append(np.empty(0, np.uint64) if only is None else hash_keys([sample.id for sample in block]))
        keys = np.concatenate(groups)
        kept = np.ones(len(keys), bool) if only is None else np.isin(np.concatenate(ids), only)
        ranks = np.full(len(keys), -1, np.intp)
        _, ranks[kept], sizes = np.unique(keys[kept], return_inverse=True, return_counts=True)
        return cls(ranks, sizes, len(np.unique(keys)))

    @property
    def groups(self) -> int:
        """The number of groups in the order."""
        return len(self.sizes)

    @property
    def samples(self) -> int:
        """The number of samples in the order."""
        return int(self.sizes.sum())

    @property
    def of_samples(self) -> int:
        """The number of samples of the data, those too that are left out."""
        return len(self.ranks)

    def mask(self, stage: range) -> NDArray[np.bool_]:
        """Return by position which samples a stage takes."""
        return (self.ranks >= stage.start) & (self.ranks < stage.stop)


def stages(groups: int) -> Iterator[range]:
    """Yield the ranks of the groups that each stage takes: 32 at first, then a quarter of those taken, at least 32.

    >>> [stage.stop for stage in stages(300)]
    [32, 64, 96, 128, 160, 200, 250, 300]
    """
    taken = 0
    while taken < groups:
        stage = range(taken, min(groups, taken + max(FIRST_STAGE, taken // 4)))
        yield stage
        taken = stage.stop
