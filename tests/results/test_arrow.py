"""Arrays made from buffers are the arrays that pyarrow makes."""

from __future__ import annotations

import numpy
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.results import arrow


@given(st.lists(st.none() | st.text()))
def test_texts(values: list[str | None]) -> None:
    made = arrow.texts(values)
    made.validate(full=True)
    assert made.equals(pyarrow.array(values, pyarrow.string()))


@given(st.lists(st.floats()), st.lists(st.booleans()), st.lists(st.integers(0, 2**31 - 1)))
def test_numbers_and_truth_values(numbers: list[float], known: list[bool], whole: list[int]) -> None:
    found = arrow.floats(numpy.array(numbers, float)), arrow.flags(numpy.array(known, bool)), arrow.whole_numbers(whole)
    for made in found:
        made.validate(full=True)
    assert found[0].equals(pyarrow.array(numpy.array(numbers, float), from_pandas=True))
    assert found[1].equals(pyarrow.array(known, pyarrow.bool_()))
    assert found[2].equals(pyarrow.array(whole, pyarrow.int32()))


def test_more_text_than_one_array_holds_is_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "LARGEST", 4)
    values = ["ab", None, "cd", "e", "longer than that", ""]
    made = arrow.texts(values)
    assert made.num_chunks > 1
    assert made.to_pylist() == values


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        arrow.texts(["\ud800"])
