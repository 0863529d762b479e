"""Log-likelihoods of given tokens: continuations of a context, and whole texts in rolling windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import evalharness as eh
from evalharness_hf.tokens import Tokens

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


@dataclass(frozen=True)
class Choices:
    """One row for each choice, and how many choices share a token with the context."""

    rows: list[Scored]
    merged: int


def choices_of(request: eh.Choose, tokens: Tokens) -> Choices:
    """Return what is scored for each choice.

    Context, delimiter and choice are encoded together; everything after the longest common prefix with the encoded
    context is scored, at least one token. Where nothing stands before the first scored token, the prefix token does.
    """
    written, special = tokens.rendered(request.prompt), not tokens.templated(request.prompt)
    context = tokens.encode(written, special)
    rows, merged = [], 0
    for choice in request.choices:
        whole = tokens.encode(written + request.delimiter + choice, special)
        common = _common_prefix(context, whole)
        start = min(common, len(whole) - 1)
        if start < 0:
            raise ValueError("an empty choice after an empty context has no likelihood")
        rows.append(Scored(whole, start) if start else Scored(tokens.prefixed(whole), 1))
        merged += common < len(context)
    return Choices(rows, merged)


def _common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    return next((place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))


def windows(ids: list[int], tokens: Tokens) -> list[Scored]:
    """Return the windows in which each token of a text is scored exactly once.

    The first token is conditioned on the prefix token alone. Windows are of the model's full context; the last one
    reaches back as far as it can, so that its tokens have the most context.

    This is the rolling scheme of lm-evaluation-harness with a context length of 1.
    """
    whole = tokens.prefixed(ids)
    size = tokens.context or len(whole)
    found = []
    for first in range(1, len(whole), size):
        last = min(first + size, len(whole))  # tokens first..last-1 are scored, from inputs up to last-2
        begin = max(0, last - 1 - size)
        found.append(Scored(whole[begin:last], first - begin))
    return found


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
