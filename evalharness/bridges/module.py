"""A metric of ours as a module of Hugging Face evaluate; imported only where that library is."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Sequence
from typing import Any

import evaluate
from datasets import Features, Value
from datasets import Sequence as ListOf

from evalharness.bridges.values import MADE, RIGHT, built, values
from evalharness.contract import Metric
from evalharness.errors import UsageError
from evalharness.systems.environment import cache_folder

_TEXT, _NUMBER, _WHOLE = Value("string"), Value("float64"), Value("int64")
_TEXTS, _NUMBERS = ListOf(_TEXT), ListOf(_NUMBER)
# What a field may hold; text comes before numbers, since evaluate turns whatever it gets into a number where it can.
_FORMS: dict[str, Sequence[Any]] = {
    "response": (_TEXT,), "input": (_TEXT,), "text": (_TEXT,), "references": (_TEXTS, _TEXT), "contexts": (_TEXTS,),
    "choices": (_TEXTS,), "logprobs": (_NUMBERS,), "probabilities": (_NUMBERS, _NUMBER), "prediction": (_TEXT, _NUMBER),
    "target": (_TEXT, _NUMBER), "history": (_NUMBERS,),
}  # fmt: skip


class OurMetric(evaluate.Metric):  # type: ignore[misc]
    """A metric of evalharness; `predictions` is what a system made and `references` what is right.

    Further fields that it reads are inputs under their own names. Options may be given to `compute`, where they stand in
    place of the metric's own.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric, self.fields = metric, _inputs(metric)
        super().__init__(keep_in_memory=True, cache_dir=str(cache_folder("evaluate")), hash=metric.signature())
        self.info.module_name = metric.name

    def _info(self) -> Any:
        forms = itertools.product(*(_FORMS[field] for field in self.fields.values()))
        return evaluate.MetricInfo(
            description=inspect.getdoc(self.metric) or "",
            citation=self.metric.cite,
            inputs_description=", ".join(f"{name}: {field}" for name, field in self.fields.items()),
            features=[Features(dict(zip(self.fields, form, strict=True))) for form in forms],
        )

    def _compute(self, **given: Any) -> dict[str, float | None]:
        options = {name: value for name, value in given.items() if name not in self.fields}
        columns = {field: given[name] for name, field in self.fields.items()}
        return values(built(self.metric, **options), columns)


def _inputs(metric: Metric) -> dict[str, str]:
    """Return the field of each input by evaluate's name for it; raises UsageError where it has no form there."""
    unknown = [field for field in metric.reads if field not in _FORMS]
    if unknown or not set(metric.reads) & set(MADE):
        what = f"'{unknown[0]}'" if unknown else "nothing that a system makes"
        known = ", ".join(_FORMS)
        raise UsageError(f"metric '{metric.name}' cannot be a module of evaluate: it reads {what}; one may read {known}")
    made = next(field for field in MADE if field in metric.reads)
    right = next((field for field in RIGHT if field in metric.reads), None)
    names = {made: "predictions", right: "references"}
    return {names.get(field, field): field for field in sorted(metric.reads, key=lambda field: names.get(field, "z"))}
