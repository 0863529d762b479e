"""A mean that a few extreme samples do not move."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from evalharness import Metric, Parent, Rows

CUT = 4  # one in so many is cut at either end


class InterquartileMean(Metric):
    """Mean of the middle half of the samples' values of another score, in that score's unit and range.

    `of` names a score of the chain, such as `perplexity` or `rouge.rougeL`. The lowest and the highest quarter of all samples,
    rounded down, are left out. More robust than the mean, and more precise than the median. A sample that has no value of
    the score is unmeasured, with its reason.

    >>> import numpy as np
    >>> metric = InterquartileMean(of="token_f1")
    >>> float(metric.score(weights=np.ones(5, int), value=np.array([0.0, 1.0, 2.0, 3.0, 99.0])))
    2.0
    """

    name = "interquartile_mean"
    example: ClassVar[Mapping[str, Any]] = {"of": "token_f1"}
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    pool: ClassVar[Literal["sum", "rows", "batch"]] = "rows"
    formula: ClassVar[str] = "mean of the values left when floor(n / 4) are cut at either end"
    cite: ClassVar[str] = "Agarwal et al., Deep reinforcement learning at the edge of the statistical precipice, NeurIPS 2021"
    reference: ClassVar[str] = "scipy.stats.trim_mean(x, 0.25), which rliable calls"

    of: str
    parents: tuple[Parent, ...] = dataclasses.field(default=(), repr=False, metadata={"option": False})

    def __post_init__(self) -> None:
        for parent in self.parents:
            for taken in ("better", "unit", "range", "tolerance"):
                object.__setattr__(self, taken, getattr(parent.metric, taken))

    @property
    def uses(self) -> tuple[str, ...]:  # type: ignore[override]
        """The score."""
        return (self.of,)

    def signature(self) -> str:
        """Return the options and, once it is known, the signature of the score."""
        return "|".join([super().signature(), *(f"{{{parent.score}={parent.metric.signature()}}}" for parent in self.parents)])

    def compose(self, parents: tuple[Parent, ...]) -> InterquartileMean:
        """Return this metric with the score in its hands; raises ValueError for one that samples have no values of."""
        if parents[0].metric.pool == "rows":
            raise ValueError(f"'{self.of}' has no value of each sample to take the middle half of: it needs all at once")
        return dataclasses.replace(self, parents=parents)

    def measure(self, *_: Any, values: Mapping[str, Any], **_columns: Any) -> Rows:
        """Return each sample's value."""
        found = values[self.of]
        reasons = {row: f"{self.of}: {found.statuses[row] or 'not a number'}" for row, value in enumerate(found) if value is None}
        return Rows({"value": [float("nan") if value is None else value for value in found]}, reasons)

    def score(self, *_: Any, weights: Any, value: Any) -> Any:
        """Return the mean for weights (n,) or (replicates, n)."""
        import numpy as np

        order = np.argsort(value, kind="stable")
        weights = weights[..., order]
        until, total = weights.cumsum(-1), weights.sum(-1, keepdims=True)
        low, high = total // CUT, total - total // CUT
        kept = np.clip(until, low, high) - np.clip(until - weights, low, high)
        return kept @ value[order] / kept.sum(-1)
