"""Log-likelihoods of given tokens in plain padded batches, for rows that share nothing with each other.

Rows of like length go through the network together, the output embeddings are applied to the scored places alone, and the
logarithm of the sum is taken of few rows at a time, while their logits are in a core's caches. `python -m benchmarks.rolling`
holds it against lm-evaluation-harness, which pads in document order and makes a table of log-softmax over all places.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from evalharness_hf.network import has_plain_head, inputs_device
from evalharness_hf.scored import Scored

# Padding included. So few on a CPU that what a layer makes of them stays in the caches of a core; longer rows run alone.
TOKENS_A_PASS = {"cpu": 512}
# Numbers, not bytes: logits that stand in memory at once.
LOGITS_AT_ONCE = 2**27
LOGITS_AT_ONCE_ON = {"cpu": 2**23 + 2**22}
ROWS_SUMMED_AT_ONCE = 16


def token_logprobs(model: Any, rows: Sequence[Scored], budget: int) -> list[list[float]]:
    """Return the natural-log likelihood of each scored token of each row, from a log-softmax in float32.

    Rows go through the model in batches of at most `budget` padded tokens, a longer row alone. What is in a batch is a
    function of the rows and the budget, on one kind of device.
    """
    device = inputs_device(model).type
    order = sorted(range(len(rows)), key=lambda index: (len(rows[index].ids), rows[index].start))
    score = _by_states if has_plain_head(model) else _by_logits
    most = None if score is _by_states else LOGITS_AT_ONCE // vocabulary(model)
    found: dict[int, list[float]] = {}
    for batch in _batches(order, rows, min(budget, TOKENS_A_PASS.get(device, budget)), most):
        found |= zip(batch, score(model, [rows[index] for index in batch]), strict=True)
    return [found[index] for index in range(len(rows))]


def vocabulary(model: Any) -> int:
    """Return how many logits a place has."""
    size: int = model.config.get_text_config().vocab_size
    return size


def _batches(order: Sequence[int], rows: Sequence[Scored], budget: int, most_logits: int | None) -> Iterator[list[int]]:
    """Yield rows in batches under the budget, and with at most `most_logits` places (in any row) that a row needs logits of."""
    batch: list[int] = []
    places: set[int] = set()
    for index in order:
        row, size = rows[index], len(batch) + 1
        wider = places if most_logits is None else places.union(row.places)
        crowded = most_logits is not None and size * len(wider) > most_logits
        if batch and (crowded or size * max(len(rows[each].ids) - 1 for each in (batch[-1], index)) > budget):
            yield batch
            batch, wider = [], wider if most_logits is None else set(row.places)
        batch.append(index)
        places = wider
    if batch:
        yield batch


def _inputs(model: Any, rows: Sequence[Scored]) -> Any:
    """Return the rows without their last tokens, padded at the right, where no mask is needed: no token sees what follows."""
    import torch

    width = max(len(row.ids) for row in rows) - 1
    return torch.tensor([row.ids[:-1] + [0] * (width - len(row.ids) + 1) for row in rows], device=inputs_device(model))


def _by_states(model: Any, rows: Sequence[Scored]) -> list[list[float]]:
    """Run one batch and apply the output embeddings to the scored places, some at a time."""
    import torch

    with torch.inference_mode():
        states = model.base_model(input_ids=_inputs(model, rows), use_cache=False).last_hidden_state
        width, device = states.shape[1], states.device
        places = [number * width + place for number, row in enumerate(rows) for place in row.places]
        targets = torch.tensor([token for row in rows for token in row.ids[row.start :]], device=device)
        picked = states.flatten(0, 1)[torch.tensor(places, device=device)]
        block = max(ROWS_SUMMED_AT_ONCE, LOGITS_AT_ONCE_ON.get(device.type, LOGITS_AT_ONCE) // vocabulary(model))
        head = model.get_output_embeddings()
        parts = zip(picked.split(block), targets.split(block), strict=True)
        values = iter(torch.cat([_logprobs(head(part), wanted) for part, wanted in parts]).tolist())
    return [list(itertools.islice(values, len(row.places))) for row in rows]


def _by_logits(model: Any, rows: Sequence[Scored]) -> list[list[float]]:
    """Run one batch of a model that does more to its logits, for those places that any row needs."""
    import torch

    places = sorted(set().union(*(row.places for row in rows)))
    index = {place: number for number, place in enumerate(places)}
    keep = {"logits_to_keep": torch.tensor(places, device=inputs_device(model))}
    if "logits_to_keep" not in inspect.signature(model.forward).parameters:
        keep, index = {}, {place: place for place in places}
    with torch.inference_mode():
        logits = model(input_ids=_inputs(model, rows), use_cache=False, **keep).logits
        tables = [table[[index[place] for place in row.places]] for row, table in zip(rows, logits, strict=True)]
        targets = [torch.tensor(row.ids[row.start :]) for row in rows]
        return [_logprobs(*pair).tolist() for pair in zip(tables, targets, strict=True)]


def _logprobs(logits: Any, targets: Any) -> Any:
    """Return the log-softmax of one target a row of logits, float32."""
    import torch

    logits = logits.float()
    sums = torch.cat([part.logsumexp(1) for part in logits.split(ROWS_SUMMED_AT_ONCE)])
    return logits.gather(1, targets.to(logits.device)[:, None])[:, 0] - sums.to(logits.device)
