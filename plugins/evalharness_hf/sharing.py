"""Which tokens several prompts begin with: each such stretch is a branch, which runs once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from evalharness_hf.tree import common_length

WORTH = 64  # tokens that a branch saves at least: what it costs to look at it at each step is about as much


@dataclass(eq=False)
class Branch:
    """A stretch of tokens that prompts share, after those of its parent; `start` is where it stands in the prompts."""

    parent: Branch | None
    start: int
    ids: list[int]

    @property
    def end(self) -> int:
        """Where the tokens after the branch stand."""
        return self.start + len(self.ids)


@dataclass(frozen=True)
class Leaf:
    """One prompt, by its number: the branch that it continues, None where it shares nothing, and what is its own."""

    prompt: int
    branch: Branch | None
    tail: list[int] = field(repr=False)


def path(branch: Branch | None) -> list[Branch]:
    """Return a branch and those that it continues, the first one first."""
    found: list[Branch] = []
    while branch is not None:
        found.append(branch)
        branch = branch.parent
    return found[::-1]


def leaves(prompts: Sequence[Sequence[int]], trunk: Branch | None = None) -> list[Leaf]:
    """Return how each prompt continues what it shares with others; those that share stand side by side.

    Each keeps a tail of one token at least, since what comes next is read from there. `trunk` is a branch that all prompts
    begin with, which has run already. A stretch is shared where that saves at least WORTH tokens.

    >>> [(leaf.prompt, leaf.branch and leaf.branch.end, leaf.tail) for leaf in leaves([[1] * 90 + [2], [3], [1] * 90 + [4]])]
    [(0, 90, [2]), (2, 90, [4]), (1, None, [3])]
    """
    order = sorted(range(len(prompts)), key=lambda number: (list(prompts[number]), number))
    groups = [(order, trunk, trunk.end if trunk else 0)] if order else []
    found: list[Leaf] = []
    while groups:
        members, branch, known = groups.pop()
        common = known + common_length(prompts[members[0]][known:], prompts[members[-1]][known:])
        start, end = branch.end if branch else 0, min(common, *(len(prompts[number]) - 1 for number in members))
        if (end - start) * (len(members) - 1) >= WORTH:
            branch, start = Branch(branch, start, list(prompts[members[0]][start:end])), end
        parts = [list(part) for _, part in groupby(members, key=lambda number: prompts[number][common : common + 1])]
        if len(parts) > 1:
            groups.extend((part, branch, common) for part in reversed(parts))
        else:
            found.extend(Leaf(number, branch, list(prompts[number][start:])) for number in members)
    return found
