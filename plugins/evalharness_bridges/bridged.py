"""What metrics of other libraries share: rows are kept whole, and the library computes its value from all of them.

A row is kept as the JSON text of what the library takes for it, so that nothing is lost on the way: whole numbers stay
whole, lists of references stay lists.
"""

from __future__ import annotations

import difflib
import importlib
import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

import evalharness as eh

REPLICATES, RECOMPUTED = 1000, 100
_ONE = "value"


class Refused(ValueError):
    """The library refused its arguments, or gave what is no value."""


class Bridged(eh.Metric):
    """A metric that another library computes.

    A subclass says what the library takes for a row (`inputs`), what the metric is called there (`origin`), and calls it.
    """

    family: ClassVar[str] = "bridges"
    needs: ClassVar[str] = "hf"

    better: Literal["higher", "lower"] | None = None  # type: ignore[misc,assignment]
    range: tuple[float | None, ...] | None = None  # type: ignore[misc,assignment]
    keys: tuple[str, ...] = ()
    per_sample: bool = False
    args: eh.Arguments = eh.Arguments()
    fields: eh.Arguments = eh.Arguments()

    def __post_init__(self) -> None:
        self._check_range()
        wrong = next((name for name, field in self.fields.items() if not isinstance(field, str)), None)
        if wrong is not None:
            raise ValueError(f"fields.{wrong} must name a field, such as response, not {self.fields[wrong]!r}")
        if self.better is None:
            object.__setattr__(self, "better", self.known_direction())
        if self.better is None:
            raise ValueError(f"{self.origin} does not say which direction is better; write  better: higher  or  better: lower")

    def _check_range(self) -> None:
        if self.range is None:
            return
        low, high = self.range if len(self.range) == 2 else (1.0, 0.0)
        if low is not None and high is not None and low >= high:
            raise ValueError(f"range is {list(self.range)}, but must be [LOW, HIGH], such as [0, 1], or [0, null] without an end")

    @property
    def origin(self) -> str:
        """How the library calls the metric."""
        raise NotImplementedError

    @property
    def inputs(self) -> Mapping[str, str]:
        """The field of each argument of the library that a row gives."""
        raise NotImplementedError

    def call(self, arguments: dict[str, list[Any]], weights: Any) -> Any:
        """Return what the library gives for these rows; `weights` is None, or of a metric that `weighs` one number a row."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Load what the metric needs, so that what is missing shows with the first rows."""

    @property
    def weighs(self) -> bool:
        """Whether the library takes weights of rows; otherwise a row is repeated as often as it counts."""
        return False

    @property
    def adds(self) -> bool:
        """Whether the library keeps sums of rows, from which it computes its value."""
        return False

    def sums_of(self, rows: Sequence[list[Any]]) -> Mapping[str, Any]:
        """Return the sums over some rows, or over none, for a metric that `adds`."""
        raise NotImplementedError

    def from_sums(self, sums: Mapping[str, Any]) -> Any:
        """Return what the library gives for sums of rows, for a metric that `adds`."""
        raise NotImplementedError

    def known_direction(self) -> Literal["higher", "lower"] | None:
        """Return which direction is better, where the library says it."""
        return None

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        """One suffix a key."""
        return tuple(f".{key}" for key in self.keys)

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The fields that the arguments come from."""
        return tuple(dict.fromkeys(self.inputs.values()))

    @property
    def pool(self) -> Literal["sum", "rows", "batch"]:  # type: ignore[override]
        """All rows at once, unless the library keeps sums or the metric is stated to be a mean over samples."""
        return "sum" if self.per_sample or self.adds else "rows"

    @property
    def is_mean(self) -> bool:
        """Whether the metric is stated to be a mean over samples."""
        return self.per_sample

    @property
    def replicates(self) -> int:  # type: ignore[override]
        """Few where each means that the library computes anew."""
        return REPLICATES if self.pool == "sum" else RECOMPUTED

    def spec(self) -> eh.Spec:
        """Return the spec that builds an equal metric, whose own name is the library's."""
        return eh.Spec(type(self).name, super().spec().options)

    def signature(self) -> str:
        """Return the name of the bridge and every option."""
        return "|".join([type(self).name, *super().signature().split("|")[1:]])

    def measure(self, *_: Any, **columns: Sequence[Any]) -> eh.Rows:
        """Return each row as JSON text; its own value of a mean over samples; what it adds to the sums of the library."""
        self.prepare()
        rows = list(zip(*(columns[field] for field in self.inputs.values()), strict=True))
        texts = [_text(dict(zip(self.inputs.values(), row, strict=True))) for row in rows]
        reasons = {place: text.reason for place, text in enumerate(texts) if isinstance(text, eh.Unmeasured)}
        if self.pool == "rows":
            return eh.Rows({"row": [None if place in reasons else text for place, text in enumerate(texts)]}, reasons)
        kept = [json.loads(text) for text in texts if isinstance(text, str)]
        found = self._of_each(kept) if self.per_sample else self._added(kept)
        return eh.Rows({name: _spread(values, reasons, len(rows)) for name, values in found.items()}, reasons)

    def score(self, *_: Any, weights: Any = None, row: Any = None, **sums: Any) -> Any:
        """Return the library's value over all rows, for weights (n,) or (replicates, n); or the mean of the samples."""
        if self.per_sample:
            return super().score(**sums)
        if self.adds:
            return self._of_sums(sums)
        import numpy as np

        rows = json.loads(f"[{','.join(row)}]")
        if weights.ndim == 1:
            try:
                values = self._over(rows, weights)
            except Refused as error:
                raise eh.UsageError(str(error)) from error
            return values if self.keys else values[_ONE]
        found = [self._or_undefined(rows, each) for each in weights.reshape(-1, weights.shape[-1])]
        columns = {part: np.array([one[part] for one in found]).reshape(weights.shape[:-1]) for part in self._names}
        return columns if self.keys else columns[_ONE]

    def _added(self, rows: Sequence[list[Any]]) -> dict[str, list[Any]]:
        """Return what each row adds to each of the sums."""
        found = [self._guarded(self.sums_of, [row]) for row in rows]
        return {name: [one[name] for one in found] for name in (found[0] if found else (_ONE,))}

    def _of_sums(self, sums: Mapping[str, Any]) -> Any:
        """Return the value for sums with any leading axes."""
        import numpy as np

        axes = {name: np.ndim(value) for name, value in self._guarded(self.sums_of, []).items()}
        shape = next(sums[name].shape[: sums[name].ndim - count] for name, count in axes.items())
        found = []
        for place in np.ndindex(*shape):
            result = self._parts_of(self._guarded(self.from_sums, {name: values[place] for name, values in sums.items()}))
            found.append({part: self._number(value) for part, value in result.items()})
        columns = {part: np.array([one[part] for one in found]).reshape(shape) for part in self._names}
        return columns if self.keys else columns[_ONE]

    @property
    def _names(self) -> tuple[str, ...]:
        return self.parts or (_ONE,)

    def _or_undefined(self, rows: Sequence[list[Any]], weights: Any) -> dict[str, float]:
        """Return the values of a replicate; NaN where the library has none for it, for want of a class, say."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._over(rows, weights)
        except Refused:
            return dict.fromkeys(self._names, float("nan"))

    def _over(self, rows: Sequence[list[Any]], weights: Any) -> dict[str, float]:
        """Return the library's values by part where each row counts so often."""
        import numpy as np

        places, given = np.repeat(np.arange(len(rows)), weights), None
        if self.weighs and (weights != 1).any():
            places = np.flatnonzero(weights)
            given = weights[places]
        result = self._parts_of(self._called([rows[place] for place in places.tolist()], given))
        return {part: self._number(value) for part, value in result.items()}

    def _of_each(self, rows: Sequence[list[Any]]) -> dict[str, list[float]]:
        """Return the values of each row by part; one call for all where the library gives a list with one value a row."""
        if not rows:
            return {part: [] for part in self._names}
        first = self._parts_of(self._called(rows[:1], None))
        if all(_length(value) == 1 for value in first.values()):
            whole = {part: _plain(value) for part, value in self._parts_of(self._called(rows, None)).items()}
            return {part: [self._number(value) for value in values] for part, values in whole.items()}
        alone = [first, *(self._parts_of(self._called([row], None)) for row in rows[1:])]
        return {part: [self._number(values[part]) for values in alone] for part in self._names}

    def _called(self, rows: Sequence[list[Any]], weights: Any) -> Any:
        columns = dict(zip(self.inputs, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
        return self._guarded(self.call, columns, weights)

    def _guarded(self, function: Callable[..., Any], *given: Any) -> Any:
        """Return what a function of the library gives; raises Refused for whatever it raises."""
        try:
            return function(*given)
        except (eh.EvalharnessError, Refused):
            raise
        except Exception as error:  # each library refuses in ways of its own
            raise Refused(f"{self.origin}: {type(error).__name__}: {error}") from error

    def _parts_of(self, result: Any) -> dict[str, Any]:
        """Return what the library gave by part; raises Refused where that is not what the options say."""
        if not isinstance(result, Mapping):
            if self.keys:
                raise Refused(f"{self.origin} gives one value without a key; leave 'keys' out")
            return {_ONE: result}
        if not self.keys and len(result) == 1:
            return {_ONE: next(iter(result.values()))}
        names = ", ".join(map(str, result))
        if not self.keys:
            raise Refused(f"{self.origin} gives several values; say which are wanted: keys: [{names}]")
        missing = [key for key in self.keys if key not in result]
        if missing:
            raise Refused(f"{self.origin} gives no '{missing[0]}'; it gives: {names}")
        return {f".{key}": result[key] for key in self.keys}

    def _number(self, value: Any) -> float:
        number = _plain(value)
        if isinstance(number, list) and len(number) == 1:
            number = number[0]
        if isinstance(number, Real):
            return float(number)
        if isinstance(number, (list, tuple)):
            mend = "choose an average, or write  per_sample: true  if there is one a sample and their mean is meant"
            raise Refused(f"{self.origin} gives {len(number)} values where one is wanted; {mend}")
        raise Refused(f"{self.origin} gives {type(value).__name__} where a number is wanted")


def check_names(names: Iterable[str], known: Iterable[str], origin: str) -> None:
    """Raise ValueError, with the names that there are, for one that the library does not know."""
    has = list(known)
    wrong = next((name for name in names if name not in has), None)
    if wrong is not None:
        raise ValueError(f"{origin} has no argument '{wrong}'; it has: {', '.join(has)}")


def library(name: str) -> Any:
    """Return a module of a library; raises UsageError that says how to install what is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing = error.name or name
        raise eh.UsageError(f"{name} cannot be imported, since {missing} is missing: pip install 'evalharness[hf]'") from error


def named(name: str, known: Iterable[str], where: str, example: str) -> str:
    """Return the name if it is known; raises ValueError with the nearest names."""
    names = sorted(known)
    if name in names:
        return name
    if name == where.partition(".")[0]:  # the name of the bridge, since none was given
        raise ValueError(f"say what of {where} is meant, for example  name: {example}")
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"{where} has no '{name}'.{hint}")


def _text(row: Mapping[str, Any]) -> str | eh.Unmeasured:
    """Return the values of a row, given by field, as JSON text, or why it is none."""
    empty = next((field for field, value in row.items() if isinstance(value, list) and not value), None)
    if empty is not None:
        return eh.Unmeasured(f"no {empty.removesuffix('s')}")
    try:
        return eh.canonical([_plain(value) for value in row.values()])
    except ValueError:
        return eh.Unmeasured("not a number")
    except TypeError:
        return eh.Unmeasured("neither text nor number")


def _plain(value: Any) -> Any:
    """Return an array of any library as lists and numbers; other values as they are."""
    return value.tolist() if hasattr(value, "tolist") else value


def _length(value: Any) -> int:
    """Return how many values a list or array of one axis holds; 0 for anything else."""
    plain = _plain(value)
    return len(plain) if isinstance(plain, (list, tuple)) else 0


def _spread(values: Sequence[Any], reasons: Mapping[int, str], count: int) -> list[Any]:
    """Return the values of the kept rows in a column of all, that of any of them in rows that do not count."""
    left, filler = iter(values), values[0] if values else 0.0
    return [filler if place in reasons else next(left) for place in range(count)]
