"""Hashes of sample ids and group keys: how shards and systems agree on who is who."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.contract import canonical

Keys = NDArray[np.uint64]


def hash_keys(keys: Sequence[Any]) -> Keys:
    """Return the 64-bit BLAKE2b of each key's canonical JSON (uint64, one a key).

    >>> hash_keys(["q1", 7]).tolist()
    [1318394565095300430, 9407870976149377255]
    """
    digests = b"".join(blake2b(_text(key).encode("utf-8", "surrogatepass"), digest_size=8).digest() for key in keys)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def group_hashes(groups: Sequence[Any], ids: Keys) -> Keys:
    """Return the hash of each row's group; where the group is None, the sample's own hash."""
    named = [row for row, group in enumerate(groups) if group is not None]
    hashes = ids.copy()
    hashes[named] = hash_keys([groups[row] for row in named])
    return hashes


def _text(key: Any) -> str:
    # The encoder that `canonical` uses for a string, without building a JSON encoder for each of a million ids.
    return json.encoder.encode_basestring(key) if type(key) is str else canonical(key)
