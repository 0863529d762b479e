"""Metrics of ours as the `compute_metrics` of a transformers Trainer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalharness.bridges.values import values
from evalharness.errors import UsageError

if TYPE_CHECKING:
    from evalharness.contract import Metric

_IGNORED = -100
_OF_TEXT, _OF_NUMBERS = ("response", "references", "target"), ("probabilities", "prediction", "target")


@dataclass(frozen=True)
class ComputeMetrics:
    """Turns what a Trainer predicted into the values of metrics by score name, None where there is none.

    - A metric that reads `response` gets decoded text: ids without -100, as `predict_with_generate=True` gives them.
    - Any other gets `probabilities` (softmax of the logits of classes, of a single logit the sigmoid), `prediction` (the
      most likely class, or the single value) and `target`, of every label that is not -100: those of tokens one by one.
    """

    metrics: tuple[Metric, ...]
    tokenizer: Any = None

    def __post_init__(self) -> None:
        for metric in self.metrics:
            given = _OF_TEXT if "response" in metric.reads else _OF_NUMBERS
            lacking = next((field for field in metric.reads if field not in given), None)
            if lacking is not None:
                has = ", ".join(given)
                raise UsageError(f"metric '{metric.name}' reads '{lacking}', which a Trainer does not give; it gives {has}")
        text = next((metric.name for metric in self.metrics if "response" in metric.reads), None)
        if text is not None and self.tokenizer is None:
            raise UsageError(f"metric '{text}' reads text; give the tokenizer that decodes it: compute_metrics([...], tokenizer)")

    def __call__(self, predicted: Any) -> dict[str, float | None]:
        """Return the values for an `EvalPrediction`."""
        import numpy as np

        predictions, labels = (np.asarray(_first(part)) for part in (predicted.predictions, predicted.label_ids))
        found: dict[str, float | None] = {}
        for metric in self.metrics:
            if "response" in metric.reads:
                columns = self._texts(predictions, labels)
            else:
                columns = _numbers(predictions, labels)
                metric = _of_as_many_classes(metric, columns)
            found |= values(metric, {name: column for name, column in columns.items() if name in metric.reads})
        return found

    def _texts(self, predictions: Any, labels: Any) -> dict[str, list[Any]]:
        if predictions.ndim != 2 or predictions.dtype.kind not in "iu":
            raise UsageError(
                f"metrics of text need token ids (samples, tokens), and the Trainer gives {predictions.dtype} of shape "
                f"{predictions.shape}: use Seq2SeqTrainer with predict_with_generate=True, or turn logits into ids with "
                "Trainer(preprocess_logits_for_metrics=...)"
            )
        right = self._decoded(labels)
        return {"response": self._decoded(predictions), "references": [[text] for text in right], "target": right}

    def _decoded(self, ids: Any) -> list[str]:
        rows = [row[row != _IGNORED].tolist() for row in ids]
        return [self.tokenizer.decode(row, skip_special_tokens=True) for row in rows]


def _first(part: Any) -> Any:
    """Return the logits alone, where the Trainer gives hidden states and the like beside them."""
    return part[0] if isinstance(part, tuple) else part


def _numbers(predictions: Any, labels: Any) -> dict[str, Any]:
    """Return the columns of all labels that count; raises UsageError for shapes that do not belong together."""
    from scipy.special import expit, softmax

    single = predictions.shape in (labels.shape, (*labels.shape, 1))
    if not single and predictions.shape[:-1] != labels.shape:
        raise UsageError(f"logits of shape {predictions.shape} do not belong to labels of shape {labels.shape}")
    counted = labels != _IGNORED
    logits = (predictions.reshape(labels.shape) if single else predictions)[counted].astype("float64")
    probabilities = expit(logits) if single else softmax(logits, axis=-1)
    prediction = logits if single else logits.argmax(-1)
    return {"probabilities": probabilities.tolist(), "prediction": prediction.tolist(), "target": labels[counted].tolist()}


def _of_as_many_classes(metric: Metric, columns: dict[str, Any]) -> Metric:
    """Return a metric of classes for as many as there are logits, where its options do not say how many."""
    options, first = metric.options(), next(iter(columns["probabilities"]), None)
    if "classes" not in options or options["classes"] is not None or options.get("labels") or not isinstance(first, list):
        return metric
    try:
        return dataclasses.replace(metric, classes=len(first))  # type: ignore[call-arg]
    except ValueError as error:
        raise UsageError(f"metric '{metric.name}': {error}") from None
