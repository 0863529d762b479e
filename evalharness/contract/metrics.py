"""The metric contract: two pure functions, `measure` and `score`; the harness does the adding."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evalharness.contract.figures import Figure, Matrix
from evalharness.contract.sample import Request, Response, Rows, Unmeasured
from evalharness.contract.spec import Plugin

if TYPE_CHECKING:
    from evalharness.scoring import Evaluation

RESERVED = ("answers", "batch", "values", "weights")
Range = tuple[float | None, float | None] | None


@dataclass(frozen=True)
class Parent:
    """A score that a metric builds on: its name in the chain, the metric that makes it, and which part of it."""

    score: str
    metric: Metric
    part: str


class Metric(Plugin):
    """A measure of quality. Fields are its options; class attributes describe it.

    - `better`: "higher" or "lower"; has no default. `unit`: what one step means, "" for a bare share.
    - `range`: `(low, high)` bounds, `(0, None)` for positive, `None` for signed. The interval rule follows from it.
    - `parts`: suffixes of a metric with several values (".rouge1", "@5"), computed from the options alone.
    - `reads`: the fields it needs; by default the parameter names of `measure`.
    - `uses`: score names of the chain whose per-sample values arrive as the argument `values`.
    - `pool`: "sum" (statistics add) or "rows" (`score(weights=..., **columns)` sees all rows).
    - `scale`: a power of two that statistics are divided by before exact summation.
    - `needs`: the extra of the distribution that it needs ("hf"), or "".
    - `tolerance`: how far two runs may differ; 0 but for metrics that run an encoder.
    - `formula`: the definition in one line of plain text; `cite`, `reference`: where it comes from, and the implementation
      that it is verified against.

    >>> class Brevity(Metric):
    ...     "Share of responses of at most `limit` characters, 0 to 1."
    ...     name, better, range = "brevity", "higher", (0, 1)
    ...     limit: int = 5
    ...     def measure(self, response):
    ...         return {"short": [float(len(text) <= self.limit) for text in response]}
    >>> Brevity(limit=3).signature(), Brevity.reads
    ('brevity|limit:3', ('response',))
    """

    better: ClassVar[Literal["higher", "lower"]]
    unit: ClassVar[str] = ""
    range: ClassVar[Range] = None
    parts: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ()
    pool: ClassVar[Literal["sum", "rows", "batch"]] = "sum"
    scale: ClassVar[float] = 1.0
    replicates: ClassVar[int] = 1000
    family: ClassVar[str] = ""
    needs: ClassVar[str] = ""
    tolerance: ClassVar[float] = 0.0
    formula: ClassVar[str] = ""
    cite: ClassVar[str] = ""
    reference: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "measure" in cls.__dict__ and "reads" not in cls.__dict__:
            cls.reads = _fields_read(cls.__dict__["measure"])

    def measure(self, *_: Any, **columns: Any) -> Mapping[str, Any] | Rows:
        """Return one row of statistics per sample: a mapping of name to a sequence, or `Rows` with reasons."""
        raise NotImplementedError(f"{type(self).__name__} does not define measure")

    def score(self, *_: Any, **sums: Any) -> Any:
        """Turn summed statistics into a value, or a dict with exactly the keys of `parts`; broadcasts over leading axes.

        This default is the plain mean of each column that `measure` returned: the harness supplies a column
        `NAME.count` beside each column `NAME`, in which NaN counts as not measured.
        """
        means = {name: sums[name] / sums[f"{name}.count"] for name in sums if f"{name}.count" in sums}
        return means if self.parts else next(iter(means.values()))

    def figures(self, *_: Any, **sums: Any) -> Sequence[Figure | Matrix]:
        """Return pictures of the whole, from the arguments that `score` gets for it (weights of one); none by default."""
        return ()

    def ask(self, *_: Any, answers: Sequence[Sequence[Response]], **columns: Any) -> list[list[Request]]:
        """Return the requests still to be answered, a list per row; called until it asks nothing, at most 4 rounds.

        `answers` holds the replies so far, a list per row, and comes to `measure` as the argument of that name.
        """
        return [[] for _ in answers]

    def compose(self, parents: tuple[Parent, ...]) -> Metric:
        """Return this metric with the metrics that `uses` names in its hands; called once, when a chain is built."""
        return self

    @property
    def is_mean(self) -> bool:
        """Whether the score is the plain mean of what `measure` returns."""
        return self.pool == "sum" and type(self).score is Metric.score

    @property
    def asks(self) -> bool:
        """Whether the metric asks a model."""
        return type(self).ask is not Metric.ask

    @property
    def worst(self) -> float | None:
        """The bad end of the range; None where there is none."""
        if self.range is None:
            return None
        low, high = self.range
        return low if self.better == "higher" else high

    def evaluate(self, **columns: Sequence[Any]) -> Evaluation:
        """Score columns that are at hand: `metric.evaluate(response=[...], references=[...])`."""
        import evalharness

        return evalharness.evaluate(self, columns)


def _fields_read(measure: Callable[..., Any]) -> tuple[str, ...]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(measure).parameters.values()
    return tuple(item.name for item in parameters if item.kind in named and item.name not in ("self", *RESERVED))


def metric(
    *,
    better: Literal["higher", "lower"],
    unit: str = "",
    range: Range = (0, 1),
    family: str = "",
    formula: str = "",
    cite: str = "",
    reference: str = "",
) -> Callable[[Callable[..., Any]], type[Metric]]:
    """Turn a per-sample function into a metric: the mean of what it returns.

    Positional parameters are fields, keyword-only ones are options; it may return a number or `Unmeasured(reason)`.

    >>> @metric(better="higher")
    ... def brevity(response, *, limit: int = 5):
    ...     "Share of responses of at most `limit` characters, 0 to 1."
    ...     return float(len(response) <= limit)
    >>> brevity(limit=2), brevity.reads
    (brevity(limit=2), ('response',))
    """
    described = _described(better, unit, range, family, formula, cite, reference)

    def wrap(function: Callable[..., Any]) -> type[Metric]:
        fields, options = _split_parameters(function)

        def measure(self: Metric, **columns: Sequence[Any]) -> Rows:
            chosen = self.options()
            results = [function(*row, **chosen) for row in zip(*(columns[name] for name in fields), strict=True)]
            reasons = {row: result.reason for row, result in enumerate(results) if isinstance(result, Unmeasured)}
            return Rows({"value": [math.nan if row in reasons else result for row, result in enumerate(results)]}, reasons)

        return plugin_from_function(function, Metric, {**described, "measure": measure, "reads": fields, **options})

    return wrap


def pooled_metric(
    *,
    better: Literal["higher", "lower"],
    unit: str = "",
    range: Range = (0, 1),
    family: str = "",
    formula: str = "",
    cite: str = "",
    reference: str = "",
    replicates: int = 1000,
) -> Callable[[Callable[..., Any]], type[Metric]]:
    """Turn a function of all rows into a metric whose value is no function of sums.

    Positional parameters are fields, each an array with one value a sample. Of the keyword-only ones `weights` is how
    often each row counts, whole numbers from 0, which the function must heed, the others are options. It may take
    weights of shape (replicates, n) for speed.

    >>> @pooled_metric(better="higher", range=None)
    ... def largest(prediction, *, weights):
    ...     "Largest prediction, in its unit."
    ...     return prediction[weights > 0].max()
    >>> largest().evaluate(prediction=[1.0, 3.0, 2.0]).scores["largest"].value
    3.0
    """
    described = _described(better, unit, range, family, formula, cite, reference)

    def wrap(function: Callable[..., Any]) -> type[Metric]:
        fields, options = _split_parameters(function, given=("weights",))

        def measure(self: Metric, **columns: Sequence[Any]) -> dict[str, Any]:
            return columns

        def score(self: Metric, *, weights: Any, **columns: Any) -> Any:
            return function(*(columns[name] for name in fields), weights=weights, **self.options())

        calls = {"measure": measure, "score": score, "pool": "rows", "replicates": replicates, "reads": fields}
        return plugin_from_function(function, Metric, {**described, **calls, **options})

    return wrap


def _described(better: str, unit: str, range: Range, family: str, formula: str, cite: str, reference: str) -> dict[str, Any]:
    texts = {"family": family, "formula": formula, "cite": cite, "reference": reference}
    return {"better": better, "unit": unit, "range": range, **texts}


def plugin_from_function(function: Callable[..., Any], base: type[Any], body: dict[str, Any]) -> type[Any]:
    """Return a subclass of `base` that bears the function's name, documentation and module, so that it pickles."""
    annotations = {key: value for key, value in function.__annotations__.items() if key in body}
    origin = {"__module__": function.__module__, "__qualname__": function.__qualname__, "__doc__": function.__doc__}
    return type(function.__name__, (base,), {"name": function.__name__, "__annotations__": annotations, **body, **origin})


def _split_parameters(function: Callable[..., Any], given: tuple[str, ...] = ()) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the fields and the options with their defaults; `given` names keywords that are neither."""
    fields: list[str] = []
    options: dict[str, Any] = {}
    for item in inspect.signature(function).parameters.values():
        if item.name in given:
            continue
        if item.kind is not inspect.Parameter.KEYWORD_ONLY:
            _check_field(function, item)
            fields.append(item.name)
        elif item.default is inspect.Parameter.empty or item.annotation is inspect.Parameter.empty:
            raise TypeError(f"option '{item.name}' of {function.__name__} needs a type and a default")
        else:
            options[item.name] = item.default
    if not fields:
        raise TypeError(f"{function.__name__} reads no field; its positional parameters are the fields, such as 'response'")
    return tuple(fields), options


def _check_field(function: Callable[..., Any], item: inspect.Parameter) -> None:
    if item.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise TypeError(f"{function.__name__} takes '*{item.name}'; every field that it reads must be named")
    if item.default is not inspect.Parameter.empty:
        raise TypeError(f"'{item.name}' of {function.__name__} has a default, as an option does; write '*, ' before the options")
