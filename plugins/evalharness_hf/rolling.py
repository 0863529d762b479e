"""Windows over long texts, in which each token is scored exactly once."""

from __future__ import annotations

from evalharness_hf.plain import Scored
from evalharness_hf.tokens import Tokens


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
