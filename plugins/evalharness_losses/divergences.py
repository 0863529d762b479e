"""How far two distributions are apart, from their logarithms: finite, with finite gradients, where a probability is 0."""

from __future__ import annotations

from typing import Any


def log_softmax(logits: Any) -> Any:
    """Return log-probabilities over the last axis; that of a word whose logit is -inf is the least number of the precision."""
    import torch

    return torch.log_softmax(logits, -1).clamp(min=torch.finfo(logits.dtype).min)


def kl(log_p: Any, log_q: Any) -> Any:
    """Return KL(p to q) over the last axis, in nats; words of p = 0 add nothing.

    Where q = 0 and p > 0 it is infinite in truth, and here the largest numbers of the precision.
    """
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def mixed(log_p: Any, log_q: Any, share: float) -> Any:
    """Return the logarithm of share p + (1 - share) q."""
    import math

    import torch

    return torch.logaddexp(log_p + math.log(share), log_q + math.log1p(-share))
