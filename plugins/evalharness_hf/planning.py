"""Cuts requests into chunks; a pure function of the requests, the tokenizer and the token budget.

What is scored or generated makes a tree of tokens, whose nodes count; what is embedded is padded, so that lengths count.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import evalharness as eh
from evalharness_hf.scored import Scored
from evalharness_hf.tree import in_order, nodes_of, shared_length

TOGETHER = 64  # requests that are put into tokens at once
UNKNOWN = sys.maxsize


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
    groups: dict[str, list[eh.Request]] = defaultdict(list)
    for request in requests:
        groups[request.kind].append(request)
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


@dataclass(frozen=True)
class Addition:
    """What a request adds to the tree of the token sequences that run.

    It has sequences of `tokens` tokens together, which take `nodes` nodes in a tree by themselves; `shared` of them
    stand for the request before it too. One that cannot be put into tokens takes more nodes than any chunk has.
    """

    request: eh.Request
    tokens: int
    nodes: int
    shared: int = 0


def additions(
    requests: Sequence[eh.Request],
    text: Callable[[eh.Request], str],
    rows: Callable[[Sequence[eh.Request]], list[list[Scored] | None]],
) -> Iterator[Addition]:
    """Yield what each request adds to the tree of all, in the order of their texts, whatever the order of `requests`.

    `rows` gives what is scored for some requests, None for one that cannot be asked; only a few are held at a time.
    """
    order = sorted(requests, key=lambda request: (text(request), eh.digest(request.content())))
    before: Scored | None = None
    for start in range(0, len(order), TOGETHER):
        some = order[start : start + TOGETHER]
        for request, own in zip(some, rows(some), strict=True):
            if own:
                ordered = [own[number] for number in in_order(own)]
                shared = 0 if before is None else shared_length(before, ordered[0])
                yield Addition(request, sum(len(row.ids) - 1 for row in own), nodes_of(own), shared)
                before = ordered[-1]
            else:
                yield Addition(request, 0, UNKNOWN if own is None else 0)


def tree_chunks(found: Iterable[Addition], budget: int) -> Iterator[list[eh.Request]]:
    """Yield the requests in chunks whose tree has at most `budget` nodes; a larger one is a chunk of its own.

    A chunk cut again is the same chunk.
    """
    chunk: list[eh.Request] = []
    nodes = 0
    for addition in found:
        nodes += addition.nodes - addition.shared
        if chunk and nodes > budget:
            yield chunk
            chunk = []
        if not chunk:
            nodes = addition.nodes
        chunk.append(addition.request)
    if chunk:
        yield chunk
