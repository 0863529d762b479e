"""Quick JSON is canonical JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh
from evalharness.contract import canonical
from evalharness.systems.quick_json import quick_json

text = st.text(st.characters())
passages = st.builds(eh.Passage, text, text, st.none() | st.floats(allow_nan=False, allow_infinity=False))
messages = st.builds(eh.Message, st.sampled_from(["user", "system"]), text, st.lists(text, max_size=1).map(tuple))
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text | passages | messages
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(text, inner), max_leaves=8
)


@given(values)
def test_it_is_canonical(value: Any) -> None:
    assert quick_json(value) == canonical(value)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], (eh.Passage("p", "", float("nan")),)])
def test_what_json_has_no_word_for_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        quick_json(value)
