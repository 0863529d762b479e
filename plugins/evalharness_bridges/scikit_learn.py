"""Any function of sklearn.metrics that gives a number as a metric."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from evalharness_bridges.bridged import Bridged, check_names, library, named

_FIELDS = {
    "y_true": "target", "y_pred": "prediction", "y_score": "probabilities", "y_proba": "probabilities",
    "y_prob": "probabilities",
    "pred_decision": "prediction", "labels_true": "target", "labels_pred": "prediction", "y1": "target", "y2": "prediction",
}  # fmt: skip
_WEIGHT = "sample_weight"
_HIGHER, _LOWER = ("_score", "matthews_corrcoef"), ("_loss", "_error", "_deviance", "davies_bouldin_score")


class ScikitLearn(Bridged):
    """A score of scikit-learn over all samples, in that score's own unit and range.

    - `name`: a function of `sklearn.metrics` that gives one number, such as `f1_score`; the score is called by it. What is
      no option here is passed on to it: `average: macro`.
    - `fields`: which field each of its arguments is. By default `y_true` is `target`, `y_pred` is `prediction`, `y_score`
      and `y_proba` are `probabilities`: one of each class, or that of class 1, which is also what is passed where there
      are two. Of several references it is the first, as a label. A sample without references is unmeasured.
    - `better`: follows from the name (a score higher, a loss, error or deviance lower) where that says it.
    - `range`: `[low, high]` where the values have bounds; the interval keeps within them.
    - `per_sample: true` says that the score is the mean of its values for single samples, so that each sample has one.
      Otherwise it is computed from all rows at once, and 100 times over for replicates: with their weights where the
      function takes `sample_weight`, elsewhere with rows repeated.

    >>> import evalharness as eh
    >>> metric = eh.load_metric("sklearn", name="f1_score", average="macro")
    >>> metric.evaluate(prediction=[0, 1, 1, 1], target=[0, 1, 0, 1]).scores["f1_score"].value.__round__(3)
    0.733
    """

    example: ClassVar[Mapping[str, Any]] = {"name": "mean_absolute_error", "range": [0, None]}
    needs: ClassVar[str] = ""
    formula: ClassVar[str] = "sklearn.metrics.NAME(y_true, y_pred, ...)"
    cite: ClassVar[str] = "Pedregosa et al., Scikit-learn: Machine Learning in Python, JMLR 12, 2011"
    reference: ClassVar[str] = "the function itself; the record says which version of scikit-learn"

    name: str = "sklearn"  # type: ignore[misc]

    def __post_init__(self) -> None:
        parameters = inspect.signature(_function(self.name)).parameters
        misplaced = next((name for name in self.args if name in _FIELDS or name == _WEIGHT), None)
        if misplaced is not None:
            raise ValueError(f"{misplaced} of {self.origin} comes from a field; write  fields: {{{misplaced}: FIELD}}")
        check_names((*self.args, *self.fields), parameters, self.origin)
        unknown = next((name for name, field in self.inputs.items() if not field), None)
        if unknown is not None:
            raise ValueError(f"say which field is {unknown} of {self.origin}:  fields: {{{unknown}: FIELD}}")
        super().__post_init__()

    @property
    def origin(self) -> str:
        """How the library calls the function."""
        return f"sklearn.metrics.{self.name}"

    @property
    def inputs(self) -> Mapping[str, str]:
        """The field of each argument that must be given or that has one named; empty text where none is known."""
        known = {**_FIELDS, "y_pred": "probabilities"} if "log_loss" in self.name else _FIELDS
        parameters = inspect.signature(_function(self.name)).parameters.values()
        needed = [item.name for item in parameters if item.default is item.empty and item.kind is not item.VAR_KEYWORD]
        if needed == ["y_true"]:  # the other one has a default while it is being renamed
            needed += [item.name for item in parameters if item.name in known][1:2]
        return {**{name: known.get(name, "") for name in needed}, **self.fields}

    @property
    def weighs(self) -> bool:
        """Whether the function takes weights of rows."""
        return _WEIGHT in inspect.signature(_function(self.name)).parameters and _WEIGHT not in self.fields

    def known_direction(self) -> Literal["higher", "lower"] | None:
        """Return the direction that the function's name says."""
        if self.name.endswith(_LOWER):
            return "lower"
        return "higher" if self.name.endswith(_HIGHER) else None

    def call(self, arguments: dict[str, list[Any]], weights: Any) -> Any:
        """Return what the function gives."""
        given = {name: self._column(name, values, arguments) for name, values in arguments.items()}
        weighed = {} if weights is None else {_WEIGHT: weights}
        return _function(self.name)(**given, **weighed, **self.args)

    def _column(self, name: str, values: list[Any], others: Mapping[str, list[Any]]) -> list[Any]:
        """Return the values as the function takes them: one label a row, and of two classes the probability of class 1."""
        if self.inputs[name] == "references":
            return [value[0] if isinstance(value, list) else value for value in values]
        binary = all(isinstance(value, list) and len(value) == 2 for value in values)
        one_label = not any(isinstance(value, list) for value in others.get("y_true", ()))
        return [value[1] for value in values] if self.inputs[name] == "probabilities" and binary and one_label else values


@functools.cache
def _function(name: str) -> Callable[..., Any]:
    metrics = library("sklearn.metrics")
    known = [each for each in metrics.__all__ if inspect.isfunction(getattr(metrics, each))]
    found: Callable[..., Any] = getattr(metrics, named(name, known, "sklearn.metrics", "f1_score"))
    return found
