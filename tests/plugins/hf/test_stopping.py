"""Stop strings: found as soon as they are complete, wherever the borders of tokens and of characters are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from evalharness_hf.stopping import Transcript, first_stop
from evalharness_hf.tokens import tokens
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh

TEXTS = st.text(st.sampled_from("ab c\n😀🏽é日👩\u200d👧е\u0301"), min_size=1, max_size=24)


def whole_bytes(ids: Sequence[int]) -> str:
    """Tokens that are bytes, the finest there are: a character may be four of them."""
    return bytes(ids).decode("utf-8", "replace")


def spaced(ids: Sequence[int]) -> str:
    """Words each with a space before them, of which the first of a text is taken away, as sentencepiece does."""
    return "".join(" ab"[each % 3] for each in ids).removeprefix(" ")


def stopped_at(decode: Callable[[Sequence[int]], str], ids: Sequence[int], stops: Sequence[str]) -> int | None:
    """Return how many tokens were read when a stop string was found, None where none was."""
    transcript = Transcript(decode, stops)
    return next((number for number, token in enumerate(ids, 1) if transcript.take(token)), None)


def first_complete(decode: Callable[[Sequence[int]], str], ids: Sequence[int], stops: Sequence[str]) -> int | None:
    """The same by decoding all that there is at each step."""
    texts = (decode(ids[:number]) for number in range(1, len(ids) + 1))
    return next((number for number, text in enumerate(texts, 1) if first_stop(text, stops) is not None), None)


@given(TEXTS, st.lists(TEXTS, max_size=3), st.data())
def test_bytes_stop_where_the_whole_text_does(text: str, stops: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    stops = [*stops, text[start : data.draw(st.integers(start, len(text)))]]
    ids = list(text.encode())
    assert stopped_at(whole_bytes, ids, stops) == first_complete(whole_bytes, ids, stops)


@given(st.lists(st.integers(0, 2), max_size=12), st.lists(st.text("ab ", max_size=3), max_size=2))
def test_a_space_before_the_first_word_is_taken_away_once(ids: list[int], stops: list[str]) -> None:
    assert stopped_at(spaced, ids, stops) == first_complete(spaced, ids, stops)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 49151), min_size=1, max_size=12), st.data())
def test_any_tokens_of_a_real_tokenizer_stop_where_the_whole_text_does(ids: list[int], data: st.DataObject) -> None:
    decode = tokens("smollm2-135m-instruct").decode
    text = decode(ids).strip("\ufffd")
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    stops = [text[start : start + data.draw(st.integers(1, 6))].strip("\ufffd")]
    assert stopped_at(decode, ids, stops) == first_complete(decode, ids, stops)


@pytest.mark.parametrize("text", ["👩‍👩‍👧 sits", "日本語です。終わり", "e\u0301té\n\nfin"])
def test_a_character_of_several_tokens_is_found_at_its_last(text: str) -> None:
    reader = tokens("smollm2-135m-instruct")
    ids = reader.encode(text)
    for stop in dict.fromkeys(text):
        assert stopped_at(reader.decode, ids, [stop]) == first_complete(reader.decode, ids, [stop]), stop


def test_each_token_is_decoded_a_bounded_number_of_times() -> None:
    read = 0

    def decode(ids: Sequence[int]) -> str:
        nonlocal read
        read += len(ids)
        return whole_bytes(ids)

    assert stopped_at(decode, list(("ä" * 2000).encode()), ["never"]) is None
    assert read <= 4000 * 6


def test_without_stop_strings_nothing_is_decoded() -> None:
    def decode(ids: Sequence[int]) -> str:
        raise AssertionError(ids)

    assert stopped_at(decode, [1, 2, 3], ("",)) is None
    assert eh.Generate(prompt="").stop == ()
