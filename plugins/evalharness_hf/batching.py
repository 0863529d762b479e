"""Which rows generate at once: those that are done leave, and those that wait take their place, as the budget allows.

What enters when depends on the rows, the budget and what was generated, so a chunk that runs again runs the same batches.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from evalharness_hf.continuation import Row
from evalharness_hf.sharing import Branch, path

NEW_TOKENS = 1024  # of prompts in one pass, beside the rows that generate; a longer stretch passes alone


class Admission:
    """Rows in the order in which they enter; at any time the branches and rows inside, with their room, fit the budget.

    A row that does not fit alone enters alone. `held` are the branches whose keys and values are kept; those given ran already.
    """

    def __init__(self, rows: Sequence[Row], budget: int, held: Sequence[Branch] = ()) -> None:
        self._waiting = deque(rows)
        self._users = Counter(branch for row in rows for branch in path(row.branch))
        self._budget = budget
        self.live: list[Row] = []
        self.held = set(held)

    @property
    def done(self) -> bool:
        """Whether no row is inside or waits."""
        return not self.live and not self._waiting

    def enter(self) -> tuple[list[Branch], list[Row]]:
        """Return the branches, each after its parent, and the rows that start with the next pass."""
        branches: list[Branch] = []
        rows: list[Row] = []
        size = sum(len(branch.ids) for branch in self.held) + sum(row.most for row in self.live)
        new = 0
        while self._waiting:
            row = self._waiting[0]
            missing = [branch for branch in path(row.branch) if branch not in self.held]
            before = sum(len(branch.ids) for branch in missing)
            full = size + before + row.most > self._budget or (new and new + before + len(row.own) > NEW_TOKENS)
            if full and (self.live or rows):
                break
            rows.append(self._waiting.popleft())
            branches += missing
            self.held.update(missing)
            row.ran(before + len(row.own))
            size += before + row.most
            new += before + len(row.own)
        self.live += rows
        return branches, rows

    def leave(self) -> list[Branch]:
        """Let go of the rows that are done; return the branches that no row needs any more."""
        over: list[Branch] = []
        for row in self.live:
            if row.done:
                self._users.subtract(path(row.branch))
                over += [branch for branch in path(row.branch) if not self._users[branch]]
        self.live = [row for row in self.live if not row.done]
        self.held.difference_update(over)
        return over
