"""Decisions: which class is decided on and which is right, read from whatever they come as, and what is counted of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Literal

from evalharness import Rows, is_refusal
from evalharness_classification.declaring import declared
from evalharness_classification.reading import MOST_NUMBERS, OfClasses, are_shares, place_of

Source = Literal["probabilities", "prediction", "response", "refusal"]
_FIELDS: Mapping[str, tuple[str, str]] = {
    "probabilities": ("probabilities", "target"),
    "prediction": ("prediction", "target"),
    "response": ("response", "target"),
    "refusal": ("response", "references"),
    "entities": ("prediction", "target"),
}
MANY_CLASSES = 100  # of more, two numbers a sample are less to keep and to weigh than three for each class

READING = """Classes are numbered from 0. `of` says where decisions come from. "probabilities": that of class 1, or one of
    each class, and `target`; of two classes, class 1 is decided on where its probability is at least `threshold`, of more
    the most likely one, of equally likely ones the first. "prediction" and "response": a class that is given as its number
    or its name, beside `target`. What is none of `labels` is a wrong decision. Without `labels` and `classes` each text is
    a class of its own, and all rows are kept in memory; for most metrics also of more than 100 classes. "refusal": class 1
    is a response that declines to answer (`evalharness.is_refusal`), which is right where `references` is empty."""


@dataclass(frozen=True)
class Decisions:
    """The class that is right and the one decided on, of each row; 0 in rows that are unmeasured.

    Both int64 (rows,), where the number after the last class stands for none of them; text (rows,), where classes are not
    known beforehand; or bool (rows, labels + 1), where a sample may have several, the last of them for none of the labels.
    """

    target: Any
    decided: Any
    unmeasured: Mapping[int, str]


class OfDecisions(OfClasses):
    """Metrics of the class that is decided on."""

    facts: ClassVar[str] = READING

    of: Source = "probabilities"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold is {self.threshold}, but must lie between 0 and 1")
        if self.threshold != 0.5 and self.of != "probabilities":
            raise ValueError(f"threshold is {self.threshold}, but of '{self.of}' the decisions are given; leave it out")
        if self.threshold != 0.5 and self.count > 2 and not self.several:
            raise ValueError(f"a threshold decides between 2 classes, not {self.count}")
        if self.of == "refusal" and (self.labels or self.classes not in (None, 2)):
            raise ValueError("of: refusal has two classes, 'answered' and 'refused'; leave out labels and classes")
        if self.several and self.of in ("response", "refusal"):
            raise ValueError(f"multilabel reads probabilities or prediction, not '{self.of}'")
        if self.several and not self.labels and self.classes is None:
            raise ValueError("multilabel needs labels, or classes: how many there are")

    @property
    def several(self) -> bool:
        """Whether a sample may have several labels."""
        return False

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The field that decisions come from, and the one that says what is right."""
        return _FIELDS[self.of]

    @property
    def is_open(self) -> bool:
        """Whether classes are whatever texts occur."""
        return self.of in ("prediction", "response") and not self.labels and self.classes is None

    @property
    def names(self) -> tuple[str, ...]:
        """What each class is called."""
        return ("answered", "refused") if self.of == "refusal" else super().names

    def measure(self, **columns: Sequence[Any]) -> Rows:
        """Return what is counted of each row."""
        return self.rows_of(*(columns[name] for name in self.reads))

    def rows_of(self, given: Sequence[Any], right: Sequence[Any]) -> Rows:
        """Return what is counted of each row, from what decisions come from and what says which is right."""
        found = self.decisions(given, right)
        return Rows(self.counted(found), found.unmeasured)

    def counted(self, found: Decisions) -> dict[str, Any]:
        """Return the statistics of each row."""
        raise NotImplementedError

    def decisions(self, given: Sequence[Any], right: Sequence[Any]) -> Decisions:
        """Return what is decided and what is right, with the reason of each row that cannot be read."""
        import numpy as np

        if self.several:
            return self._of_labels(given, right)
        if self.of == "probabilities":
            read = self.read(given, right)
            likely = read.probabilities
            chosen = likely.argmax(1) if self.count > 2 else (likely[:, 1] >= self.threshold).astype(np.int64)
            return Decisions(read.target, chosen, read.unmeasured)
        if self.of == "refusal":
            wanted = [int(not references) for references in right]
            return Decisions(np.array(wanted, np.int64), np.array([int(is_refusal(text)) for text in given], np.int64), {})
        return self._of_texts(given, right) if self.is_open else self._of_names(given, right)

    def _of_names(self, given: Sequence[Any], right: Sequence[Any]) -> Decisions:
        import numpy as np

        known = self.places
        places = [place_of(value, known) for value in right]
        unmeasured = {row: self.no_class("target") for row, place in enumerate(places) if place is None}
        decided = [self.count if (place := place_of(value, known)) is None else place for value in given]
        return Decisions(np.array([place or 0 for place in places], np.int64), np.array(decided, np.int64), unmeasured)

    def _of_texts(self, given: Sequence[Any], right: Sequence[Any]) -> Decisions:
        import numpy as np

        columns = [np.array([_text(value) for value in column], object) for column in (right, given)]
        return Decisions(columns[0], columns[1], {})

    def _of_labels(self, given: Sequence[Any], right: Sequence[Any]) -> Decisions:
        """Return which labels are right and which are decided on, and last whether there is any that is none of them."""
        import numpy as np

        likely = self.of == "probabilities"
        told = f"not one probability of each of {self.count} labels" if likely else "prediction names no labels"
        chosen = [self._likely(row) if likely else self._marked(row) for row in given]
        wanted = [self._marked(row) for row in right]
        unmeasured = {row: told for row, marks in enumerate(chosen) if marks is None}
        unmeasured |= {row: "target names no labels" for row, marks in enumerate(wanted) if marks is None or marks[-1]}
        none = [False] * (self.count + 1)
        target, decided = ([marks or none for marks in column] for column in (wanted, chosen))
        shape = (-1, self.count + 1)
        return Decisions(np.array(target, bool).reshape(shape), np.array(decided, bool).reshape(shape), unmeasured)

    def _likely(self, row: Any) -> list[bool] | None:
        row = row.tolist() if hasattr(row, "tolist") else row
        if not isinstance(row, (list, tuple)) or len(row) != self.count or not are_shares(row):
            return None
        return [*(value >= self.threshold for value in row), False]

    def _marked(self, row: Any) -> list[bool] | None:
        """Return which labels a row names: with 0 or 1 for each of them, or as a list of names."""
        row = row.tolist() if hasattr(row, "tolist") else row
        if not isinstance(row, (list, tuple)):
            return None
        if self.labels and all(isinstance(value, str) for value in row):
            named = {value.strip() for value in row}
            return [*(label in named for label in self.labels), not named <= set(self.labels)]
        if len(row) == self.count and all(isinstance(value, Real) and value in (0, 1) for value in row):
            return [*map(bool, row), False]
        return None


class OfMargins(OfDecisions):
    """Metrics of how often each class is right, decided on, and both: of these sums, whatever the number of samples.

    Where classes are whatever texts occur, or many, rows are kept in place of sums.
    """

    @property
    def keeps_rows(self) -> bool:
        """Whether of each sample both classes are kept."""
        return self.is_open or (self.count > MANY_CLASSES and not self.several)

    @property
    def most_classes(self) -> int:
        """How many classes there may be."""
        return (MOST_NUMBERS - 2) // 3

    @property
    def pool(self) -> Literal["sum", "rows"]:  # type: ignore[override]
        """Sums, where the classes are known beforehand and not many."""
        return "rows" if self.keeps_rows else "sum"

    def counted(self, found: Decisions) -> dict[str, Any]:
        """Return of each row which class is right, which is decided on (none of them last), and which is both."""
        import numpy as np

        if self.keeps_rows:
            return {"target": found.target, "decided": found.decided}
        each = np.eye(self.count + 1)
        marks = (found.target, found.decided) if self.several else (each[found.target], each[found.decided])
        target, decided = (column.astype(float) for column in marks)
        hits, target = (target * decided)[:, :-1], target[:, :-1]
        return {"hits": hits, "targets": target, "decisions": decided, "rows": np.ones(len(target))}

    def score(self, **sums: Any) -> Any:
        """Return the value from the sums, or from the classes of each row and how often it counts."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return self.value(**(self._margins(**sums) if self.keeps_rows else sums))

    def _margins(self, weights: Any, target: Any, decided: Any) -> dict[str, Any]:
        """Return the sums over rows, each counted as often as its weight, (n,) or (replicates, n)."""
        import numpy as np

        if self.is_open:
            places = {text: place for place, text in enumerate(sorted({*target, *decided}))}
            target, decided = ([places[text] for text in column] for column in (target, decided))
            count, of_decisions = len(places), len(places)
        else:
            count, of_decisions = self.count, self.count + 1
        right, chosen = (np.asarray(column, np.int64) for column in (target, decided))
        return {
            "hits": _by_class(weights * (right == chosen), right, count),
            "targets": _by_class(weights, right, count),
            "decisions": _by_class(weights, chosen, of_decisions),
            "rows": weights.sum(-1),
        }

    def value(self, *, hits: Any, targets: Any, decisions: Any, rows: Any) -> Any:
        """Return the value from how often each class is both, right, and decided on, (..., classes), and of all, (...)."""
        raise NotImplementedError


def _text(value: Any) -> str:
    """Return what a class is called; a whole number written as float has the name of the number."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _by_class(weights: Any, codes: Any, count: int) -> Any:
    """Return the sum of the weights of each class, (..., count)."""
    import numpy as np

    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    sums = np.zeros((*weights.shape[:-1], count))
    sums[..., codes[order][starts]] = np.add.reduceat(weights.take(order, -1), starts, axis=-1)
    return sums


def from_margins(**stated: Any) -> Callable[[Callable[..., Any]], type[OfMargins]]:
    """Turn a function of `hits`, `targets`, `decisions` (..., classes) and `rows` (...) into a metric of decisions."""

    def wrap(function: Callable[..., Any]) -> type[OfMargins]:
        return declared(function, OfMargins, "value", stated)

    return wrap
