"""How evenly experts are used: functions of how often each was chosen in each layer, n_e of E experts.

All read `router_counts`: for each sample a list of layers, each a list of how often every expert was chosen for its
tokens. Counts add over samples, so a score is that of the whole data, with f_e = n_e / sum n; a sample's own value is
that of its own tokens, which are few. The score is the mean over layers, or with `layers: worst` that of the least even
layer. A sample without counts, or with none at all, is unmeasured. A layer times its experts may be 4,096 numbers at most.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from evalharness import Metric, Rows


class Balance(Metric):
    """What metrics of balance share.

    - `layers`: "mean" over layers, or that of the "worst" one.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"
    family: ClassVar[str] = "routing"

    layers: Literal["mean", "worst"] = "mean"

    def measure(self, router_counts: Sequence[Any]) -> Rows:
        """Return each sample's counts, (layers, experts)."""
        import numpy as np

        rows = [_table(value) for value in router_counts]
        shapes = [np.shape(row) for row in rows if row is not None]
        shape = max(set(shapes), key=shapes.count, default=(1, 1))
        reasons = {place: reason for place, row in enumerate(rows) if (reason := _reason(row, shape))}
        counts = [np.zeros(shape) if place in reasons else row for place, row in enumerate(rows)]
        return Rows({"counts": counts}, unmeasured=reasons)

    def score(self, counts: Any) -> Any:
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):  # a layer without tokens has no value
            values = self.of_layer(np.asarray(counts, np.float64))
        if self.layers == "mean":
            return values.mean(-1)
        return values.max(-1) if self.better == "lower" else values.min(-1)

    @abstractmethod
    def of_layer(self, counts: Any) -> Any:
        """Return the value of each layer (..., layers) from counts (..., layers, experts)."""
        raise NotImplementedError


def _table(value: Any) -> Any:
    """Return counts as an array (layers, experts), None where they are no such table."""
    import numpy as np

    try:
        table = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None
    return table if table.ndim == 2 and table.size and np.isfinite(table).all() and (table >= 0).all() else None


def _reason(row: Any, shape: tuple[int, ...]) -> str | None:
    if row is None:
        return "no table of counts"
    if row.shape != shape:
        return "router counts of another model"
    return None if row.any() else "no routed tokens"


class LoadVariation(Balance):
    """Coefficient of variation of the experts' load, 0 (even) to the root of E - 1 (one expert takes all).

    >>> metric = LoadVariation()
    >>> [round(float(metric.score(counts=[[n, 10 - n]])), 2) for n in (5, 8, 10)]
    [0.0, 0.6, 1.0]
    """

    name = "routing_load_variation"
    range: ClassVar[tuple[float | None, float | None] | None] = (0, None)
    formula: ClassVar[str] = "mean over layers of the standard deviation of n_e over their mean"
    cite: ClassVar[str] = "Shazeer et al., Outrageously Large Neural Networks, 2017"
    reference: ClassVar[str] = "scipy.stats.variation"

    def of_layer(self, counts: Any) -> Any:
        return counts.std(-1) / counts.mean(-1)


class MaxViolation(Balance):
    """How far the busiest expert is above the mean load (MaxVio), 0 (even) to E - 1; 1 means twice the mean.

    Over all samples this is the paper's global MaxVio; its batch MaxVio depends on how samples are put into batches.

    >>> round(float(MaxViolation().score(counts=[[8, 1, 1, 2]])), 4)
    1.6667
    """

    name = "routing_max_violation"
    range: ClassVar[tuple[float | None, float | None] | None] = (0, None)
    formula: ClassVar[str] = "mean over layers of (max_e n_e - mean_e n_e) / mean_e n_e"
    cite: ClassVar[str] = "Wang et al., Auxiliary-Loss-Free Load Balancing Strategy for Mixture-of-Experts, 2024"
    reference: ClassVar[str] = "closed form"

    def of_layer(self, counts: Any) -> Any:
        return counts.max(-1) / counts.mean(-1) - 1


class Entropy(Balance):
    """Entropy of the experts' shares of the load over log E, 0 (one expert takes all) to 1 (even).

    >>> [round(float(Entropy().score(counts=[[n, 10 - n]])), 3) for n in (5, 8, 10)]
    [1.0, 0.722, 0.0]
    """

    name = "routing_entropy"
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    range: ClassVar[tuple[float | None, float | None] | None] = (0, 1)
    formula: ClassVar[str] = "mean over layers of -sum_e f_e log f_e / log E"
    reference: ClassVar[str] = "scipy.stats.entropy"

    def of_layer(self, counts: Any) -> Any:
        import numpy as np
        from scipy.special import entr

        if counts.shape[-1] == 1:
            return np.where(counts[..., 0] > 0, 1.0, np.nan)
        return np.clip(entr(_shares(counts)).sum(-1) / np.log(counts.shape[-1]), 0, 1)


class Gini(Balance):
    """Gini coefficient of the experts' load, 0 (even) to 1 - 1/E (one expert takes all).

    >>> [round(float(Gini().score(counts=[[n, 10 - n]])), 3) for n in (5, 8, 10)]
    [0.0, 0.3, 0.5]
    """

    name = "routing_gini"
    range: ClassVar[tuple[float | None, float | None] | None] = (0, 1)
    formula: ClassVar[str] = "mean over layers of sum_ij |f_i - f_j| / (2 E sum_e f_e)"
    reference: ClassVar[str] = "mean absolute difference of all pairs over twice the mean"

    def of_layer(self, counts: Any) -> Any:
        import numpy as np

        experts = counts.shape[-1]
        ranks = 2 * np.arange(1, experts + 1) - experts - 1
        return np.clip((np.sort(_shares(counts), -1) * ranks).sum(-1) / experts, 0, 1)


class MinMaxRatio(Balance):
    """Load of the idlest expert over that of the busiest, 0 to 1 (even).

    >>> float(MinMaxRatio().score(counts=[[2, 4, 8]]))
    0.25
    """

    name = "routing_min_max_ratio"
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    range: ClassVar[tuple[float | None, float | None] | None] = (0, 1)
    formula: ClassVar[str] = "mean over layers of min_e n_e / max_e n_e"
    reference: ClassVar[str] = "closed form"

    def of_layer(self, counts: Any) -> Any:
        return counts.min(-1) / counts.max(-1)


class DeadShare(Balance):
    """Share of experts that no token chose, 0 to 1 - 1/E.

    It falls with the number of tokens: few tokens reach few experts.

    >>> float(DeadShare().score(counts=[[8, 0, 0, 2]]))
    0.5
    """

    name = "routing_dead_share"
    range: ClassVar[tuple[float | None, float | None] | None] = (0, 1)
    formula: ClassVar[str] = "mean over layers of [experts with f_e = 0] / E, f_e the share of choices of expert e"
    reference: ClassVar[str] = "closed form"

    def of_layer(self, counts: Any) -> Any:
        return (counts == 0).mean(-1) + 0 * counts.sum(-1) / counts.sum(-1)


class DroppedShare(Balance):
    """Share of choices beyond the capacity of their expert, 0 to 1: tokens that a capacity would drop.

    - `capacity`: how much an expert may take, in mean loads (the capacity factor), above 0.

    All samples count as one batch, and a capacity is not rounded to whole tokens.

    >>> float(DroppedShare(capacity=1.25).score(counts=[[15, 5]]))   # 2.5 of 20 are beyond 12.5
    0.125
    """

    name = "routing_dropped_share"
    range: ClassVar[tuple[float | None, float | None] | None] = (0, 1)
    formula: ClassVar[str] = "mean over layers of sum_e max(n_e - capacity x n / E, 0) / n"
    cite: ClassVar[str] = "Fedus et al., Switch Transformers, 2021, equation 3"
    reference: ClassVar[str] = "closed form"

    capacity: float = 1.25

    def __post_init__(self) -> None:
        if not self.capacity > 0:
            raise ValueError(f"capacity must be above 0, not {self.capacity}")

    def of_layer(self, counts: Any) -> Any:
        import numpy as np

        most = self.capacity * counts.mean(-1, keepdims=True)
        return np.maximum(counts - most, 0).sum(-1) / counts.sum(-1)


def _shares(counts: Any) -> Any:
    return counts / counts.sum(-1, keepdims=True)


METRICS: tuple[type[Metric], ...] = (LoadVariation, MaxViolation, Entropy, Gini, MinMaxRatio, DeadShare, DroppedShare)
