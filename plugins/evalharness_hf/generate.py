"""Continues prompts token by token: a batch shares one cache, and rows leave it when they are done."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import evalharness as eh
from evalharness_hf.network import padded_left
from evalharness_hf.tokens import Tokens


class Continuation:
    """One prompt and what has been generated for it so far."""

    def __init__(self, request: eh.Generate, prompt: list[int], tokens: Tokens) -> None:
        self.request, self.prompt, self.tokens = request, prompt, tokens
        room = request.max_tokens if tokens.context is None else min(request.max_tokens, tokens.context - len(prompt))
        self.room = max(0, room)
        self.made: list[int] = []
        self.stopped = False
        self.draws = random.Random(int(eh.digest(request.content()), 16))

    @property
    def done(self) -> bool:
        """Whether nothing more is to be generated."""
        return self.stopped or len(self.made) >= self.room

    def take(self, token: int) -> None:
        """Add the next token, unless it ends the text."""
        if token in self.tokens.ends:
            self.stopped = True
            return
        self.made.append(token)
        if self.request.stop:
            self.stopped = self._stop_at(self.tokens.decode(self.made)) is not None

    def _stop_at(self, text: str) -> int | None:
        found = [text.find(stop) for stop in self.request.stop if stop]
        return min((place for place in found if place >= 0), default=None)

    def response(self) -> eh.Response:
        """Return the text up to the first stop string."""
        text = self.tokens.decode(self.made)
        return eh.Response(
            text=text[: self._stop_at(text)],
            finish="stop" if self.stopped else "length",
            input_tokens=len(self.prompt),
            output_tokens=len(self.made),
        )


def continue_all(model: Any, rows: Sequence[Continuation]) -> None:
    """Generate until every row is done; what one row gets does not depend on the others."""
    import torch

    live = [row for row in rows if not row.done]
    if not live:
        return
    batch = padded_left([row.prompt for row in live], model.device)
    mask = batch.mask
    with torch.inference_mode():
        out = model(
            input_ids=batch.ids, attention_mask=mask, position_ids=batch.positions, use_cache=True, logits_to_keep=1
        )  # fmt: skip
        while True:
            chosen = next_tokens(out.logits[:, -1], live)
            for row, token in zip(live, chosen, strict=True):
                row.take(token)
            kept = [index for index, row in enumerate(live) if not row.done]
            if not kept:
                return
            cache = out.past_key_values
            if len(kept) < len(live):
                chosen, live = [chosen[index] for index in kept], [live[index] for index in kept]
                mask = mask[kept]
                cache.batch_select_indices(torch.tensor(kept, device=model.device))
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
            out = model(
                input_ids=torch.tensor(chosen, device=model.device)[:, None],
                attention_mask=mask,
                position_ids=mask.sum(1, keepdim=True) - 1,
                past_key_values=cache,
                use_cache=True,
            )


def next_tokens(logits: Any, rows: Sequence[Continuation]) -> list[int]:
    """Return the next token of each row: the likeliest, or at a temperature above 0 one drawn with the row's own seed."""
    likeliest: list[int] = logits.argmax(-1).tolist()
    return [
        token if row.request.temperature == 0 else _drawn(logits[index], row.request, row.draws.random())
        for index, (token, row) in enumerate(zip(likeliest, rows, strict=True))
    ]


def _drawn(logits: Any, request: eh.Generate, uniform: float) -> int:
    """Return the token at the place `uniform` (0 to 1) of the distribution, likeliest first, cut to the mass `top_p`."""
    import torch

    ranked, order = torch.sort(logits.double() / request.temperature, descending=True, stable=True)
    mass = torch.softmax(ranked, dim=-1).cumsum(-1)
    size = min(int((mass < request.top_p).sum()) + 1, len(mass))
    place = torch.searchsorted(mass[:size], torch.tensor(uniform * float(mass[size - 1]), device=mass.device), right=True)
    return int(order[min(int(place), size - 1)])
