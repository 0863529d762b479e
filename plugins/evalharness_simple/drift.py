"""What training changed: a score's value of each sample after training less that before."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from evalharness import Metric, Parent, Rows


class Drift(Metric):
    """Mean change of a score by training: each sample's value less the one before training, in the score's unit; signed.

    `of` names a score of the chain; the value before is that of `OF.before`, which a training task adds by itself. A
    sample that has no value in one of the two is unmeasured, with the reason.

    >>> Drift(of="response_length").uses
    ('response_length', 'response_length.before')
    """

    name = "drift"
    example: ClassVar[Mapping[str, Any]] = {"of": "token_f1"}
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    formula: ClassVar[str] = "mean over samples of x_after - x_before"
    reference: ClassVar[str] = "closed form"

    of: str
    parents: tuple[Parent, ...] = dataclasses.field(default=(), repr=False, metadata={"option": False})

    def __post_init__(self) -> None:
        if self.parents:
            object.__setattr__(self, "better", self.parents[0].metric.better)

    @property
    def uses(self) -> tuple[str, ...]:  # type: ignore[override]
        """The score, and the same score before training."""
        return (self.of, f"{self.of}.before")

    @property
    def unit(self) -> str:  # type: ignore[override]
        """The unit of the score."""
        return self.parents[0].metric.unit if self.parents else ""

    def compose(self, parents: tuple[Parent, ...]) -> Drift:
        """Return this metric with the scores in its hands."""
        return dataclasses.replace(self, parents=parents)

    def measure(self, *_: Any, values: Mapping[str, Any], **_columns: Any) -> Rows:
        """Return each sample's change."""
        columns = [values[score] for score in self.uses]
        pairs = list(zip(*columns, strict=True))
        unmeasured = {}
        for row in [row for row, pair in enumerate(pairs) if None in pair]:
            score, column = next(found for found in zip(self.uses, columns, strict=True) if found[1][row] is None)
            unmeasured[row] = f"{score}: {column.statuses[row] or 'not a number'}"
        return Rows({"change": [float("nan") if None in pair else pair[0] - pair[1] for pair in pairs]}, unmeasured)
