"""A metric of what a system made before it was trained, beside the same metric of what it makes now."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import evalharness as eh

MADE = ("response", "logprobs", "contexts", "prediction", "probabilities", "router_counts")
PREFIX = "before_"
TAKEN_OVER = ("better", "unit", "range", "parts", "pool", "scale", "replicates", "needs", "tolerance", "model")


class Before(eh.Metric):
    """Another metric of what the system made before training, in that metric's own range.

    `metric` is the other one. Where it reads what a system makes (`response`, `logprobs`, `prediction`, ...), it is given
    the fields `before_response` and so on, which a training task puts beside each sample; what it asks is asked of the
    model as it was. A training task adds this metric by itself, under the name `NAME.before`.

    >>> metric = Before(metric=eh.Spec("exact_match"))
    >>> metric.reads, metric.range
    (('before_response', 'references'), (0, 1))
    >>> metric.evaluate(before_response=["yes"], references=[["Yes."]]).scores["before"].value
    1.0
    """

    name = "before"
    example: ClassVar[Mapping[str, Any]] = {"metric": "token_f1"}
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    formula: ClassVar[str] = "as the metric's own, of what stood before training"
    reference: ClassVar[str] = "the metric itself, on the same columns under their own names"

    metric: eh.Spec = dataclasses.field(metadata={"kind": "metric"})
    inner: eh.Metric = dataclasses.field(default=None, repr=False, compare=False, metadata={"option": False})  # type: ignore[assignment]

    def __post_init__(self) -> None:
        inner = eh.load_metric(self.metric.name, **self.metric.options) if self.inner is None else self.inner
        if inner.uses:
            raise ValueError(f"'{inner.name}' builds on other scores; take those from before training and combine them")
        object.__setattr__(self, "inner", inner)
        for name in TAKEN_OVER:
            if hasattr(inner, name):
                object.__setattr__(self, name, getattr(inner, name))

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The fields of the other metric, those that a system makes as they were before training."""
        return tuple(PREFIX + name if name in MADE else name for name in self.inner.reads)

    @property
    def is_mean(self) -> bool:
        """Whether the other metric is a plain mean."""
        return self.inner.is_mean

    @property
    def asks(self) -> bool:
        """Whether the other metric asks a model."""
        return self.inner.asks

    def signature(self) -> str:
        """Return the signature of the other metric, marked as taken before training."""
        return f"{self.name}|{{{self.inner.signature()}}}"

    def ask(self, *_: Any, answers: Sequence[Sequence[eh.Response]], **columns: Any) -> list[list[eh.Request]]:
        """Return what the other metric asks."""
        return self.inner.ask(answers=answers, **_renamed(columns))

    def measure(self, *_: Any, answers: Any = (), batch: Any = None, **columns: Any) -> Mapping[str, Any] | eh.Rows:
        """Return what the other metric measures."""
        wanted = inspect.signature(type(self.inner).measure).parameters
        given = {"answers": answers, "batch": None if batch is None else _before(batch)}
        return self.inner.measure(**_renamed(columns), **{name: value for name, value in given.items() if name in wanted})

    def score(self, *_: Any, **sums: Any) -> Any:
        """Return the score of the other metric."""
        return self.inner.score(**sums)

    def figures(self, *_: Any, **sums: Any) -> Sequence[eh.Figure | eh.Matrix]:
        """Return what the other metric draws."""
        return self.inner.figures(**sums)


def _before(batch: eh.Batch) -> eh.Batch:
    """Return the batch as it was before training; what metrics share of it is not what they share of the responses now."""
    columns = {**batch.columns, **_renamed({name: batch.columns[name] for name in batch.columns if name.startswith(PREFIX)})}
    made: eh.Batch = batch.once("batch before training", lambda: dataclasses.replace(batch, columns=columns, memo={}))
    return made


def _renamed(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(PREFIX): values for name, values in columns.items()}
