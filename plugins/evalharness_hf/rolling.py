"""Windows over long texts, in which each token is scored exactly once."""

from __future__ import annotations

from dataclasses import dataclass

import evalharness as eh
from evalharness_hf.scored import Scored
from evalharness_hf.tokens import Tokens


@dataclass(frozen=True)
class Rolling:
    """How a text that is longer than a window is read: `context` tokens at a time, of which `stride` are new.

    None: the model's full context, and windows that share no scored token and no more context than they must. The first
    token of a text is conditioned on the prefix token alone, which counts as one of the first window's. The first window
    scores all that it holds, each later one `stride` tokens; the last scores what is left and reaches back as far as it
    can, so that its tokens have the most context.

    This is the scheme of lm-evaluation-harness, there with `context_len = context - stride + 1`; its own setting is 1.

    >>> Rolling(context=4, stride=4).spans(11)
    [(0, 0, 4), (4, 4, 8), (7, 8, 11)]
    >>> Rolling(context=4, stride=2).spans(11)
    [(0, 0, 4), (2, 4, 6), (4, 6, 8), (6, 8, 10), (7, 10, 11)]
    """

    context: int | None = None
    stride: int | None = None

    def __post_init__(self) -> None:
        for name in ("context", "stride"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"option '{name}' must be at least 1, not {value}")
        if self.context is not None and self.stride is not None and self.stride > self.context:
            raise ValueError(
                f"option 'stride' is {self.stride}, but a window holds {self.context} tokens (option 'context'), "
                f"so some would never be scored; give a stride of at most {self.context}"
            )

    def of(self, tokens: Tokens, weights: str) -> Rolling:
        """Return the same for weights with these tokens, whose own context stands in for one that is not given.

        Raises UsageError where that is too short.
        """
        most = tokens.context
        for name in ("context", "stride"):
            value = getattr(self, name)
            if value is not None and most is not None and value > most:
                raise eh.UsageError(f"option '{name}' of model 'hf' is {value}, but '{weights}' reads {most} tokens at most")
        return Rolling(self.context or most, self.stride)

    def spans(self, length: int) -> list[tuple[int, int, int]]:
        """Return the windows over so many tokens: where its inputs begin, its first scored token, and the one after its last.

        Tokens are counted without the prefix token; inputs are counted with it, so that input `i` predicts token `i`.
        """
        size = self.context or length
        step = self.stride or size
        first, last, found = 0, min(size, length), []
        while first < last:
            found.append((max(0, last - size), first, last))
            first, last = last, min(last + step, length)
        return found

    def windows(self, ids: list[int], tokens: Tokens) -> list[Scored]:
        """Return the windows of a text."""
        whole = tokens.prefixed(ids)
        return [Scored(whole[begin : last + 1], first - begin + 1) for begin, first, last in self.spans(len(ids))]
