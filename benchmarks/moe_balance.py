"""How long the balance loss of a mixture of experts takes, beside that of transformers, forward and backward.

    python -m benchmarks.moe_balance

32 layers of 16,384 tokens and 64 experts, float32, 2 or 8 choices a token, with and without an attention mask. The peer is
`load_balancing_loss_func`, which counts a top-k of the logits; here `moe_top_k_pooled` is computed once from logits alone
and once from the indices that the router chose. All three run by turns, value and gradient, and a line gives the least
time of each and the ratio of those. Held: the same value, at most 1.0 of the peer's time from logits, at most a third
from indices.

Measured with `OMP_NUM_THREADS=1`, since other work filled both cores (load 9); seconds are those of a busy machine:

    choices mask    peer s  logits s  indices s  logits/peer  indices/peer  difference
          2   no     1.519     0.832     0.236         0.55         0.16      0.0e+00
          2  yes     1.262     0.785     0.293         0.62         0.23      1.2e-07
          8   no     2.029     1.771     0.272         0.87         0.13      0.0e+00
          8  yes     1.555     1.502     0.325         0.97         0.21      0.0e+00
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click

import evalharness as eh

LAYERS, TOKENS, EXPERTS, SEQUENCES = 32, 16_384, 64, 32
TURNS = 7
MOST = {"logits": 1.0, "indices": 1 / 3}
TOLERANCE = 1e-5


def computations(k: int, masked: bool) -> tuple[tuple[Any, ...], dict[str, Callable[[], Any]]]:
    """Return the logits, and how the value is computed by the peer, from logits, and from indices."""
    import torch
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    chance = torch.Generator().manual_seed(0)
    logits = tuple(torch.randn(TOKENS, EXPERTS, generator=chance, requires_grad=True) for _ in range(LAYERS))
    indices = tuple(layer.detach().topk(k).indices for layer in logits)
    mask = None
    if masked:
        mask = torch.ones(SEQUENCES, TOKENS // SEQUENCES, dtype=torch.int64)
        mask[::2, -100:] = 0
    loss = eh.load_loss("moe_top_k_pooled", top_k=k)
    return logits, {
        "peer": lambda: load_balancing_loss_func(logits, EXPERTS, k, mask),
        "logits": lambda: loss(router_logits=logits, attention_mask=mask),
        "indices": lambda: loss(router_logits=logits, router_indices=indices, attention_mask=mask),
    }


def measured(k: int, masked: bool) -> bool:
    """Print one line of figures; return whether they hold."""
    logits, ways = computations(k, masked)
    seconds: dict[str, float] = dict.fromkeys(ways, float("inf"))
    values: dict[str, float] = {}
    for _ in range(TURNS):
        for name, compute in ways.items():
            for layer in logits:
                layer.grad = None
            start = time.perf_counter()
            value = compute()
            value.backward()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
            values[name] = float(value.detach())
    ratios = {name: seconds[name] / seconds["peer"] for name in MOST}
    difference = max(abs(value / values["peer"] - 1) for value in values.values())
    shown = "  ".join([*(f"{took:8.3f}" for took in seconds.values()), *(f"{ratio:11.2f}" for ratio in ratios.values())])
    click.echo(f"{k:7} {'yes' if masked else 'no':>4}  {shown}  {difference:11.1e}")
    return difference < TOLERANCE and all(ratios[name] <= most for name, most in MOST.items())


def main() -> None:
    """Print the figures; exit with 1 where they do not hold."""
    click.echo("choices mask    peer s  logits s  indices s  logits/peer  indices/peer  difference")
    held = [measured(k, masked) for k in (2, 8) for masked in (False, True)]
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
