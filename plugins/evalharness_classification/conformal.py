"""Sets of classes that are to hold the right one: how often they do, and how large they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from evalharness import Rows
from evalharness_classification.declaring import declared
from evalharness_classification.reading import OfClasses, place_of

_ANGELOPOULOS = "Angelopoulos and Bates, Conformal prediction: a gentle introduction, 2023"


class _OfSets(OfClasses):
    """Metrics of a set of classes for each sample; the mean of a number for each."""

    facts: ClassVar[str] = """`of` "probabilities": a set holds the classes whose probability is at least `threshold`, which a
    calibration on other samples gives. "prediction": a set is a list of classes, numbers or names among `labels`; what is no
    class is unmeasured. `target` is the right class."""

    of: Literal["probabilities", "prediction"] = "probabilities"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold:g}, but must be from 0 to 1")

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The field that sets come from, and the target."""
        return (self.of, "target")

    def measure(self, **columns: Sequence[Any]) -> Rows:
        """Return a number for each sample."""
        import numpy as np

        given, target = columns[self.of], columns["target"]
        if self.of == "probabilities":
            read = self.read(given, target)
            held, right, unmeasured = read.probabilities >= self.threshold, read.target, dict(read.unmeasured)
        else:
            places, known = [_places(row, self.places) for row in given], self.places
            right = [place_of(value, known) for value in target]
            unmeasured = {row: self.no_class("target") for row, place in enumerate(right) if place is None}
            unmeasured |= {row: "prediction is no list of classes" for row, found in enumerate(places) if found is None}
            held = np.array([[place in (found or ()) for place in range(self.count)] for found in places])
            right = np.array([place or 0 for place in right], int)
        return Rows({"value": self.of_set(held.reshape(-1, self.count), right).astype(float)}, unmeasured)

    def of_set(self, held: Any, target: Any) -> Any:
        """Return the number of each sample from the classes that its set holds, (rows, classes), and the right one."""
        raise NotImplementedError


def _places(row: Any, known: Any) -> set[int] | None:
    if not isinstance(row, (list, tuple, set, frozenset)):
        return None
    found = {place_of(value, known) for value in row}
    return None if None in found else {place for place in found if place is not None}


def _of_set(**stated: Any) -> Callable[[Callable[..., Any]], type[_OfSets]]:
    def wrap(function: Callable[..., Any]) -> type[_OfSets]:
        return declared(function, _OfSets, "of_set", {"cite": _ANGELOPOULOS, "reference": "closed form", **stated})

    return wrap


@_of_set(better="higher", range=(0, 1), formula="mean of 1 where the right class is in the set")
def conformal_coverage(held: Any, target: Any) -> Any:
    """Share of samples whose set of classes holds the right one, 0 to 1; it should reach what was promised.

    >>> metric = conformal_coverage(threshold=0.3, classes=3)
    >>> columns = {"probabilities": [[0.5, 0.4, 0.1], [0.9, 0.1, 0.0]], "target": [1, 1]}
    >>> metric.evaluate(**columns).scores["conformal_coverage"].value
    0.5
    """
    return held[range(len(target)), target]


@_of_set(better="lower", unit="classes", range=(0, None), formula="mean number of classes in the set")
def conformal_set_size(held: Any, target: Any) -> Any:
    """Mean number of classes in the set of a sample, 0 or more; the smaller at a coverage, the better.

    >>> metric = conformal_set_size(threshold=0.3, classes=3)
    >>> columns = {"probabilities": [[0.5, 0.4, 0.1], [0.9, 0.1, 0.0]], "target": [1, 1]}
    >>> metric.evaluate(**columns).scores["conformal_set_size"].value
    1.5
    """
    return held.sum(1)


METRICS = (conformal_coverage, conformal_set_size)
