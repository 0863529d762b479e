"""Any metric of torchmetrics, by the name of its class."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import pkgutil
import typing
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import evalharness as eh
from evalharness_bridges.bridged import Bridged, check_names, library, named

_TEXT, _NUMBERS, _CLASSES = (
    {"preds": "response", "target": "references"},
    {"preds": "prediction", "target": "target", "targets": "target"},
    {"preds": "probabilities", "target": "target"},
)
_OF_PACKAGE = {"text": _TEXT, "classification": _CLASSES}
_PASSED_ON = ("args", "kwargs")  # what a class takes that makes one of several others
_QUERY, _MODEL = "indexes", "model_name_or_path"


class TorchMetrics(Bridged):
    """A metric of torchmetrics over all samples, in that metric's own unit and range.

    - `name`: a class of torchmetrics, such as `BLEUScore`; the score is called by it. What is no option here is passed
      on to it: `n_gram: 3`.
    - `fields`: which field each argument of its `update` is. By default metrics of text take `response` as `preds` and
      `references` as `target`, metrics of classes `probabilities` and `target`, all others `prediction` and `target`. Of
      several references a metric that takes one text gets the first, the others all. A sample without references is
      unmeasured. Of two classes the probability of class 1 is passed to a metric with `task: binary` or called Binary….
      Numbers become tensors in float64 or int64. A metric of retrieval takes a list of scores as `prediction` and a list
      of labels as `target`; each sample is one query.
    - `better`: as the metric says itself (`higher_is_better`), where it does.
    - `range`: `[low, high]` where the values have bounds; the interval keeps within them.
    - `keys`: of a metric with several values, which of them are wanted; each is a part of the score.
    - `per_sample: true` says that the metric is the mean of its values for single samples, so that each sample has one.
      A metric of text whose state is sums, as BLEU's and error rates' are, has a value for each sample as well, computed
      from what that sample adds. Any other is updated with all rows at once, and for replicates 100 times over with rows
      repeated.

    >>> import evalharness as eh
    >>> metric = eh.load_metric("torchmetrics", name="WordErrorRate")
    >>> metric.evaluate(response=["a b c d"], references=["a b c e"]).scores["WordErrorRate"].value
    0.25
    """

    example: ClassVar[Mapping[str, Any]] = {"name": "WordErrorRate", "range": [0, None]}
    formula: ClassVar[str] = "torchmetrics.NAME(...), updated with all rows, computed"
    cite: ClassVar[str] = "Detlefsen et al., TorchMetrics: Measuring Reproducibility in PyTorch, JOSS 7, 2022"
    reference: ClassVar[str] = "the class itself; the record says which version of torchmetrics"

    name: str = "torchmetrics"  # type: ignore[misc]

    def __post_init__(self) -> None:
        parameters = _update(self.name)
        if not set(_PASSED_ON) & set(parameters):
            check_names(self.fields, parameters, f"{self.origin}.update")
        unknown = next((name for name, field in self.inputs.items() if not field), None)
        if unknown is not None:
            raise ValueError(f"say which field is {unknown} of {self.origin}:  fields: {{{unknown}: FIELD}}")
        if not self._has_model:
            _metric(self.name, self.args)
        super().__post_init__()

    @property
    def origin(self) -> str:
        """How the library calls the class."""
        return f"{_package(self.name)}.{self.name}"

    @property
    def inputs(self) -> Mapping[str, str]:
        """The field of each argument of `update`; empty text where none is known."""
        known = _OF_PACKAGE.get(_package(self.name).rpartition(".")[2], _NUMBERS)
        parameters = [item for item in _update(self.name).values() if item.name not in _PASSED_ON]
        needed = [item.name for item in parameters if item.default is item.empty] or ["preds", "target"]
        return {**{name: known.get(name, "") for name in needed if name != _QUERY}, **self.fields}

    def known_direction(self) -> Literal["higher", "lower"] | None:
        """Return the direction that the class states, or the one that it makes."""
        stated = _class(self.name).higher_is_better
        if not isinstance(stated, bool):
            stated = _metric(self.name, self.args).higher_is_better
        if not isinstance(stated, bool):
            return None
        return "higher" if stated else "lower"

    def prepare(self) -> None:
        """Make the metric."""
        _metric(self.name, self.args)

    def call(self, arguments: dict[str, list[Any]], weights: Any) -> Any:
        """Return what the metric computes after one update with all rows."""
        metric = _metric(self.name, self.args)
        metric.reset()
        if _QUERY in _update(self.name) and _QUERY not in self.fields:
            arguments = _flat(arguments)
        metric.update(**{name: self._column(name, values) for name, values in arguments.items()})
        return metric.compute()

    @property
    def adds(self) -> bool:
        """Whether it is a metric of text whose state the library adds up, as it does over processes.

        A metric with a model keeps texts, and is not loaded to be asked.
        """
        of_text = _package(self.name).endswith(".text") and not self._has_model
        return of_text and not self.per_sample and _sums(self.name, self.args)

    @property
    def _has_model(self) -> bool:
        return _MODEL in inspect.signature(_class(self.name)).parameters

    def sums_of(self, rows: Sequence[list[Any]]) -> Mapping[str, Any]:
        """Return the state after an update with these rows."""
        metric = _metric(self.name, self.args)
        metric.reset()
        if rows:
            columns = zip(self.inputs, zip(*rows, strict=True), strict=True)
            metric.update(**{name: self._column(name, list(values)) for name, values in columns})
        return {name: getattr(metric, name).tolist() for name in metric._defaults}

    def from_sums(self, sums: Mapping[str, Any]) -> Any:
        """Return what the metric computes from such a state; counts that are not whole, of replicates, stay as they are."""
        import torch

        metric = _metric(self.name, self.args)
        metric.reset()
        metric._update_count = 1
        for name, default in metric._defaults.items():
            total = torch.as_tensor(sums[name])
            exact = default.is_floating_point() or bool((total == total.round()).all())
            setattr(metric, name, total.to(default.dtype) if exact else total)
        return metric.compute()

    def _column(self, name: str, values: list[Any]) -> Any:
        """Return the values as `update` takes them: text as it is, numbers as one tensor."""
        if self.inputs.get(name) == "references" and not _takes_several(self.name, name):
            values = [value[0] if isinstance(value, list) else value for value in values]
        if not _is_number(values[0]):
            return values
        import torch

        column = torch.tensor(values, dtype=None if _is_whole(values) else torch.float64)
        binary = "Binary" in self.name or self.args.get("task") == "binary"
        return column[:, 1] if name == "preds" and binary and column.ndim == 2 and column.shape[1] == 2 else column


@functools.cache
def _classes() -> dict[str, tuple[str, type[Any]]]:
    """Return the package and the class of each metric by name; what stands in a package of its own is found there."""
    top = library("torchmetrics")
    packages = [item.name for item in pkgutil.iter_modules(top.__path__, "torchmetrics.") if item.ispkg]
    found: dict[str, tuple[str, type[Any]]] = {}
    for package in [*packages, "torchmetrics"]:
        module = library(package)
        for name in getattr(module, "__all__", ()):
            item = getattr(module, name)
            if isinstance(item, type) and issubclass(item, top.Metric):
                found.setdefault(name, (package, item))
    return found


def _class(name: str) -> type[Any]:
    known = _classes()
    return known[named(name, known, "torchmetrics", "BLEUScore")][1]


def _package(name: str) -> str:
    return _classes()[name][0]


@functools.lru_cache(maxsize=16)
def _metric(name: str, args: eh.Arguments) -> Any:
    """Return the metric, which may hold a model: made once."""
    cls = _class(name)
    hints = {key: str(hint) for key, hint in typing.get_type_hints(cls.__init__).items()}
    tuples = [key for key, value in args.items() if isinstance(value, list) and "tuple[" in hints.get(key, "")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the memory that rows take
            return cls(**{**args, **{key: tuple(args[key]) for key in tuples}})
    except (TypeError, ValueError) as error:
        raise eh.UsageError(f"{_package(name)}.{name} refuses its options: {error}") from error


@functools.lru_cache(maxsize=16)
def _sums(name: str, args: eh.Arguments) -> bool:
    """Return whether all of a metric's state is summed over processes."""
    reductions = _metric(name, args)._reductions.values()
    return bool(reductions) and all(getattr(item, "__name__", "") == "dim_zero_sum" for item in reductions)


def _update(name: str) -> Mapping[str, inspect.Parameter]:
    parameters = dict(inspect.signature(_class(name).update).parameters)
    parameters.pop("self", None)
    return parameters


@functools.cache
def _takes_several(name: str, argument: str) -> bool:
    """Return whether one row of an argument may hold several texts: its type has a sequence within a sequence."""
    return _depth(typing.get_type_hints(_class(name).update).get(argument)) > 1


def _depth(hint: Any) -> int:
    inner = max(map(_depth, typing.get_args(hint)), default=0)
    return inner + (typing.get_origin(hint) in (list, collections.abc.Sequence))


def _flat(arguments: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return lists of one query a row as one list, with the number of the query beside each item."""
    flat = {name: [item for row in rows for item in row] for name, rows in arguments.items()}
    sizes = [len(row) for row in next(iter(arguments.values()))]
    return {**flat, _QUERY: [number for number, size in enumerate(sizes) for _ in range(size)]}


def _is_number(value: Any) -> bool:
    return _is_number(value[0]) if isinstance(value, list) and value else isinstance(value, (int, float))


def _is_whole(values: Sequence[Any]) -> bool:
    return all(_is_whole(value) if isinstance(value, list) else isinstance(value, int) for value in values)
