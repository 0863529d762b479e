"""Log-probabilities of pairs of answers under the network before training: computed once, kept in the response store."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from evalharness.contract import digest
from evalharness.systems.store import Store, Stored
from evalharness.training.collating import Example, Pair, TokenCollator
from evalharness.training.heads import head_of
from evalharness.training.logps import sequence_logps, sequence_logps_of_hidden

KIND = "reference"
EXAMPLES_AT_ONCE = 16


def with_references(pairs: Sequence[Pair], module: Any, pad: int, store: Store, identity: str) -> list[Pair]:
    """Return the pairs with the log-probability of each side, a sum over its tokens that count, in nats.

    `identity` is that of the network as it stands; what it has been asked before is taken from the store. What is computed
    at once follows from all pairs, never from what is stored, so that a run that was interrupted has the same numbers.
    """
    keys = {digest([KIND, identity, one.ids, one.weights]): one for pair in pairs for one in pair.sides.values()}
    known = store.known(list(keys))
    ordered = sorted(keys, key=lambda key: (len(keys[key].ids), key))
    for start in range(0, len(ordered), EXAMPLES_AT_ONCE):
        chunk = ordered[start : start + EXAMPLES_AT_ONCE]
        if not known.issuperset(chunk):
            sums = _sums([keys[key] for key in chunk], module, pad)
            store.write(
                [Stored(key, KIND, f"{KIND} {identity[:12]}", "{}", (one,)) for key, one in zip(chunk, sums, strict=True)]
            )
    stored = store.read(ordered)
    values = {(one.ids, one.weights): stored[key].floats[0] for key, one in keys.items()}
    return [dataclasses.replace(pair, references=tuple(_of(pair, values))) for pair in pairs]


def _of(pair: Pair, values: dict[Any, float]) -> list[tuple[str, float]]:
    return [(side, values[one.ids, one.weights]) for side, one in pair.sides.items()]


def _sums(examples: Sequence[Example], module: Any, pad: int) -> list[float]:
    """Return the sums of one batch, without dropout; of the logits only those of tokens that count are computed, if it can be."""
    import torch

    batch = TokenCollator(pad)(examples)
    inputs = {name: batch[name].to(module.device) for name in ("input_ids", "attention_mask")}
    labels, head, training = batch["labels"].to(module.device), head_of(module), module.training
    module.eval()
    with torch.no_grad(), nullcontext() if head is None else head.removed():
        found = module(**inputs, use_cache=False).logits
        sums, _ = sequence_logps(found, labels) if head is None else sequence_logps_of_hidden(found, head.weight, labels)
    module.train(training)
    values: list[float] = sums.tolist()
    return values
