"""What decisions cost: by a table of costs, beside the best decision that does not look at the sample, and net benefit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from evalharness_classification.deciding import READING, Decisions, OfDecisions

_COSTS = """`cost[i][j]` is what it costs to decide on class j where class i is right, 0 or more; by default 1 where they
    differ. A decision for none of the classes costs the most that its row has."""


class _Costs(OfDecisions):
    """Metrics that weigh decisions by what they cost."""

    example: ClassVar[Mapping[str, Any]] = {"classes": 3, "cost": [[0, 1, 1], [1, 0, 1], [5, 5, 0]]}

    cost: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.is_open:
            raise ValueError(f"of is '{self.of}', but which classes cost what is not known; name them with labels")
        if self.cost and {len(self.cost), *map(len, self.cost)} != {self.count}:
            raise ValueError(f"cost must hold {self.count} rows of {self.count} numbers, one for each class")
        if not all(math.isfinite(value) and value >= 0 for row in self.cost for value in row):
            raise ValueError("cost must hold numbers of 0 or more")

    def table(self) -> Any:
        """Return the costs, (classes, classes + 1), the last column for none of the classes."""
        import numpy as np

        costs = np.array(self.cost, float) if self.cost else 1 - np.eye(self.count)
        return np.concatenate([costs, costs.max(1, keepdims=True)], 1)

    def costs_of(self, found: Decisions) -> Any:
        """Return what the decision on each sample costs, (rows,)."""
        return self.table()[found.target, found.decided]


class ExpectedCost(_Costs):
    __doc__ = f"""Mean cost of a decision, in the unit of `cost`, 0 or more.

    {_COSTS}

    {READING}

    >>> metric = ExpectedCost(cost=((0, 1), (5, 0)))
    >>> metric.evaluate(probabilities=[0.9, 0.8, 0.2, 0.1], target=[1, 0, 1, 0]).scores["expected_cost"].value
    1.5
    """

    name, better, unit = "expected_cost", "lower", "cost"
    formula: ClassVar[str] = "mean of cost[target][decision]"
    cite: ClassVar[str] = "Elkan, The foundations of cost-sensitive learning, IJCAI 2001"
    reference: ClassVar[str] = "closed form; with the default costs 1 - sklearn.metrics.accuracy_score 1.9.1"

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]
        """From 0 to the largest cost."""
        return (0, max((value for row in self.cost for value in row), default=1.0) or 1.0)

    def counted(self, found: Decisions) -> dict[str, Any]:
        """Return what the decision on each sample costs."""
        return {"cost": self.costs_of(found)}


class ExpectedCostSkill(_Costs):
    __doc__ = f"""Share of the cost of the best constant decision that is saved, at most 1; 0 for that decision, below 0 worse.

    The best constant decision is the one class that would cost least for all these samples. Unlike the cost, it has a zero
    and a one that mean the same at every share of the classes. It is undefined where a constant decision costs nothing.

    {_COSTS}

    {READING}

    >>> metric = ExpectedCostSkill(cost=((0, 1), (5, 0)))
    >>> metric.evaluate(probabilities=[0.9, 0.8, 0.2, 0.1], target=[1, 0, 0, 0]).scores["expected_cost_skill"].value
    0.6666666666666667
    """

    name, better, range = "expected_cost_skill", "higher", (None, 1)
    formula: ClassVar[str] = "1 - sum of cost[target][decision] / min over j of sum of cost[target][j]"
    cite: ClassVar[str] = "Elkan, The foundations of cost-sensitive learning, IJCAI 2001; skill scores: Murphy, 1988"
    reference: ClassVar[str] = "closed form"

    def counted(self, found: Decisions) -> dict[str, Any]:
        """Return what the decision on each sample costs, and what each constant one would."""
        return {"cost": self.costs_of(found), "constant": self.table()[found.target, :-1]}

    def score(self, cost: Any, constant: Any) -> Any:
        """Return the share that is saved."""
        import numpy as np

        best = constant.min(-1)
        return np.where(best > 0, 1 - cost / np.where(best > 0, best, 1.0), np.nan)


class NetBenefit(OfDecisions):
    __doc__ = f"""True positives less weighted false positives, a sample: net benefit, at most 1.

    A false positive counts threshold / (1 - threshold) true positives: who decides for class 1 at that probability accepts
    as many. 0 is never to decide for class 1. For decisions that are given, state with `harm` what a false positive counts.

    {READING}

    >>> metric = NetBenefit(threshold=0.2)
    >>> metric.evaluate(probabilities=[0.9, 0.8, 0.3, 0.1], target=[1, 1, 0, 0]).scores["net_benefit"].value
    0.4375
    """

    name, better, unit = "net_benefit", "higher", "true positives/sample"
    formula: ClassVar[str] = "tp / n - fp / n * threshold / (1 - threshold)"
    cite: ClassVar[str] = "Vickers and Elkin, Decision curve analysis, Medical Decision Making 26, 2006"
    reference: ClassVar[str] = "closed form"
    example: ClassVar[Mapping[str, Any]] = {"of": "refusal"}
    positive: ClassVar[tuple[str, ...]] = ("harm",)

    harm: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count > 2 or self.is_open:
            raise ValueError("net benefit is of class 1 of two; name the two with labels, the one of interest last")

    @property
    def _harm(self) -> float:
        return self.threshold / (1 - self.threshold) if self.harm is None else self.harm

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]
        """From all false positives to all true ones."""
        return (-self._harm, 1)

    def counted(self, found: Decisions) -> dict[str, Any]:
        """Return 1 for each true positive, what a false one counts, and 0 for the others."""
        import numpy as np

        return {"benefit": np.where(found.decided == 1, np.where(found.target == 1, 1.0, -self._harm), 0.0)}
