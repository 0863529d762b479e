"""Log-likelihoods of given tokens in plain padded batches, for rows that share nothing with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

LOGITS_AT_ONCE = 2**27  # numbers; half a gigabyte in float32


@dataclass(frozen=True)
class Scored:
    """Tokens of which those from `start` (at least 1) on are scored, each given all before it."""

    ids: list[int]
    start: int

    @property
    def places(self) -> range:
        """Where the logits stand that predict the scored tokens."""
        return range(self.start - 1, len(self.ids) - 1)


def token_logprobs(model: Any, rows: Sequence[Scored], budget: int) -> list[list[float]]:
    """Return the natural-log likelihood of each scored token of each row, from a log-softmax in float32.

    Rows go through the model in batches of at most `budget` padded tokens.
    """
    vocabulary = model.config.get_text_config().vocab_size
    return [found for batch in _batches(rows, budget, LOGITS_AT_ONCE // vocabulary) for found in _scored_batch(model, batch)]


def _batches(rows: Sequence[Scored], budget: int, most_logits: int) -> Iterator[list[Scored]]:
    """Yield rows in batches under the budget, with at most `most_logits` places (in any row) that a row needs logits of."""
    batch: list[Scored] = []
    places: set[int] = set()
    for row in rows:
        size, wider = len(batch) + 1, places.union(row.places)
        if batch and (size * len(wider) > most_logits or size * max(len(each.ids) for each in (*batch, row)) > budget):
            yield batch
            batch, wider = [], set(row.places)
        batch.append(row)
        places = wider
    if batch:
        yield batch


def _scored_batch(model: Any, rows: Sequence[Scored]) -> list[list[float]]:
    """Run one batch, padded at the right, where no mask is needed: no token sees what comes after it."""
    import torch

    width = max(len(row.ids) for row in rows) - 1
    inputs = torch.tensor([row.ids[:-1] + [0] * (width - len(row.ids) + 1) for row in rows], device=model.device)
    places = sorted(set().union(*(row.places for row in rows)))
    index = {place: number for number, place in enumerate(places)}
    with torch.inference_mode():
        logits = model(input_ids=inputs, use_cache=False, logits_to_keep=torch.tensor(places, device=model.device)).logits
        found = []
        for row, values in zip(rows, logits, strict=True):
            chosen = values[[index[place] for place in row.places]].float()
            targets = torch.tensor(row.ids[row.start :], device=model.device)[:, None]
            found.append((chosen.gather(1, targets)[:, 0] - chosen.logsumexp(1)).tolist())
    return found
