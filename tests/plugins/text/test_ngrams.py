"""Shared n-grams against plain counting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from evalharness_text.ngrams import Tokens, clipped_matches, ngram_counts
from hypothesis import given, settings
from hypothesis import strategies as st


def counted(text: Tokens, size: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(text[start:] for start in range(size)), strict=False))


def plainly(rows: Sequence[Sequence[Tokens]], order: int) -> list[list[int]]:
    found = []
    for own, *others in rows:
        sizes = range(1, order + 1)
        most = {size: Counter[tuple[str, ...]]() for size in sizes}
        for size in sizes:
            for text in others:
                most[size] |= counted(text, size)
        found.append([(counted(own, size) & most[size]).total() for size in sizes])
    return found


CHARACTERS = st.text(st.sampled_from("ab\0é東\U0010ffff🙂\ud800"), max_size=9)
WORDS = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=9)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), order=st.integers(1, 6))
def test_matches_are_those_of_counting(data: st.DataObject, order: int) -> None:
    texts: st.SearchStrategy[Tokens] = data.draw(st.sampled_from([CHARACTERS, WORDS]))
    rows = data.draw(st.lists(st.lists(texts, min_size=2, max_size=5), max_size=5))
    matched, lengths = clipped_matches(iter(rows), order)
    assert matched.tolist() == plainly(rows, order)
    assert lengths == [[len(text) for text in row] for row in rows]


def test_rows_of_many_blocks_stay_in_their_order() -> None:
    rows = [[["a"] * (row % 7), ["a"] * (row % 5), ["b", "a"]] for row in range(4000)]
    assert clipped_matches(rows, 2)[0].tolist() == plainly(rows, 2)


@pytest.mark.parametrize(
    ("kinds", "rows", "order"), [(150, 20, 6), (1200, 3, 6), (40, 3, 15)], ids=["halved", "one row is too wide", "long"]
)
def test_many_kinds_of_tokens_and_long_ngrams_are_counted_as_well(kinds: int, rows: int, order: int) -> None:
    letters = "".join(chr(0x4E00 + place) for place in range(kinds * rows))
    own = [letters[row * kinds :][:kinds] for row in range(rows)]
    wide = [[text, text + text, "x" + text[5:]] for text in own]
    assert clipped_matches(wide, order)[0].tolist() == plainly(wide, order)


def test_texts_that_are_too_short_have_no_ngrams() -> None:
    assert ngram_counts([0, 1, 5], 3).tolist() == [[0, 0, 0], [1, 0, 0], [5, 4, 3]]
