"""Rows to try metrics of classes on, and their value without interval and replicates, which are the harness's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import evalharness as eh
from evalharness.contract import Rows

SEEDS = st.integers(0, 10_000)
# Few probabilities, so that there are ties; few rows, so that classes are missing, and all are right, or all wrong.
PAIRS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]), st.integers(0, 1)), min_size=1, max_size=30)


def value(name: str, weights: Any = None, /, *, options: dict[str, Any] | None = None, **columns: Any) -> Any:
    """Return the value of a metric on these columns; of one over all rows, under weights (n,) or (replicates, n)."""
    metric = eh.load_metric(name, **(options or {}))
    found = metric.measure(**{name: np.asarray(column).tolist() for name, column in columns.items()})
    statistics = {name: np.asarray(rows) for name, rows in (found.statistics if isinstance(found, Rows) else found).items()}
    count = len(next(iter(statistics.values())))
    if metric.pool == "rows":
        return metric.score(weights=np.ones(count, int) if weights is None else weights, **statistics)
    if metric.is_mean:
        means = {name: rows.mean() for name, rows in statistics.items()}
        return means if metric.parts else next(iter(means.values()))
    with np.errstate(all="ignore"):
        return metric.score(**{name: rows.sum(0) for name, rows in statistics.items()})


def quietly(call: Callable[[], Any]) -> Any:
    """Return what a reference gives without its warnings of what is undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def binary(seed: int, count: int = 60, ties: bool = True) -> tuple[Any, Any]:
    """Return probabilities of class 1, and classes that follow them loosely; both classes occur."""
    rng = np.random.default_rng(seed)
    probabilities = rng.random(count)
    target = (rng.random(count) < probabilities**2).astype(int)
    target[:2] = 0, 1
    return (probabilities.round(1) if ties else probabilities), target


def several(seed: int, classes: int = 4, count: int = 60) -> tuple[Any, Any]:
    """Return one probability of each class, and classes of which all occur."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.5), count)
    target = np.array([rng.choice(classes, p=row) for row in probabilities])
    target[:classes] = range(classes)
    return probabilities, target


def weights_of(seed: int, count: int = 60) -> Any:
    """Return how often each row counts in one replicate; the first four always do."""
    drawn = np.random.default_rng(seed + 1).poisson(1.0, count)
    drawn[:4] += 1
    return drawn
