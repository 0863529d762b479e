"""Values in messages are short, and told in the words of the file or language that they were written in."""

from __future__ import annotations

from typing import Any

import pytest

from evalharness.errors import shown, shown_object


@pytest.mark.parametrize(
    ("value", "in_data", "in_python"),
    [
        (None, "null", "None"),
        (False, "false", "False"),
        ("a", "'a'", "'a'"),
        (1.5, "1.5", "1.5"),
        ("x" * 58, f"'{'x' * 58}'", f"'{'x' * 58}'"),
        (["日" * 99], "['" + "日" * 55 + "...", "['" + "日" * 55 + "..."),
    ],
)
def test_values_are_shown_in_at_most_sixty_characters(value: Any, in_data: str, in_python: str) -> None:
    assert (shown(value), shown_object(value)) == (in_data, in_python)
    assert len(in_data) <= 60
