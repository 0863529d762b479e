"""Transforms change the text of a response before metrics see it."""

from __future__ import annotations

import pytest
from evalharness_data.transforms import FirstLine, Strip


@pytest.mark.parametrize(("text", "stripped"), [(" a b \n", "a b"), ("", ""), ("\u3000日\u00a0", "日"), ("\n\t", "")])
def test_strip_takes_white_space_off_both_ends(text: str, stripped: str) -> None:
    assert Strip().apply(text) == stripped


@pytest.mark.parametrize(
    ("text", "line"), [("\n\n  Paris \nbecause", "Paris"), ("one", "one"), ("", ""), (" \n ", ""), ("שלום\r\nworld", "שלום")]
)
def test_first_line_is_the_first_that_is_not_blank(text: str, line: str) -> None:
    assert FirstLine().apply(text) == line
