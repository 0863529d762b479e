"""Cuts requests into chunks; a pure function of the requests, the tokenizer and the token budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import evalharness as eh


@dataclass(frozen=True)
class Size:
    """What a request takes: `rows` through the model at once, each of at most `length` tokens."""

    rows: int
    length: int


def chunks(requests: Sequence[eh.Request], size: Callable[[eh.Request], Size], budget: int) -> Iterator[list[eh.Request]]:
    """Yield the requests in chunks of one kind, shortest first, whose rows padded to the longest hold `budget` tokens.

    Requests that are longer than the budget get a chunk of their own. Equal lengths are ordered by content, so the
    order of `requests` does not matter; a chunk cut again is the same chunk.
    """
    groups: dict[tuple[str, int], list[eh.Request]] = defaultdict(list)
    for request in requests:
        groups[request.kind, getattr(request, "max_tokens", 0)].append(request)
    for _, group in sorted(groups.items()):
        sized = [(size(request), eh.digest(request.content()), request) for request in group]
        sized.sort(key=lambda each: (each[0].length, each[1]))
        yield from _cut([(each, request) for each, _, request in sized], budget)


def _cut(sized: Sequence[tuple[Size, eh.Request]], budget: int) -> Iterator[list[eh.Request]]:
    chunk: list[eh.Request] = []
    rows = 0
    for size, request in sized:
        if chunk and (rows + size.rows) * size.length > budget:
            yield chunk
            chunk, rows = [], 0
        chunk.append(request)
        rows += size.rows
    if chunk:
        yield chunk
