"""Accuracy of choosing by log-likelihood."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh


def right(logprobs: list[list[float]], target: list[int], choices: list[list[str]], normalise: str = "none") -> list[float]:
    metric = eh.load_metric("choice_accuracy", normalise=normalise)
    return list(metric.measure(logprobs=logprobs, target=target, choices=choices).statistics["right"])


ITEM = st.integers(2, 6).flatmap(
    lambda count: st.tuples(
        st.lists(st.floats(-50, 0), min_size=count, max_size=count, unique=True),
        st.integers(0, count - 1),
        st.lists(st.text(min_size=1, max_size=9), min_size=count, max_size=count),
    )
)


@pytest.mark.parametrize("normalise", ["none", "characters", "bytes"])
@given(item=ITEM)
def test_without_ties_it_is_the_accuracy_of_the_highest_value(normalise: str, item: tuple[list[float], int, list[str]]) -> None:
    logprobs, target, choices = item
    lengths = {"none": [1] * len(choices), "characters": [*map(len, choices)], "bytes": [len(text.encode()) for text in choices]}
    scaled = np.array(logprobs) / np.array(lengths[normalise], float)
    expected = float(int(np.argmax(scaled)) == target) if len(set(scaled)) == len(scaled) else None
    found = right([logprobs], [target], [choices], normalise)[0]
    assert expected is None or found == expected


def test_ties_are_shared_whatever_their_place() -> None:
    assert right([[-1, -1, -2]] * 3, [0, 1, 2], [["a", "b", "c"]] * 3) == [0.5, 0.5, 0.0]
    assert right([[-3.0] * 4], [3], [["a", "b", "c", "d"]]) == [0.25]
    assert right([[-math.inf] * 2], [0], [["a", "b"]]) == [0.5]


def test_length_changes_the_choice_where_asked() -> None:
    logprobs, choices = [[-2.0, -3.0]], [["no", "certainly"]]
    assert right(logprobs, [1], choices) == [0.0]
    assert right(logprobs, [1], choices, "characters") == [1.0]


def test_bytes_and_characters_differ_outside_ascii() -> None:
    logprobs, choices = [[-3.0, -4.0]], [["東京", "abc"]]
    assert right(logprobs, [0], choices, "characters") == [0.0]
    assert right(logprobs, [0], choices, "bytes") == [1.0]


def test_an_empty_choice_divides_nothing_by_zero() -> None:
    assert right([[-1.0, -2.0]], [0], [["", "abc"]], "characters") == [0.0]


@pytest.mark.parametrize(
    ("logprobs", "target", "reason"),
    [
        ([math.nan, -1.0], 0, "log-likelihoods missing"),
        ([-1.0], 0, "log-likelihoods missing"),
        ([-1.0, -2.0], 2, "target is no choice"),
        ([-1.0, -2.0], -1, "target is no choice"),
    ],
)
def test_what_cannot_be_compared_is_unmeasured(logprobs: list[float], target: int, reason: str) -> None:
    rows = eh.load_metric("choice_accuracy").measure(logprobs=[logprobs], target=[target], choices=[["a", "b"]])
    assert rows.unmeasured == {0: reason}
