"""Metrics that are known by their values for each sample and by how another harness puts those together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from evalharness.contract import Metric

Better = Literal["higher", "lower"]
Value = float | tuple[float, float] | None
# Not f1 and em, which some tasks count to 1 and others to 100.
_SHARES = ("acc", "acc_norm", "acc_bytes", "acc_all", "acc_mutual_info", "exact_match", "mc1", "mc2", "pass@1")
KNOWN_RANGES = {**dict.fromkeys(_SHARES, (0.0, 1.0)), **dict.fromkeys(("bleu", "chrf", "chrf++"), (0.0, 100.0))}
MISSING = "no value"


class Imported(Metric):
    """A metric of another harness; `value` holds its value for each sample: a number or two."""

    better = "higher"
    aggregation: ClassVar[str] = ""
    pairs: ClassVar[bool] = False

    def signature(self) -> str:
        """Return which metric it is, and how its values are put together."""
        return f"imported|{self.name}|{self.aggregation}"

    def measure(self, value: Sequence[Any]) -> Mapping[str, Any]:
        """Return the values as columns that may be added."""
        return {"value": value}


class Mean(Imported):
    """The mean of the values."""

    aggregation = "mean"


class Perplexity(Imported):
    """The exponential of the mean of log-likelihoods, negated."""

    aggregation, range = "perplexity", (0, None)

    def measure(self, value: Sequence[Any]) -> Mapping[str, Any]:
        return {"logprob": value, "texts": [1.0] * len(value)}

    def score(self, logprob: Any, texts: Any) -> Any:
        return np.exp(-logprob / texts)


class WeightedPerplexity(Imported):
    """The exponential of log-likelihoods over the numbers of words or bytes that they are of, negated."""

    aggregation, pairs, range = "weighted_perplexity", True, (0, None)

    def measure(self, value: Sequence[Any]) -> Mapping[str, Any]:
        logprob, units = np.array(value, float).reshape(-1, 2).T
        return {"logprob": logprob, "units": units}

    def score(self, logprob: Any, units: Any) -> Any:
        return np.exp(-logprob / units)


class BitsPerByte(WeightedPerplexity):
    """Log-likelihoods over the numbers of bytes that they are of, in bits, negated."""

    aggregation, pairs, range = "bits_per_byte", True, (0, None)

    def score(self, logprob: Any, units: Any) -> Any:
        return -logprob / units / math.log(2)


AGGREGATIONS: tuple[type[Imported], ...] = (Mean, Perplexity, WeightedPerplexity, BitsPerByte)


def metric_of(base: type[Imported], name: str, better: Better, limits: Any, unit: str) -> Imported:
    """Return a metric of that name; `limits` are the range of a mean, while what is no mean has one by its nature."""
    bounds = limits if base is Mean else base.range
    described = {"name": name, "better": better, "unit": unit, "range": None if bounds is None else tuple(bounds)}
    made: type[Imported] = type(base.__name__, (base,), {**described, "__doc__": base.__doc__, "__module__": __name__})
    return made()


def known_range(name: str, values: Sequence[Value]) -> tuple[float, float] | None:
    """Return the range of a well-known metric, None of another one or where a value lies outside.

    >>> known_range("acc,none", [1.0, None]), known_range("acc", [73.5]), known_range("f1", [1.0])
    ((0.0, 1.0), None, None)
    """
    low, high = found = KNOWN_RANGES.get(name.partition(",")[0], (0.0, 0.0))
    inside = all(isinstance(value, float) and low <= value <= high for value in values if value is not None)
    return found if high and inside else None


def fitting(values: Sequence[Value], stated: float) -> type[Imported] | None:
    """Return the way of putting values together that gives the number that a file states; None where none does."""
    known = [value for value in values if value is not None]
    for base in AGGREGATIONS:
        if {isinstance(value, tuple) for value in known} == {base.pairs} and _agrees(base, known, stated):
            return base
    return None


def _agrees(base: type[Imported], known: Sequence[Any], stated: float) -> bool:
    columns = {name: np.asarray(column, float) for name, column in base().measure(known).items()}
    with np.errstate(all="ignore"):
        if base is Mean:
            value = np.nanmean(columns["value"])
        else:
            value = base().score(**{name: column.sum() for name, column in columns.items()})
    return math.isclose(float(value), stated, rel_tol=1e-9, abs_tol=1e-12)
