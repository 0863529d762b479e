"""What is scored of the choices of a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import evalharness as eh
from evalharness_hf.plain import Scored
from evalharness_hf.tokens import Tokens


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
