"""Which token comes next: the likeliest, or one drawn with the request's own seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evalharness as eh
from evalharness_hf.continuation import Continuation

LIKELIEST = 64  # among which most draws fall, so that the other tokens need not be sorted


def next_tokens(logits: Any, rows: Sequence[Continuation]) -> tuple[list[int], list[float]]:
    """Return the next token of each row and its natural-log probability, from a log-softmax in float32 at temperature 1."""
    import torch

    logits = logits.float()
    tokens = logits.argmax(-1)
    warm = [number for number, row in enumerate(rows) if row.request.temperature > 0]
    if warm:
        found = drawn(logits[warm], [rows[number].request for number in warm], [rows[number].draws.random() for number in warm])
        tokens[warm] = torch.tensor(found, device=tokens.device)
    logprobs = logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(1)
    return tokens.tolist(), logprobs.tolist()


def drawn(logits: Any, requests: Sequence[eh.Generate], uniforms: Sequence[float]) -> list[int]:
    """Return for each row the token at the place `uniform` (0 to 1) of its distribution, likeliest first, cut to `top_p`.

    Equal ones come in the order of their numbers.
    """
    import torch

    def column(values: Sequence[float]) -> Any:
        return torch.tensor(values, dtype=torch.float64, device=logits.device)[:, None]

    temperature, top_p, uniform = (
        column(values) for values in ([r.temperature for r in requests], [r.top_p for r in requests], uniforms)
    )
    ranked, order = logits.topk(min(LIKELIEST, logits.shape[1]))
    order, by_number = order.sort()
    ranked, by_value = ranked.gather(1, by_number).sort(descending=True, stable=True)
    order = order.gather(1, by_value)
    whole = (logits.double() / temperature).logsumexp(1, keepdim=True)
    mass = (ranked.double() / temperature - whole).exp().cumsum(1)
    sure = (ranked > ranked[:, -1:]).sum(1)  # behind these there may be others that are as likely
    size = (mass < top_p).sum(1, keepdim=True)
    cut = torch.where((size < sure[:, None]) & (top_p < 1), mass.gather(1, size.clamp(max=mass.shape[1] - 1)), 1.0)
    place = torch.searchsorted(mass, uniform * cut, right=True)[:, 0]
    known = (place < sure) & ((cut[:, 0] < 1) | (top_p[:, 0] >= 1))
    return [
        int(order[row, place[row]]) if known[row] else _drawn_from_all(logits[row], request, uniforms[row])
        for row, request in enumerate(requests)
    ]


def _drawn_from_all(logits: Any, request: eh.Generate, uniform: float) -> int:
    import torch

    ranked, order = torch.sort(logits.double() / request.temperature, descending=True, stable=True)
    mass = torch.softmax(ranked, dim=-1).cumsum(-1)
    size = min(int((mass < request.top_p).sum()) + 1, len(mass))
    place = torch.searchsorted(mass[:size], torch.tensor(uniform * float(mass[size - 1]), device=mass.device), right=True)
    return int(order[min(int(place), size - 1)])
