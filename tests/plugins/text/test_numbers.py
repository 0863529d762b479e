"""Numbers in texts, and the metric and the transform that go by them."""

from __future__ import annotations

import math
import re

import pytest
from evalharness_text.numbers import ExtractNumber, numbers_in
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree


def match(response: str, *references: str, **options: object) -> list[float]:
    rows = eh.load_metric("number_match", **options).measure(response=[response], references=[list(references)])
    assert isinstance(rows, eh.Rows)
    return list(rows.statistics["match"])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        ("none", []),
        ("1,000.0 = 1000.", ["1000", "1000"]),
        ("10-5 and pages 3–7", ["10", "5", "3", "7"]),
        ("-5 −5 (-5) x=-5 - 5", ["-5", "-5", "-5", "-5", "5"]),
        ("COVID-19, Q3, v1.2.3, x2", []),
        ("No.5 or .5", ["5", "0.5"]),
        ("3/4 of 1 1/2, 1½, ½", ["0.75", "1.5", "1.5", "0.5"]),
        ("on 3/4/2020, 1/0", ["3", "4", "2020"]),
        ("１，０００ and ١٢٣٫٥ and ４２％", ["1000", "123.5", "42%"]),
        ("5km, 1e5, 2E-3, 1e", ["5", "100000", "0.002", "1"]),
        ("20%, 20 percent, 2 per cent", ["20%", "20%", "2%"]),
        ("$1,000.50, -$5, US$7, €\u00a03", ["1000.5", "-5", "7", "3"]),
        ("1,2,3 1,00 1,0000", ["1", "2", "3", "1", "0", "1", "0"]),
        ("1'000 1\u202f000 1 000", ["1000", "1000", "1", "0"]),
        ("-0.0", ["0"]),
        ("答案是12元，约-3.5度", ["12", "-3.5"]),
        ("정답은 7개, 약9", ["7", "9"]),
        ("5\n1/2\n% ½", ["5", "0.5", "0.5"]),
    ],
)
def test_numbers_are_found_and_read(text: str, numbers: list[str]) -> None:
    assert list(map(str, numbers_in(text))) == numbers


@settings(max_examples=50)
@given(st.text(max_size=30) | st.text("0123456789.,-/%½e ", max_size=20))
def test_any_text_is_read(text: str) -> None:
    for number in numbers_in(text):
        assert re.search(r"\d|[½¼¾⅐-⅞]", text[number.start : number.end])
        assert number.value.is_finite()


FINITE = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


@settings(max_examples=50)
@given(number=FINITE, other=FINITE, relative=st.sampled_from([0.0, 0.1, 1.0]), absolute=st.sampled_from([0.0, 0.5, 1e5]))
def test_numbers_are_close_as_for_the_standard_library(number: float, other: float, relative: float, absolute: float) -> None:
    within = math.isclose(abs(number - other), 0, abs_tol=max(absolute, relative * abs(other)))
    found = match(f"It is {number:,}.", f"{other!r}", relative=relative, absolute=absolute)
    agree("number_match", found, [float(within)], tolerance=0)


def test_exact_numbers_stay_exact() -> None:
    assert match("123456789012345678901", "123456789012345678900") == [0.0]
    assert match("1.1", "1.0", absolute=0.1) == [1.0]
    assert match("9" * 6000, "9" * 6000) == [1.0]


def test_the_last_or_any_number_counts_and_one_reference_is_enough() -> None:
    assert match("3 x 4 = 12", "12") == match("12 is 3 x 4", "12", which="any") == [1.0]
    assert match("12 is 3 x 4", "12") == match("no number", "12") == match("", "12") == [0.0]
    assert match("12", "13", "#### 12") == [1.0]


@pytest.mark.parametrize(
    ("response", "reference", "same"),
    [("50%", "50", 1), ("50 %", "0.5", 1), ("0.5", "50%", 1), ("50%", "50 percent", 1), ("0.5%", "50%", 0), ("5%", "0.5", 0)],
)
def test_a_percent_sign_on_one_side_may_be_meant_or_not(response: str, reference: str, same: int) -> None:
    assert match(response, reference) == [same]


def test_references_without_a_number_are_unmeasured() -> None:
    rows = eh.load_metric("number_match").measure(response=["1", "1", "1"], references=[["one"], [], ["one", "1"]])
    assert isinstance(rows, eh.Rows)
    assert rows.unmeasured == {0: "no number in the references", 1: "no reference"}
    assert rows.statistics["match"][2] == 1.0


@pytest.mark.parametrize("option", ["relative", "absolute"])
def test_a_tolerance_below_nothing_is_refused(option: str) -> None:
    with pytest.raises(eh.UsageError, match=f"{option} must be 0 or more, not -1"):
        eh.load_metric("number_match", **{option: -1.0})


@pytest.mark.parametrize(
    ("text", "options", "kept"),
    [
        ("3 x 400 = **1,200.50** dollars", {}, "1200.5"),
        ("3 x 400 = 1200", {"which": "first"}, "3"),
        ("about 3/4", {}, "0.75"),
        ("20 %", {}, "20%"),
        ("none", {}, ""),
        ("none", {"otherwise": "keep"}, "none"),
    ],
)
def test_the_transform_keeps_one_number(text: str, options: dict[str, str], kept: str) -> None:
    assert ExtractNumber(**options).apply(text) == kept  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found"), [("USD1,000", []), ("Q3,000 5", ["5"]), ("1,2,3", ["1", "2", "3"]), (",5 1,5", ["5", "1", "5"])]
)
def test_digits_of_a_word_do_not_go_on_as_a_number(text: str, found: list[str]) -> None:
    assert list(map(str, numbers_in(text))) == found
