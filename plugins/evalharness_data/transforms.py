"""Transforms that tidy the text of a response."""

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


class Lowercase(eh.Transform):
    """Turns a response into lower case.

    >>> Lowercase().apply("Yes, ÉTÉ")
    'yes, été'
    """

    name = "lowercase"

    def apply(self, text: str) -> str:
        return text.lower()


class FirstLine(eh.Transform):
    """Keeps the first line of a response that is not blank, without white space at its ends.

    >>> FirstLine().apply("\\nParis\\nbecause it is the capital")
    'Paris'
    """

    name = "first_line"

    def apply(self, text: str) -> str:
        return next((line.strip() for line in text.splitlines() if line.strip()), "")


class After(eh.Transform):
    """Keeps what stands after the last `marker` in a response, the whole text where there is none.

    It takes away what a model thinks aloud before it answers: `after: {marker: "</think>"}`.

    >>> After(marker="####").apply("3 x 4 = 12\\n#### 12")
    ' 12'
    """

    name, example = "after", {"marker": "</think>"}

    marker: str

    def __post_init__(self) -> None:
        if not self.marker:
            raise ValueError("marker must be a text that is not empty")

    def apply(self, text: str) -> str:
        return text.rpartition(self.marker)[2]
