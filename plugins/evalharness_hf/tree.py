"""Token sequences as a tree, in which what several begin with stands once, cut into packs for one forward pass each.

Knows tokens only, neither a model nor torch.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evalharness_hf.scored import Scored

SAVED = 0.1  # of its tokens: what a tree must save to be worth its mask
REPEATED = 4  # blocks: what one forward pass more costs at least


@dataclass(frozen=True)
class Pack:
    """Rows, by number and in order, that run in one forward pass after their first `prefix` tokens, which they share.

    `tokens` is how many tokens the rows hold without their last ones, and `nodes` how many nodes stand for them in a
    tree, those of the prefix left out.
    """

    rows: tuple[int, ...]
    prefix: int
    nodes: int
    tokens: int

    @property
    def shares(self) -> bool:
        """Whether the tree, or what is kept of the prefix, saves enough."""
        return self.nodes <= (1 - SAVED) * self.tokens


@dataclass(frozen=True)
class Tree:
    """What runs for some rows after their common prefix: nodes in depth-first order.

    - `tokens`, `parents` and `depths` of the nodes; the parent of a first one is -1, its depth 0.
    - `places`: for each row, the nodes whose logits predict its scored tokens, in their order.
    - `added`: for each row, how many nodes it does not share with the rows before it.
    """

    tokens: list[int]
    parents: list[int]
    depths: list[int]
    places: list[list[int]]
    added: list[int]


def tree_of(rows: Sequence[Scored], prefix: int = 0) -> Tree:
    """Return the tree of rows in the order of `in_order`. Nothing follows a row's last token, so it need not run."""
    tree = Tree([], [], [], [], [])
    path: list[int] = []
    before: Sequence[int] = ()
    for row in rows:
        inputs = row.ids[prefix:-1]
        shared = common_length(before, inputs)
        del path[shared:]
        for depth in range(shared, len(inputs)):
            tree.parents.append(path[-1] if path else -1)
            path.append(len(tree.tokens))
            tree.tokens.append(inputs[depth])
            tree.depths.append(depth)
        tree.places.append(path[row.start - 1 - prefix :])
        tree.added.append(len(inputs) - shared)
        before = inputs
    return tree


def packs(rows: Sequence[Scored], most: int, block: int) -> list[Pack]:
    """Cut rows into packs of at most `most` nodes, a function of the rows alone, whatever their order.

    What a pack shares with its neighbours is its prefix, in whole blocks and without any place that needs logits; the
    pack ends before a row that does not share what was already run for the pack before. A row of more nodes is a
    pack of its own.
    """
    order = in_order(rows)
    sizes = [len(rows[number].ids) - 1 for number in order]
    limits = [rows[number].start - 1 for number in order]
    shared = [0, *(shared_length(rows[one], rows[other]) for one, other in pairwise(order)), 0]
    found = []
    for begin, end, common, nodes in _cuts(sizes, shared, limits, most, block):
        around = _whole(min(common, max(shared[begin], shared[end])), block)
        prefix = _whole(common, block) if end - begin > 1 and nodes - around > most else around
        found.append(Pack(tuple(order[begin:end]), prefix, nodes - prefix, sum(sizes[begin:end])))
    return found


def _cuts(
    sizes: Sequence[int], shared: Sequence[int], limits: Sequence[int], most: int, block: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield where each pack begins and ends, how much its rows have in common, and the nodes of their tree with that."""
    begin = 0
    while begin < len(sizes):
        end, common, nodes = begin + 1, limits[begin], sizes[begin]
        run_before = _whole(min(shared[begin], common), block)
        while end < len(sizes):
            narrower, more = min(common, shared[end], limits[end]), nodes + sizes[end] - shared[end]
            if more - _whole(narrower, block) > most or _whole(narrower, block) < run_before:
                break
            end, common, nodes = end + 1, narrower, more
        yield begin, end, common, nodes
        begin = end


@dataclass(frozen=True)
class Group:
    """Rows, by number and in order, that run as one batch after their first `prefix` tokens, which they share."""

    rows: tuple[int, ...]
    prefix: int


def groups(rows: Sequence[Scored], most: int, most_places: int, block: int) -> list[Group]:
    """Cut rows into batches that share a prefix in whole blocks; a function of the rows alone, whatever their order.

    A batch holds at most `most` tokens with its padding, and at most `most_places` places in all its rows that any of
    them needs logits of; a longer row is a batch of its own. A prefix is cut short for the sake of a larger batch where
    that runs no more than REPEATED blocks again.
    """
    order = in_order(rows)
    shared = [0, *(shared_length(rows[one], rows[other]) for one, other in pairwise(order)), 0]
    found: list[Group] = []
    members: list[int] = []
    prefix = 0
    for place, number in enumerate(order):
        row = rows[number]
        own = _whole(min(row.start - 1, max(shared[place : place + 2])), block)
        narrower = _whole(min(prefix, shared[place], row.start - 1), block)
        again = (prefix - narrower) * len(members) + own - narrower
        together = [rows[member] for member in members] + [row]
        if members and (again > REPEATED * block or not _fits(together, narrower, most, most_places)):
            found.append(Group(tuple(members), prefix))
            members = []
        prefix = narrower if members else own
        members.append(number)
    return [*found, Group(tuple(members), prefix)] if members else found


def _fits(rows: Sequence[Scored], prefix: int, most: int, most_places: int) -> bool:
    longest = max(len(row.ids) for row in rows) - 1
    places = longest - min(row.start for row in rows) + 1
    return len(rows) * (longest - prefix) <= most and len(rows) * places <= most_places


def _whole(length: int, block: int) -> int:
    return length // block * block


def in_order(rows: Sequence[Scored]) -> list[int]:
    """Return the numbers of the rows in depth-first order of their tree: lexicographic in the tokens that run."""
    keys = [struct.pack(f">{len(row.ids)}I", *row.ids[:-1], row.start) for row in rows]
    return sorted(range(len(rows)), key=lambda number: (keys[number][:-4], keys[number][-4:], rows[number].ids[-1]))


def nodes_of(rows: Sequence[Scored]) -> int:
    """Return how many nodes the tree of some rows has."""
    order = in_order(rows)
    return sum(len(row.ids) - 1 for row in rows) - sum(shared_length(rows[one], rows[other]) for one, other in pairwise(order))


def shared_length(one: Scored, other: Scored) -> int:
    """Return how many tokens that run two rows begin with alike."""
    return min(common_length(one.ids, other.ids), len(one.ids) - 1, len(other.ids) - 1)


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with alike.

    >>> common_length([1, 2, 3], [1, 2, 4, 5]), common_length([1], [1, 2]), common_length([], [1])
    (2, 1, 0)
    """
    low, high = 0, min(len(first), len(second))
    if first[:high] == second[:high]:
        return high
    while low + 1 < high:  # alike up to `low`, not up to `high`
        middle = (low + high) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle
    return low
