"""Keys and values of token prefixes that several rows share, computed once in fixed blocks and kept.

The state of a block is a function of its tokens and those before it alone, and always computed in the same way: block after
block, one row. So a row's log-likelihoods are the same bytes whether its prefix was run for it or found here.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from evalharness_hf.kept import Kept
from evalharness_hf.network import inputs_device

BLOCK = 64  # tokens
SHARE = 8  # of the memory of its device is what the prefixes of a model may take
MOST_ON_CPU = 2**30  # bytes, since a computer does more than this

State = list[tuple[Any, Any]]  # keys and values of a block in each layer, (1, heads, BLOCK, width)
_STATES: WeakKeyDictionary[Any, Kept[State]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Prefix:
    """The first `length` tokens of some rows, ready to be continued.

    - `cache`: their keys and values, a DynamicCache for as many rows as were asked for; whoever runs on it changes it.
    - `run`: how many of the tokens went through the model just now; the others had been run before.
    """

    cache: Any
    length: int
    run: int


def of(model: Any, ids: Sequence[int], rows: int = 1) -> Prefix:
    """Return the whole blocks at the head of `ids`, for `rows` rows that all begin with them.

    At most BLOCK - 1 tokens of `ids` are left over, and none of them was run. The model must be one that
    `support.reuses` prefixes.
    """
    states = _STATES.setdefault(model, Kept(most(inputs_device(model))))
    found: list[State] = []
    cache, run, key = None, 0, b""
    for start in range(0, len(ids) - BLOCK + 1, BLOCK):
        block = ids[start : start + BLOCK]
        key = hashlib.blake2b(key + struct.pack(f"<{BLOCK}q", *block), digest_size=16).digest()
        state = states.get(key)
        if state is not None:
            cache = None
        else:
            cache = joined(found) if cache is None else cache
            state, run = extended(model, cache, block), run + BLOCK
            states.put(key, state, sum(part.nbytes for layer in state for part in layer))
        found.append(state)
    return Prefix(cache if cache is not None and rows == 1 else joined(found, rows), len(found) * BLOCK, run)


def most(device: Any) -> int:
    """Return how many bytes are kept for a model on a device. What is forgotten runs again, to the same bytes."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // SHARE
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else MOST_ON_CPU * SHARE
    return min(MOST_ON_CPU, memory // SHARE)


def extended(model: Any, cache: Any, ids: Sequence[int]) -> State:
    """Run tokens after those of a cache of one row, which grows by them; return their state."""
    import torch

    with torch.inference_mode():
        model.base_model(input_ids=torch.tensor([list(ids)], device=inputs_device(model)), past_key_values=cache, use_cache=True)
    return [tuple(part[:, :, -len(ids) :].clone() for part in (layer.keys, layer.values)) for layer in cache.layers]


def joined(states: Sequence[State], rows: int = 1) -> Any:
    """Return the cache of consecutive blocks, the same for so many rows."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache()
    for layer, parts in enumerate(zip(*states, strict=True)):
        keys, values = (torch.cat(part, dim=2).expand(rows, -1, -1, -1) for part in zip(*parts, strict=True))
        cache.update(keys, values, layer)
    return cache


def forget(model: Any) -> None:
    """Give back the memory of a model's prefixes."""
    _STATES.pop(model, None)
