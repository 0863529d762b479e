"""The planner of prefix trees, on lists of tokens alone."""

from __future__ import annotations

import random

from evalharness_hf.scored import Scored
from evalharness_hf.tree import Group, Pack, common_length, groups, in_order, packs, tree_of
from hypothesis import given
from hypothesis import strategies as st

BLOCK = 3
IDS = st.lists(st.integers(0, 2), min_size=2, max_size=14)  # few tokens, so that rows share much
ROWS = st.lists(IDS.flatmap(lambda ids: st.builds(Scored, st.just(ids), st.integers(1, len(ids) - 1))), max_size=12)
MOST = st.integers(1, 40)


def ancestors(parents: list[int], node: int) -> list[int]:
    path = [node]
    while parents[path[0]] >= 0:
        path.insert(0, parents[path[0]])
    return path


@given(ROWS, MOST)
def test_each_scored_token_is_predicted_once_from_the_tokens_before_it(rows: list[Scored], most: int) -> None:
    planned = packs(rows, most, BLOCK)
    assert sorted(number for pack in planned for number in pack.rows) == list(range(len(rows)))
    for pack in planned:
        members = [rows[number] for number in pack.rows]
        tree = tree_of(members, pack.prefix)
        assert len(tree.tokens) == pack.nodes == sum(tree.added)
        assert pack.tokens == sum(len(row.ids) - 1 for row in members)
        for row, places in zip(members, tree.places, strict=True):
            assert row.ids[: pack.prefix] == members[0].ids[: pack.prefix]
            assert len(places) == len(row.places)
            for place, node in zip(row.places, places, strict=True):
                path = ancestors(tree.parents, node)
                assert [tree.tokens[each] for each in path] == row.ids[pack.prefix : place + 1]
                assert [tree.depths[each] for each in path] == list(range(len(path)))


@given(ROWS, MOST)
def test_no_two_nodes_of_a_tree_have_the_same_tokens_up_to_them(rows: list[Scored], most: int) -> None:
    for pack in packs(rows, most, BLOCK):
        tree = tree_of([rows[number] for number in pack.rows], pack.prefix)
        paths = {tuple(tree.tokens[each] for each in ancestors(tree.parents, node)) for node in range(len(tree.tokens))}
        assert len(paths) == len(tree.tokens)


@given(ROWS, MOST)
def test_packs_hold_no_more_nodes_than_they_may_unless_a_row_does(rows: list[Scored], most: int) -> None:
    for pack in packs(rows, most, BLOCK):
        assert len(pack.rows) == 1 or pack.nodes <= most
        assert pack.prefix % BLOCK == 0
        assert all(pack.prefix < rows[number].start for number in pack.rows)


@given(ROWS, MOST, st.integers(1, 30), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_neither_packs_nor_groups(
    rows: list[Scored], most: int, most_places: int, rng: random.Random
) -> None:
    shuffled = rng.sample(rows, len(rows))

    def contents(given: list[Scored]) -> list[object]:
        cut: list[Pack | Group] = [*packs(given, most, BLOCK), *groups(given, most, most_places, BLOCK)]
        return [(each.prefix, [given[number] for number in each.rows]) for each in cut]

    assert contents(shuffled) == contents(rows)


@given(ROWS, MOST, st.integers(1, 30))
def test_groups_hold_each_row_once_and_share_their_prefix(rows: list[Scored], most: int, most_places: int) -> None:
    cut = groups(rows, most, most_places, BLOCK)
    assert sorted(number for group in cut for number in group.rows) == list(range(len(rows)))
    for group in cut:
        members = [rows[number] for number in group.rows]
        assert group.prefix % BLOCK == 0
        assert all(group.prefix < row.start and row.ids[: group.prefix] == members[0].ids[: group.prefix] for row in members)
        longest, first = max(len(row.ids) for row in members) - 1, min(row.start for row in members) - 1
        assert len(members) == 1 or len(members) * (longest - group.prefix) <= most
        assert len(members) == 1 or len(members) * (longest - first) <= most_places


def questions(shots: list[int], count: int, choices: int = 4) -> list[Scored]:
    draw = random.Random(7)
    rows = []
    for _ in range(count):
        context = shots + [draw.randrange(9) for _ in range(20)]
        rows += [Scored([*context, 100 + choice, *range(draw.randrange(4))], len(context)) for choice in range(choices)]
    return rows


def test_what_all_questions_share_is_left_to_the_kept_prefix() -> None:
    rows = questions([10 + number % 5 for number in range(150)], 40)
    cut = packs(rows, 256, 64)
    assert len(cut) > 2
    assert all(pack.prefix == 128 and pack.shares for pack in cut)
    assert sum(pack.nodes for pack in cut) < 40 * (20 + 12) + len(cut) * 22
    assert [group.prefix for group in groups(rows, 8192, 2**20, 64)] == [128]


def test_a_choice_of_one_token_costs_nothing_beyond_its_context() -> None:
    context = list(range(30))
    rows = [Scored([*context, 50 + choice], 30) for choice in range(4)]
    tree = tree_of([rows[number] for number in in_order(rows)])
    assert tree.tokens == context
    assert tree.places == [[29]] * 4
    assert tree.added == [30, 0, 0, 0]


def test_rows_that_share_nothing_are_no_tree() -> None:
    draw = random.Random(1)
    rows = [Scored([draw.randrange(10**6) for _ in range(40)], 1) for _ in range(9)]
    assert not any(pack.shares for pack in packs(rows, 200, 64))
    assert all(group.prefix == 0 for group in groups(rows, 8192, 2**20, 64))


def test_a_pack_ends_where_what_was_run_for_it_ends() -> None:
    first, second = [1] * 100, [2] * 30
    rows = [Scored([*first, number, *range(30), 9], 120) for number in range(6)] + [Scored([*second, 5, 6], 30)]
    cut = packs(rows, 120, 64)
    assert [(len(pack.rows), pack.prefix) for pack in cut] == [(2, 64), (2, 64), (2, 64), (1, 0)]


@given(st.lists(st.integers(0, 1), max_size=20), st.lists(st.integers(0, 1), max_size=20))
def test_the_common_length_is_where_two_sequences_part(first: list[int], second: list[int]) -> None:
    length = common_length(first, second)
    assert first[:length] == second[:length]
    assert length == min(len(first), len(second)) or first[length] != second[length]
