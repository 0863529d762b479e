"""What runs for a request, put into tokens for many at once: a prompt, the choices of a question, the windows of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import evalharness as eh
from evalharness_hf.rolling import Rolling
from evalharness_hf.scored import Scored
from evalharness_hf.tokens import Tokens
from evalharness_hf.tree import common_length

BYTES = 40  # that a token takes in a list
SOME = 30  # tokens: what a request takes beside them


@dataclass(frozen=True)
class Asked:
    """What runs for a request: one row for each choice, and how many share a token with the context; windows; or a prompt,
    with a token after it that stands for the first of the answer."""

    rows: list[Scored]
    merged: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens run where each row runs by itself."""
        return sum(len(row.ids) - 1 for row in self.rows)

    @property
    def longest(self) -> int:
        """How many tokens run for the longest row."""
        return max((len(row.ids) - 1 for row in self.rows), default=0)


def asked(requests: Sequence[Any], tokens: Tokens, rolling: Rolling) -> list[Asked | Exception]:
    """Return what runs for each `Generate`, `Choose` or `Likelihood`, or what is wrong with it.

    What was put into tokens for the plan is not put into tokens again for the answer that follows it.
    """
    found: dict[Any, Any] = {request: tokens.kept.get((request, rolling)) for request in requests}
    fresh = [request for request, each in found.items() if each is None]
    for request, each in zip(fresh, _each_asked(fresh, tokens, rolling), strict=True):
        found[request] = each
        if isinstance(each, Asked):
            tokens.kept.put((request, rolling), each, (SOME + sum(len(row.ids) for row in each.rows)) * BYTES)
    return [found[request] for request in requests]


def _each_asked(requests: Sequence[Any], tokens: Tokens, rolling: Rolling) -> list[Asked | Exception]:
    try:
        return list(_asked(requests, tokens, rolling))
    except Exception as error:  # of one of them, which is found by halving
        if len(requests) == 1:
            return [error]
    middle = len(requests) // 2
    return [*_each_asked(requests[:middle], tokens, rolling), *_each_asked(requests[middle:], tokens, rolling)]


def _asked(requests: Sequence[Any], tokens: Tokens, rolling: Rolling) -> list[Asked]:
    texts = [_texts(request, tokens) for request in requests]
    encoded = tokens.encode_all(text for each in texts for text in each)
    found = []
    for request, each in zip(requests, texts, strict=True):
        first, *others = (encoded[text] for text in each)
        if isinstance(request, eh.Generate):
            prompt = first or tokens.prefixed([])
            found.append(Asked([Scored([*prompt, 0], len(prompt))]))
        elif isinstance(request, eh.Choose):
            found.append(_choices(first, others, tokens))
        else:
            found.append(Asked(rolling.windows(first, tokens)))
    return found


def _texts(request: eh.Generate | eh.Choose | eh.Likelihood, tokens: Tokens) -> list[tuple[str, bool]]:
    """Return what is encoded for a request, and whether with special tokens: prompt and whole choices, or the text."""
    if isinstance(request, eh.Likelihood):
        return [(request.text, False)]
    written, special = tokens.rendered(request.prompt), not tokens.templated(request.prompt)
    wholes = [written + request.delimiter + choice for choice in request.choices] if isinstance(request, eh.Choose) else []
    return [(text, special) for text in (written, *wholes)]


def _choices(context: list[int], wholes: Sequence[list[int]], tokens: Tokens) -> Asked:
    """Return what is scored for each choice, encoded together with the context.

    Everything after the longest common prefix with the encoded context is scored, at least one token. Where nothing
    stands before the first scored token, the prefix token does.
    """
    rows, merged = [], 0
    for whole in wholes:
        common = common_length(context, whole)
        start = min(common, len(whole) - 1)
        if start < 0:
            raise ValueError("an empty choice after an empty context has no likelihood")
        rows.append(Scored(whole, start) if start else Scored(tokens.prefixed(whole), 1))
        merged += common < len(context)
    return Asked(rows, merged)
