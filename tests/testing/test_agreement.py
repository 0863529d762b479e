"""What tests note of how far metrics lie from their references."""

from __future__ import annotations

import math

import pytest

from evalharness.testing import agreement


@pytest.fixture(autouse=True)
def _nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "_seen", {})


def test_the_largest_difference_is_kept_relative_beyond_one() -> None:
    agreement.agree("some", [1.0, 2000.0, math.nan], [1.0, 2000.0 + 2e-6, math.nan])
    agreement.agree("some", 0.5, 0.5 + 1e-12)
    note = agreement._seen["some"]
    assert (note.comparisons, note.difference) == (4, pytest.approx(1e-9, rel=0.01))


@pytest.mark.parametrize(("found", "expected"), [(1.0, 1.1), (math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0)])
def test_what_differs_fails_and_says_where(found: float, expected: float) -> None:
    with pytest.raises(AssertionError, match=r"some at \(1,\): .*, the reference gives"):
        agreement.agree("some", [0.0, found], [0.0, expected])
    assert not agreement._seen


def test_infinities_of_one_sign_are_equal() -> None:
    agreement.agree("some", [math.inf, -math.inf], [math.inf, -math.inf])


def test_other_shapes_are_no_agreement() -> None:
    with pytest.raises(AssertionError, match="shape"):
        agreement.agree("some", [1.0], 1.0)
