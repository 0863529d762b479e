"""Who runs when: what fits the budget enters, in order, and each row once; branches stay as long as a row needs them."""

from __future__ import annotations

from evalharness_hf.batching import NEW_TOKENS, Admission
from evalharness_hf.continuation import Row
from evalharness_hf.sharing import Branch, path
from hypothesis import given
from hypothesis import strategies as st

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=25)


class Counted(Row):
    """A row that is done after some passes, and counts the prompt tokens that ran for it."""

    def __init__(self, branch: Branch | None, tail: int, room: int) -> None:
        super().__init__([0] * ((branch.end if branch else 0) + tail), room)
        self.branch, self.own, self.left, self.counted = branch, [0] * tail, room, 0

    @property
    def done(self) -> bool:
        return self.left == 0

    def ran(self, tokens: int) -> None:
        self.counted += tokens


def rows_of(shapes: list[tuple[int, int, int]]) -> list[Counted]:
    first = Branch(None, 0, [0] * 20)
    branches = [None, first, Branch(first, 20, [0] * 15), Branch(None, 0, [0] * 40)]
    return [Counted(branches[which], tail, room) for which, tail, room in sorted(shapes)]


@given(ROWS, st.integers(1, 200))
def test_all_rows_run_in_order_within_the_budget(shapes: list[tuple[int, int, int]], budget: int) -> None:
    rows = rows_of(shapes)
    admission, entered, kept = Admission(rows, budget), [], set()
    while not admission.done:
        branches, entering = admission.enter()
        entered += entering
        for branch in branches:
            assert branch.parent is None or branch.parent in kept
            kept.add(branch)
        assert kept == admission.held
        size = sum(len(branch.ids) for branch in kept) + sum(row.most for row in admission.live)
        assert size <= budget or len(admission.live) == 1
        for row in admission.live:
            assert set(path(row.branch)) <= kept
            row.left -= 1
        kept -= set(admission.leave())
    assert entered == rows
    assert not kept
    used = {branch for row in rows for branch in path(row.branch)}
    ran = sum(row.counted for row in rows) - sum(len(row.own) for row in rows)
    assert ran == sum(len(branch.ids) for branch in used)


def test_prompts_enter_over_several_passes() -> None:
    rows = [Counted(None, NEW_TOKENS // 2, 5) for _ in range(5)]
    admission = Admission(rows, 10**6)
    counts = []
    while len(admission.live) < 5:
        counts.append(len(admission.enter()[1]))
    assert counts == [2, 2, 1]
