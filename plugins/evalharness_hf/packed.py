"""Runs what follows a kept prefix: a tree in one forward pass, in which each node sees its ancestors alone and stands where
its row has it, or a padded batch."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from evalharness_hf.network import inputs_device
from evalharness_hf.scored import Scored
from evalharness_hf.tree import Tree


def tree_logprobs(model: Any, tree: Tree, targets: Sequence[Sequence[int]], cache: Any, length: int) -> list[list[float]]:
    """Return the natural-log likelihood of the scored tokens of each row, `targets`, from a log-softmax in float32.

    `cache` holds the keys and values of the `length` tokens before the tree, for one row; it grows by the tree.
    """
    import torch

    needed = sorted(set().union(*tree.places))
    index = {node: number for number, node in enumerate(needed)}
    at = torch.tensor([index[node] for places in tree.places for node in places])
    wanted = torch.tensor([token for row in targets for token in row])
    with torch.inference_mode():
        logits = tree_logits(model, tree, needed, cache, length).float()
        at, wanted = at.to(logits.device), wanted.to(logits.device)
        values = iter((logits[at, wanted] - logits.logsumexp(-1)[at]).tolist())
    return [[next(values) for _ in row] for row in targets]


def tree_logits(model: Any, tree: Tree, needed: Sequence[int], cache: Any, length: int) -> Any:
    """Return the logits after each of the needed nodes, (nodes, vocabulary)."""
    import torch

    positions = torch.tensor([tree.depths], device=inputs_device(model)) + length
    options = {"position_ids": positions} if "position_ids" in inspect.signature(model.forward).parameters else {}
    inputs = {"input_ids": torch.tensor([tree.tokens], device=inputs_device(model)), "past_key_values": cache, **options}
    with _biased_by(model, positions[0], length):
        return logits_at(model, needed, attention_mask=_mask(tree, length, model), **inputs)[0]


def continued_logprobs(model: Any, rows: Sequence[Scored], cache: Any, length: int) -> list[list[float]]:
    """Return the same for rows as a batch, padded at the right; `cache` holds their first `length` tokens for each of them."""
    import torch

    width, first = max(len(row.ids) for row in rows) - 1, min(row.start for row in rows) - 1
    inputs = [row.ids[length:-1] + [0] * (width + 1 - len(row.ids)) for row in rows]
    at = [(number, place - first) for number, row in enumerate(rows) for place in row.places]
    with torch.inference_mode():
        ids = torch.tensor(inputs, device=inputs_device(model))
        logits = logits_at(model, range(first - length, width - length), input_ids=ids, past_key_values=cache).float()
        lines, places = torch.tensor(at, device=logits.device).T
        wanted = torch.tensor([token for row in rows for token in row.ids[row.start :]], device=logits.device)
        values = iter((logits[lines, places, wanted] - logits.logsumexp(-1)[lines, places]).tolist())
    return [[next(values) for _ in row.places] for row in rows]


def logits_at(model: Any, places: Sequence[int], **inputs: Any) -> Any:
    """Return the logits at some places of each row, (rows, places, vocabulary); no others where the model can tell them apart."""
    import torch

    keep = torch.tensor(places, device=inputs_device(model))
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        return model(**inputs, use_cache=True, logits_to_keep=keep).logits
    return model(**inputs, use_cache=True).logits[:, keep]


def _mask(tree: Tree, length: int, model: Any) -> Any:
    """Return the additive mask (1, 1, nodes, length + nodes): 0 at what a node sees, else the lowest number."""
    import numpy as np
    import torch

    size = len(tree.tokens)
    seen = np.zeros((size, length + size), dtype=bool)
    seen[:, :length] = True
    for node, parent in enumerate(tree.parents):
        if parent >= 0:
            seen[node] = seen[parent]
        seen[node, length + node] = True
    hidden = ~torch.from_numpy(seen).to(inputs_device(model))
    mask = torch.zeros(hidden.shape, dtype=model.dtype, device=inputs_device(model))
    return mask.masked_fill_(hidden, torch.finfo(model.dtype).min)[None, None]


@contextmanager
def _biased_by(model: Any, positions: Any, length: int) -> Iterator[None]:
    """Let a model that biases its attention by distance (ALiBi, as BLOOM builds it) count positions and not slots."""
    import torch

    base = model.base_model
    build = getattr(base, "build_alibi_tensor", None)
    if build is None:
        yield
        return
    places = torch.cat([torch.arange(length, device=positions.device), positions])

    def by_position(mask: Any, *options: Any, **named: Any) -> Any:
        return build(mask.new_ones(1, int(places.max()) + 1), *options, **named)[..., places]

    base.build_alibi_tensor = by_position
    try:
        yield
    finally:
        del base.build_alibi_tensor
