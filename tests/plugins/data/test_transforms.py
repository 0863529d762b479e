"""Transforms change the text of a response before metrics see it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from evalharness_data.extracting import Extract, ExtractChoice, ExtractJson
from evalharness_data.transforms import After, FirstLine, Lowercase, Strip
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness import registry


@pytest.mark.parametrize(("text", "stripped"), [(" a b \n", "a b"), ("", ""), ("\u3000日\u00a0", "日"), ("\n\t", "")])
def test_strip_takes_white_space_off_both_ends(text: str, stripped: str) -> None:
    assert Strip().apply(text) == stripped


@pytest.mark.parametrize(
    ("text", "line"), [("\n\n  Paris \nbecause", "Paris"), ("one", "one"), ("", ""), (" \n ", ""), ("שלום\r\nworld", "שלום")]
)
def test_first_line_is_the_first_that_is_not_blank(text: str, line: str) -> None:
    assert FirstLine().apply(text) == line


def test_lowercase_turns_all_letters() -> None:
    assert Lowercase().apply("ÀB ΣΣ") == "àb σς"


@pytest.mark.parametrize(("text", "kept"), [("x</think>y", "y"), ("a</think>b</think>\nc", "\nc"), ("no mark", "no mark")])
def test_after_keeps_what_stands_after_the_last_mark(text: str, kept: str) -> None:
    assert After(marker="</think>").apply(text) == kept


@pytest.mark.parametrize(
    ("options", "text", "kept"),
    [
        ({"pattern": r"\d+"}, "1 and 22", "22"),
        ({"pattern": r"\d+", "which": "first"}, "1 and 22", "1"),
        ({"pattern": r"\d+", "which": "all"}, "1 and 22", "1\n22"),
        ({"pattern": r"#### (.*)"}, "x\n#### 12\ny", "12"),
        ({"pattern": r"#### (.*)", "group": 0}, "#### 12", "#### 12"),
        ({"pattern": r"(a)|(?P<last>b)", "group": "last"}, "b a", "b"),
        ({"pattern": r"(a)|b"}, "a b", "a"),
        ({"pattern": r"\d+"}, "none", ""),
        ({"pattern": r"\d+", "which": "all"}, "none", ""),
        ({"pattern": r"\d+", "otherwise": "keep"}, "none", "none"),
        ({"pattern": r"x*"}, "", ""),
    ],
)
def test_extract_keeps_what_matches(options: dict[str, Any], text: str, kept: str) -> None:
    assert Extract(**options).apply(text) == kept


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("extract", {"pattern": "a(b"}, r"'a\(b' in 'pattern' is no regular expression: missing \), .* at character 2"),
        ("extract", {"pattern": "(a)", "group": 2}, "the pattern has no group '2'; it has: 0, 1"),
        ("extract", {"pattern": "(?P<x>a)", "group": "y"}, "no group 'y'; it has: 0, 1, x"),
        ("extract", {}, "needs the option 'pattern'"),
        ("extract_choice", {"letters": "abc"}, "letters must be capitals from A to Z, such as 'ABCD', not 'abc'"),
        ("after", {"marker": ""}, "marker must be a text that is not empty"),
    ],
)
def test_options_that_cannot_work_are_refused_when_it_is_built(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.UsageError, match=message):
        registry.build("transform", eh.Spec(name, options))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ('{"b": 1, "a": [true, null]}', '{"a":[true,null],"b":1}', '{"a":[true,null],"b":1}'),
        ('Here:\n```json\n{"a": 1}\n```\nand [2, 3].', '{"a":1}', "[2,3]"),
        (' "text" ', '"text"', '"text"'),
        ("3", "3", "3"),
        ("3 dogs", "", ""),
        ("{x} and {'a': 1}", "", ""),
        ('{"a": NaN} {"b": 2}', '{"b":2}', '{"b":2}'),
        ('{"a": {"b": "{c}"}}', '{"a":{"b":"{c}"}}', '{"a":{"b":"{c}"}}'),
        ("", "", ""),
        ("[" * 50_000, "", ""),
        ("1" * 5_000, "", ""),
        ('["東京"]', '["東京"]', '["東京"]'),
        ('["\\ud83d"]', '["?"]', '["?"]'),
    ],
)
def test_extract_json_keeps_one_value_in_canonical_form(text: str, first: str, last: str) -> None:
    assert ExtractJson().apply(text) == first
    assert ExtractJson(which="last").apply(text) == last
    assert ExtractJson(otherwise="keep").apply(text) == (first or text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(VALUES, st.sampled_from([None, 0, 3]))
def test_any_json_text_is_kept_as_the_same_value(value: Any, indent: int | None) -> None:
    kept = ExtractJson().apply(json.dumps(value, indent=indent))
    assert json.loads(kept) == value
    assert kept == eh.canonical(value)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("B.", "B"),
        ("(b)", "B"),
        ("b) Paris", "B"),
        ("**C**", "C"),
        ("A\nBecause it is.", "A"),
        ("The answer is (B).", "B"),
        ("The answer is A because it is", "A"),
        ("the correct option is c.", "C"),
        ("Answer: **(D)**", "D"),
        ("**Answer:** E", "E"),
        (r"So it is \boxed{B}.", "B"),
        (r"\boxed{\text{C}}", "C"),
        ("I first thought the answer is A. No: the answer is B.", "B"),
        ("Both A and B are wrong, so C", "C"),
        ("So I would pick A.", "A"),
        ("The answer I give is B", "B"),
        ("Not (A) but (B), see", "B"),
        ("正解はBです", "B"),
        ("答案是 C。", "C"),
        ("A cat", ""),
        ("I don't know", ""),
        ("The answer is a cat.", ""),
        ("a.m. in the U.S. of Bénin", ""),
        ("Paris", ""),
        ("", ""),
    ],
)
def test_extract_choice_finds_the_letter_that_is_meant(text: str, letter: str) -> None:
    assert ExtractChoice().apply(text) == letter
    assert ExtractChoice(otherwise="keep").apply(text) == (letter or text)


def test_only_letters_that_count_are_choices() -> None:
    assert ExtractChoice(letters="ABCD").apply("Vitamin K, so B, in version E") == "B"
    assert ExtractChoice(letters="AI").apply("It is I") == "I"


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_any_text_gives_a_letter_or_nothing(text: str) -> None:
    assert ExtractChoice(letters="ABCD").apply(text) in {"", *"ABCD"}
