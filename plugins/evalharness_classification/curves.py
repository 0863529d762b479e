"""Curves over all thresholds: what is decided for a class, and rightly, from the most probable sample down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalharness import Curve

POINTS = 200  # of a curve that is drawn


@dataclass(frozen=True)
class Steps:
    """Running sums after each distinct probability, highest first, with leading axes of replicates: (..., steps).

    `taken` counts the samples down to there and `hits` those of the class; both end with the whole.
    """

    taken: Any
    hits: Any

    @classmethod
    def of(cls, rank_by: Any, right: Any, weights: Any) -> Steps:
        """Return the steps of samples (n,) that count as often as their weights, (n,) or (replicates, n)."""
        import numpy as np

        order = np.argsort(-rank_by, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(rank_by[order])), len(order) - 1)
        weighed = weights.take(order, -1)
        shares = right[order]
        hits = weighed * (shares.astype(weighed.dtype) if np.isin(shares, (0, 1)).all() else shares)
        return cls(weighed.cumsum(-1).take(ends, -1), hits.cumsum(-1).take(ends, -1))

    @property
    def positives(self) -> Any:
        """How many samples are of the class, (..., 1)."""
        return self.hits[..., -1:]

    @property
    def negatives(self) -> Any:
        """How many samples are not, (..., 1)."""
        return self.taken[..., -1:] - self.positives

    @property
    def recall(self) -> Any:
        """Share of the class that is found down to each step; NaN without any."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return self.hits / self.positives

    @property
    def false_alarms(self) -> Any:
        """Share of the others that is taken down to each step; NaN without any."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return (self.taken - self.hits) / self.negatives

    @property
    def precision(self) -> Any:
        """Share of what is taken down to each step that is of the class; of nothing, that of what comes first."""
        import numpy as np

        return np.divide(self.hits, self.taken, out=np.zeros(self.taken.shape), where=self.taken > 0)


def from_origin(values: Any, first: float = 0.0) -> Any:
    """Return running values with what stands before the first step."""
    import numpy as np

    return np.concatenate([np.full((*values.shape[:-1], 1), first, values.dtype), values], -1)


def curve(x: Any, y: Any, name: str = "") -> Curve:
    """Return points as a curve to be drawn: of many, some at equal distances, the last always."""
    import numpy as np

    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).astype(int))
    return Curve(x=tuple(x[kept].tolist()), y=tuple(y[kept].tolist()), name=name)


def chance(x: tuple[float, float], y: tuple[float, float], name: str = "chance") -> Curve:
    """Return a straight line to compare with."""
    return Curve(x=x, y=y, name=name, style="dashed")
