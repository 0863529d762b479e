"""Transforms of responses."""

from __future__ import annotations

import evalharness as eh


class Strip(eh.Transform):
    """Removes white space at both ends of a response.

    >>> Strip().apply("  yes\\n")
    'yes'
    """

    name = "strip"

    def apply(self, text: str) -> str:
        return text.strip()


class FirstLine(eh.Transform):
    """Keeps the first line of a response that is not blank, without white space at its ends.

    >>> FirstLine().apply("\\nParis\\nbecause it is the capital")
    'Paris'
    """

    name = "first_line"

    def apply(self, text: str) -> str:
        return next((line.strip() for line in text.splitlines() if line.strip()), "")
