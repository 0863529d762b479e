"""A metric that compares the numbers of a response and its references."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from evalharness import Metric, Rows
from evalharness_text.answers import without_reference
from evalharness_text.numbers import Number, numbers_in


class NumberMatch(Metric):
    """Share of responses whose number equals that of a reference within a tolerance, 0 to 1.

    `which` number of the response counts: "last", or "any" of them. Of a reference it is the last one; of several references
    one that agrees is enough. It may be off by `absolute`, or by `relative` times the reference's number, whichever allows
    more; by default by nothing. Where one of the two alone has a per cent sign, 50 % equals both 50 and 0.5. How numbers are
    written: English notation, digits of any script, fractions; "1,000.0", "1000" and "1e3" are one number.

    A response without a number has 0; a sample whose references hold none is unmeasured.

    >>> metric = NumberMatch(relative=0.01)
    >>> metric.measure(response=["So 3 x 4 = 12.1 metres."], references=[["12 m"]]).statistics
    {'match': [1.0]}
    """

    name, better, range, family = "number_match", "higher", (0, 1), "exact_match"
    formula: ClassVar[str] = "mean of 1 if |response - reference| <= max(absolute, relative |reference|), else 0"
    cite: ClassVar[str] = "Cobbe et al., Training Verifiers to Solve Math Word Problems, 2021, arXiv:2110.14168"
    reference: ClassVar[str] = "math.isclose for the tolerance (of which the reference's side alone counts here); numbers by hand"

    which: Literal["last", "any"] = "last"
    relative: float = 0.0
    absolute: float = 0.0

    def __post_init__(self) -> None:
        for name in ("relative", "absolute"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}")

    def measure(self, response: list[str], references: list[list[str]]) -> Rows:
        """Return whether each response's number agrees with that of one of its references."""
        unmeasured = without_reference(references)
        wanted = [[found[-1] for text in texts if (found := list(numbers_in(text)))] for texts in references]
        unmeasured |= {
            row: "no number in the references" for row, found in enumerate(wanted) if not found and row not in unmeasured
        }
        match = [float(self._agrees(text, numbers)) for text, numbers in zip(response, wanted, strict=True)]
        return Rows({"match": match}, unmeasured)

    def _agrees(self, text: str, wanted: list[Number]) -> bool:
        found = list(numbers_in(text))
        found = found[-1:] if self.which == "last" else found
        return any(self._close(number, other) for number in found for other in wanted)

    def _close(self, number: Number, reference: Number) -> bool:
        pairs = [(number.value, reference.value)]
        if number.percent is not reference.percent:
            pairs.append((_share(number), _share(reference)))
        relative, absolute = Decimal(repr(self.relative)), Decimal(repr(self.absolute))
        return any(one == other or abs(one - other) <= max(absolute, relative * abs(other)) for one, other in pairs)


def _share(number: Number) -> Decimal:
    return number.value / 100 if number.percent else number.value
