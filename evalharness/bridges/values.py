"""Values of metrics over columns, for those who ask for numbers alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from evalharness import registry
from evalharness.contract import Metric, Spec
from evalharness.contract.options import to_spec
from evalharness.errors import PluginError, UsageError
from evalharness.scoring import evaluate

Named = str | Mapping[str, Any] | Spec | Metric
MADE = ("response", "prediction", "probabilities", "logprobs")
RIGHT = ("references", "target")


def built(metric: Named, **options: Any) -> Metric:
    """Return a metric that is given as its name with options, as a task file writes it, or as itself.

    Raises UsageError for a metric that needs more than the columns of one evaluation.
    """
    if isinstance(metric, Metric) and not options:
        made = metric
    else:
        spec = metric.spec() if isinstance(metric, Metric) else to_spec(metric)
        made = registry.build("metric", Spec(spec.name, {**spec.options, **options}, spec.folder))
    if made.asks or made.uses:
        why = "asks a model" if made.asks else f"builds on the scores {', '.join(made.uses)}"
        raise UsageError(f"metric '{made.name}' {why}; run it in a task: evalharness run TASK")
    return made


def values(metric: Metric, columns: Mapping[str, Sequence[Any]]) -> dict[str, float | None]:
    """Return the value of each score, None where there is none; what was left out is logged as a warning.

    Raises PluginError where the metric failed.
    """
    found = evaluate(metric, columns)
    if found.notes:
        raise PluginError(found.notes[0])
    for name, score in found.scores.items():
        lost = ", ".join(f"{reason} {count}" for reason, count in score.unmeasured.items())
        if score.value is None or lost:
            what = f"no value: {score.reason}" if score.value is None else f"{score.samples} samples measured; not: {lost}"
            logging.getLogger("evalharness").warning("%s: %s", name, what)
    return {name: score.value for name, score in found.scores.items()}
