"""Branches: what prompts share stands once, and each prompt is its branches and its tail."""

from __future__ import annotations

import random

import pytest
from evalharness_hf import sharing
from evalharness_hf.sharing import WORTH, Branch, Leaf, leaves, path
from hypothesis import given
from hypothesis import strategies as st

PROMPTS = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=8), max_size=8)


@pytest.fixture(autouse=True)
def _any_sharing_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "WORTH", 1)


def whole(leaf: Leaf) -> list[int]:
    return [token for branch in path(leaf.branch) for token in branch.ids] + leaf.tail


@given(PROMPTS)
def test_each_prompt_is_its_branches_and_a_tail_of_its_own(prompts: list[list[int]]) -> None:
    found = leaves(prompts)
    assert sorted(leaf.prompt for leaf in found) == list(range(len(prompts)))
    for leaf in found:
        assert whole(leaf) == prompts[leaf.prompt]
        assert leaf.tail
        assert all(child.start == parent.end for parent, child in zip(path(leaf.branch), path(leaf.branch)[1:], strict=False))


@given(PROMPTS)
def test_no_stretch_runs_twice_but_last_tokens(prompts: list[list[int]]) -> None:
    branches = {branch for leaf in leaves(prompts) for branch in path(leaf.branch)}
    nodes = {tuple(prompt[:end]) for prompt in prompts for end in range(1, len(prompt) + 1)}
    ran = sum(len(branch.ids) for branch in branches) + sum(len(leaf.tail) for leaf in leaves(prompts))
    assert len(nodes) <= ran <= len(nodes) + len(prompts)


def test_the_order_of_prompts_does_not_matter() -> None:
    draw = random.Random(1)
    prompts = [[draw.randrange(2) for _ in range(draw.randrange(1, 9))] for _ in range(20)]
    shuffled = draw.sample(prompts, len(prompts))
    assert [whole(leaf) for leaf in leaves(shuffled)] == [whole(leaf) for leaf in leaves(prompts)]


def test_what_ran_before_is_the_trunk_of_all() -> None:
    trunk = Branch(None, 0, [7, 7])
    found = leaves([[7, 7, 1, 2], [7, 7, 1, 3], [7, 7, 4]], trunk)
    assert [[branch.ids for branch in path(leaf.branch)] for leaf in found] == [[[7, 7], [1]], [[7, 7], [1]], [[7, 7]]]


def test_a_thousand_levels_are_no_deep_recursion() -> None:
    found = leaves([[1] * length for length in range(1, 1500)])
    assert all(len(whole(leaf)) == leaf.prompt + 1 for leaf in found)


def test_a_short_stretch_is_not_worth_a_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "WORTH", WORTH)
    for length in (WORTH // 2 - 1, WORTH // 2):
        found = leaves([[1] * length + [tail] for tail in (2, 3, 4)])
        assert all((leaf.branch is not None) == (2 * length >= WORTH) for leaf in found)
