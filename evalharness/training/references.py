"""Log-probabilities of pairs of answers under the network before training: computed once, kept in the response store."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from evalharness.contract import digest
from evalharness.systems.store import Store, Stored
from evalharness.training.collating import Example, Pair, TokenCollator
from evalharness.training.logps import sequence_logps

KIND = "reference"
EXAMPLES_AT_ONCE = 16


def with_references(pairs: Sequence[Pair], module: Any, pad: int, store: Store, identity: str) -> list[Pair]:
    """Return the pairs with the log-probability of each side, a sum over its tokens that count, in nats.

    `identity` is that of the network as it stands; what it has been asked before is taken from the store.
    """
    keys = {digest([KIND, identity, one.ids, one.weights]): one for pair in pairs for one in pair.sides.values()}
    stored = store.read(list(keys))
    missing = sorted((key for key in keys if key not in stored), key=lambda key: (len(keys[key].ids), key))
    module.eval()
    for start in range(0, len(missing), EXAMPLES_AT_ONCE):
        chunk = missing[start : start + EXAMPLES_AT_ONCE]
        sums = _sums([keys[key] for key in chunk], module, pad)
        found = [Stored(key, KIND, f"{KIND} {identity[:12]}", "{}", (value,)) for key, value in zip(chunk, sums, strict=True)]
        store.write(found)
        stored |= {one.key: one for one in found}
    values = {(one.ids, one.weights): stored[key].floats[0] for key, one in keys.items()}
    return [dataclasses.replace(pair, references=tuple(_of(pair, values))) for pair in pairs]


def _of(pair: Pair, values: dict[Any, float]) -> list[tuple[str, float]]:
    return [(side, values[one.ids, one.weights]) for side, one in pair.sides.items()]


def _sums(examples: Sequence[Example], module: Any, pad: int) -> list[float]:
    import torch

    batch = TokenCollator(pad)(examples)
    with torch.no_grad():
        logits = module(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        sums: list[float] = sequence_logps(logits, batch["labels"])[0].tolist()
    return sums
