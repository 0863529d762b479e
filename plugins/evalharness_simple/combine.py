"""One score out of several: a mean or the minimum of other scores of the chain."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from evalharness import Metric, Parent, Rows

_SEPARATOR = "/"


class Combine(Metric):
    """Harmonic, arithmetic or geometric mean, or the minimum, of other scores of the chain, in their own range.

    `of` names the scores, such as `token_f1` or `retrieval_recall@3`; they must share range and direction. `per`:
    "sample" combines the values of each sample and averages the results; "total" combines the scores of all samples
    that every one of them measured. A sample that one of the scores did not measure is unmeasured, with that score's
    reason. A harmonic or geometric mean over a 0 is 0.

    >>> import numpy as np
    >>> Combine(of=("a", "b"))._mean(np.array([[0.5, 1.0], [1.0, 0.0]])).round(3).tolist()
    [0.667, 0.0]
    """

    name = "combine"
    example: ClassVar[Mapping[str, Any]] = {"of": ["exact_match", "token_f1"]}
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    formula: ClassVar[str] = "harmonic: n / sum(1/x_i); arithmetic: mean x_i; geometric: (prod x_i)^(1/n); min: min x_i"
    cite: ClassVar[str] = "van Rijsbergen, Information Retrieval, 2nd ed., 1979, chapter 7 (the harmonic mean of two measures)"
    reference: ClassVar[str] = "scipy.stats.hmean, gmean"

    of: tuple[str, ...]
    mean: Literal["harmonic", "arithmetic", "geometric", "min"] = "harmonic"
    per: Literal["sample", "total"] = "sample"
    parents: tuple[Parent, ...] = dataclasses.field(default=(), repr=False, metadata={"option": False})

    def __post_init__(self) -> None:
        if len(set(self.of)) < max(2, len(self.of)):
            raise ValueError("'of' must name at least two different scores, each once")

    @property
    def uses(self) -> tuple[str, ...]:  # type: ignore[override]
        """The scores that are combined."""
        return self.of

    @property
    def range(self) -> tuple[float | None, float | None] | None:  # type: ignore[override]
        """The range that the scores share; shares, before they are known."""
        return self.parents[0].metric.range if self.parents else (0, 1)

    @property
    def unit(self) -> str:  # type: ignore[override]
        """The unit that the scores share."""
        return self.parents[0].metric.unit if self.parents else ""

    @property
    def is_mean(self) -> bool:
        """Whether the score is the plain mean of what samples have."""
        return self.per == "sample"

    def signature(self) -> str:
        """Return the options and, once they are known, the signatures of the scores that are combined."""
        return "|".join([super().signature(), *(f"{{{parent.score}={parent.metric.signature()}}}" for parent in self.parents)])

    def compose(self, parents: tuple[Parent, ...]) -> Combine:
        """Return this metric with the others in its hands; raises ValueError where they do not fit together."""
        first = parents[0]
        for other in parents[1:]:
            if other.metric.range != first.metric.range or other.metric.better != first.metric.better:
                raise ValueError(
                    f"'{first.score}' ({_described(first)}) and '{other.score}' ({_described(other)}) cannot be combined: "
                    "their ranges or directions differ"
                )
        if first.metric.better != "higher" or first.metric.range is None or first.metric.range[0] != 0:
            raise ValueError(f"'{first.score}' ({_described(first)}) cannot be combined: it must start at 0, higher better")
        pooled = next((parent.score for parent in parents if parent.metric.pool != "sum"), None)
        if pooled is not None:
            raise ValueError(
                f"'{pooled}' cannot be combined: it needs all samples at once, and has neither their values nor sums"
            )
        return dataclasses.replace(self, parents=parents)

    def measure(self, *_: Any, values: Mapping[str, Any], **_columns: Any) -> Rows:
        """Return the combined value of each sample, or the statistics of the scores that are combined."""
        if self.per == "total":
            reasons = _unmeasured(values, on_totals=True)
            columns = {name: column for parent in self.parents for name, column in _statistics(parent, values)}
            return Rows(columns or {"nothing": [0.0] * len(next(iter(values.values())))}, reasons)
        import numpy as np

        table = np.array([[np.nan if value is None else value for value in values[score]] for score in self.of], float)
        return Rows({"value": self._mean(table)}, _unmeasured(values, on_totals=False))

    def score(self, *_: Any, **sums: Any) -> Any:
        """Return the mean of the samples' values, or the combined scores of the totals."""
        if self.per == "sample":
            return super().score(**sums)
        import numpy as np

        return self._mean(np.stack([np.asarray(_parent_score(parent, sums), float) for parent in self.parents]))

    def _mean(self, table: Any) -> Any:
        """Return the mean over the first axis."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            if self.mean == "harmonic":
                return len(table) / (1 / table).sum(0)
            if self.mean == "geometric":
                return np.exp(np.log(table).mean(0))
        return table.mean(0) if self.mean == "arithmetic" else table.min(0)


def _described(parent: Parent) -> str:
    return f"range {parent.metric.range}, {parent.metric.better} is better"


def _unmeasured(values: Mapping[str, Any], *, on_totals: bool) -> dict[int, str]:
    """Return why rows cannot be combined. What is undefined for one sample alone still has its place in the totals."""
    reasons: dict[int, str] = {}
    for score, column in values.items():
        for row, (value, status, kept) in enumerate(zip(column, column.statuses, column.kept, strict=True)):
            in_total = on_totals and kept and status is not None
            if value is None and not in_total and row not in reasons:
                reasons[row] = f"{score}: {status or 'not a number'}"
    return reasons


def _statistics(parent: Parent, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(f"{parent.score}{_SEPARATOR}{name}", column) for name, column in values[parent.score].statistics.items()]


def _parent_score(parent: Parent, sums: Mapping[str, Any]) -> Any:
    start = f"{parent.score}{_SEPARATOR}"
    own: Sequence[tuple[str, Any]] = [(name.removeprefix(start), value) for name, value in sums.items() if name.startswith(start)]
    result = parent.metric.score(**dict(own))
    return result[parent.part] if parent.metric.parts else result
