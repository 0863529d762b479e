"""Our metrics in other libraries: as modules of evaluate, and in a Trainer of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evalharness.errors import UsageError

if TYPE_CHECKING:
    from evalharness.bridges.trainer import ComputeMetrics
    from evalharness.bridges.values import Named


def as_evaluate(metric: Named, **options: Any) -> Any:
    """Return a metric as an `evaluate.EvaluationModule`; raises UsageError where it cannot be one."""
    from evalharness.bridges.values import built

    try:
        from evalharness.bridges.module import OurMetric
    except ImportError as error:
        raise UsageError(f"as_evaluate needs {error.name}: pip install 'evalharness[hf]'") from error
    return OurMetric(built(metric, **options))


def compute_metrics(metrics: Sequence[Named], tokenizer: Any = None) -> ComputeMetrics:
    """Return a function for `Trainer(compute_metrics=...)`; raises UsageError for metrics that cannot be computed there."""
    from evalharness.bridges.trainer import ComputeMetrics
    from evalharness.bridges.values import built

    return ComputeMetrics(tuple(map(built, metrics)), tokenizer)


__all__ = ["as_evaluate", "compute_metrics"]
