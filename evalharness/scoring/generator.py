"""The weights of the replicates: a fixed function of (seed, hash of the group key), the same on every machine."""

from __future__ import annotations

import functools
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from evalharness.contract import canonical

VERSION = "poisson-table/1"
BUCKETS = 65_536

# How many of the 65,536 equally likely 16-bit words give the weight 0, 1, ..., 8: Poisson(1), rounded so that both the
# mean and the variance are exactly 1.
COUNTS = (24103, 24124, 12046, 4018, 1005, 201, 33, 5, 1)
_TABLE = np.repeat(np.arange(len(COUNTS), dtype=np.uint8), COUNTS)
LARGEST = len(COUNTS) - 1
USUAL = 1000

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SPREAD = np.uint64(0xD1342543DE82EF95)
_CHUNK = 1024


def seed_of(task: str, version: str, group: str | None) -> int:
    """Return the seed of a task: a function of its name, version and group field, never of the user or the data.

    >>> seed_of("rag_qa", "1", "topic")
    5939179743730084574
    """
    return int.from_bytes(blake2b(canonical([task, version, group]).encode(), digest_size=8).digest(), "little")


def generator_name(seed: int, buckets: int) -> str:
    """Return what two scores must share for their replicates to be aligned, as one line."""
    return f"{VERSION}|buckets:{buckets}|seed:{seed:016x}"


def weights(seed: int, buckets: NDArray[np.uint64], replicates: int = USUAL) -> NDArray[np.uint8]:
    """Return Poisson(1) weights, shape (len(buckets), replicates), dtype uint8, 0 to 8.

    A row depends on the seed and its bucket alone, and fewer replicates are its beginning. The last table is kept, since the
    metrics of a chain share it.
    """
    return _weights(seed, buckets.astype("<u8").tobytes(), max(replicates, USUAL))[:, :replicates]


@functools.lru_cache(maxsize=1)
def _weights(seed: int, buckets: bytes, replicates: int) -> NDArray[np.uint8]:
    starts = _start(np.frombuffer(buckets, "<u8").astype(np.uint64), seed)
    drawn = np.empty((len(starts), replicates), np.uint8)
    steps = _GOLDEN * np.arange(1, -(-replicates // 4) + 1, dtype=np.uint64)
    for first in range(0, len(starts), _CHUNK):
        words = _finalise(starts[first : first + _CHUNK, None] + steps)
        drawn[first : first + _CHUNK] = _TABLE[words.astype("<u8", copy=False).view("<u2")[:, :replicates]]
    drawn.setflags(write=False)
    return drawn


def _start(buckets: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    constant = _finalise(np.array([seed], np.uint64))
    return ((buckets + np.uint64(1)) * _SPREAD) ^ constant


def _finalise(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Splitmix64's output function, in place."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words
