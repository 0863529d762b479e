"""Metrics of other libraries in a task: Hugging Face evaluate, torchmetrics and scikit-learn."""

from __future__ import annotations

from evalharness import Metric, hookimpl


@hookimpl
def evalharness_metrics() -> list[type[Metric]]:
    """Return one metric a library."""
    from evalharness_bridges.modules_of_evaluate import Evaluate
    from evalharness_bridges.scikit_learn import ScikitLearn
    from evalharness_bridges.torch_metrics import TorchMetrics

    return [Evaluate, ScikitLearn, TorchMetrics]
