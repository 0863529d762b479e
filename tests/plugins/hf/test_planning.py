"""Chunks: a function of the requests and the budget alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from evalharness_hf.planning import UNKNOWN, Addition, Size, additions, chunks, tree_chunks
from evalharness_hf.scored import Scored
from evalharness_hf.tree import nodes_of
from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh


def size(request: eh.Request) -> Size:
    if isinstance(request, eh.Generate):
        return Size(1, len(request.prompt) + request.max_tokens)
    assert isinstance(request, eh.Choose)
    return Size(len(request.choices), max(len(request.prompt) + len(choice) for choice in request.choices))


REQUESTS = st.lists(
    st.one_of(
        st.builds(lambda text, most: eh.Generate(prompt=text, max_tokens=most), st.text(max_size=30), st.sampled_from([1, 9])),
        st.builds(
            lambda text, choices: eh.Choose(prompt=text, choices=tuple(choices)),
            st.text(max_size=30),
            st.lists(st.text(max_size=9), min_size=1, max_size=4),
        ),
    ),
    max_size=25,
)


@given(REQUESTS, st.integers(1, 120), st.randoms(use_true_random=False))
def test_chunks_hold_each_request_once_and_do_not_depend_on_its_place(
    requests: list[eh.Request], budget: int, rng: random.Random
) -> None:
    planned = list(chunks(requests, size, budget))
    assert sorted(id(request) for chunk in planned for request in chunk) == sorted(map(id, requests))
    shuffled = list(requests)
    rng.shuffle(shuffled)
    assert list(chunks(shuffled, size, budget)) == planned


@given(REQUESTS, st.integers(1, 120))
def test_a_chunk_is_of_one_kind_under_the_budget_and_stays_whole(requests: list[eh.Request], budget: int) -> None:
    for chunk in chunks(requests, size, budget):
        sizes = [size(request) for request in chunk]
        assert len({request.kind for request in chunk}) == 1
        assert len(chunk) == 1 or sum(each.rows for each in sizes) * max(each.length for each in sizes) <= budget
        assert [list(again) for again in chunks(chunk, size, budget)] == [chunk]


def test_the_shortest_come_first_and_equal_lengths_are_ordered_by_content() -> None:
    requests = [eh.Generate(prompt=text, max_tokens=1) for text in ("cccc", "bb", "aa")]
    (chunk,) = chunks(requests, size, 1000)
    assert [len(request.prompt) for request in chunk] == [2, 2, 4]
    assert chunk[:2] == sorted(requests[1:], key=lambda request: eh.digest(request.content()))


CHOICES = st.lists(
    st.builds(
        lambda text, choices: eh.Choose(prompt=text, choices=tuple(choices)),
        st.text("ab?", max_size=12),
        st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3),
    ),
    max_size=20,
)


def text_of(request: Any) -> str:
    return str(request.prompt)


def rows(requests: Sequence[Any]) -> list[list[Scored] | None]:
    """Each character is a token; a prompt with a question mark cannot be asked."""
    return [
        None
        if "?" in request.prompt
        else [Scored([0, *map(ord, request.prompt + choice)], len(request.prompt) + 1) for choice in request.choices]
        for request in requests
    ]


def planned(requests: Sequence[eh.Request], budget: int) -> list[list[eh.Request]]:
    return list(tree_chunks(additions(requests, text_of, rows), budget))


@given(CHOICES, st.integers(1, 60), st.randoms(use_true_random=False))
def test_trees_hold_each_request_once_and_do_not_depend_on_its_place(
    requests: list[eh.Request], budget: int, rng: random.Random
) -> None:
    found = planned(requests, budget)
    assert sorted(id(request) for chunk in found for request in chunk) == sorted(map(id, requests))
    assert planned(rng.sample(requests, len(requests)), budget) == found


@given(CHOICES, st.integers(1, 60))
def test_a_tree_stays_under_the_budget_and_whole(requests: list[eh.Request], budget: int) -> None:
    for chunk in planned(requests, budget):
        every = rows(chunk)
        assert len(chunk) == 1 or nodes_of([row for own in every for row in own or ()]) <= budget
        assert len(chunk) == 1 or None not in every
        assert planned(chunk, budget) == [chunk]


def test_what_a_request_adds_is_what_the_one_before_it_does_not_hold() -> None:
    first, second, broken = (eh.Choose(prompt=prompt, choices=("cd", "ce", "f")) for prompt in ("aaa", "aab", "?"))
    found = list(additions([second, broken, first], text_of, rows))
    assert found == [Addition(broken, 0, UNKNOWN), Addition(first, 14, 5), Addition(second, 14, 5, 3)]
