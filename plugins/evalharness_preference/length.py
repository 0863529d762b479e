"""How long answers are: what is rewarded without being asked for shows here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from evalharness import Metric

_COUNT: dict[str, Callable[[str], int]] = {
    "characters": len,
    "words": lambda text: len(text.split()),
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
}


class ResponseLength(Metric):
    """Mean length of the responses, in characters, words or bytes, 0 or more.

    Neither long nor short is good in itself; "lower" is stated since a longer answer costs more. Words are what white
    space divides.

    >>> ResponseLength(count="words").measure(response=["two words", ""])
    {'length': [2, 0]}
    """

    name, better, range = "response_length", "lower", (0, None)
    formula: ClassVar[str] = "mean over samples of the length of the response"
    cite: ClassVar[str] = "Singhal et al., A Long Way to Go: Investigating Length Correlations in RLHF, COLM 2024"
    reference: ClassVar[str] = "closed form"

    count: Literal["characters", "words", "bytes"] = "characters"

    @property
    def unit(self) -> str:  # type: ignore[override]
        """What is counted."""
        return self.count

    def measure(self, response: Sequence[str]) -> dict[str, list[int]]:
        """Return the length of each response."""
        return {"length": [_COUNT[self.count](text) for text in response]}
