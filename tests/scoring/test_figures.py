"""What a metric draws: made once of the whole, thinned, checked, and never at the cost of its score."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import evalharness as eh
from evalharness.scoring import Entry, Finished, mean_over_seeds
from evalharness.scoring.figures import POINTS


def curve(length: int = 2) -> eh.Curve:
    return eh.Curve(x=tuple(range(length)), y=tuple(range(length)), name="it")


class Table(eh.Metric):
    """Share of pairs that agree, with the table of all pairs."""

    name, better, range = "table", "higher", (0, 1)

    def measure(self, response: Sequence[str], references: Sequence[str]) -> Any:
        return {"cells": [[[a == "x", a == "y"], [b == "x", b == "y"]] for a, b in zip(response, references, strict=True)]}

    def score(self, cells: Any) -> Any:
        return cells[..., 0, 0] / cells.sum((-1, -2))

    def figures(self, cells: Any) -> Any:
        return [eh.Matrix(title="pairs", rows="said", columns="is", row_labels="xy", column_labels="xy", values=cells)]


class Pooled(eh.Metric):
    """Largest number, drawn as all numbers."""

    name, better, pool, replicates = "pooled", "higher", "rows", 50
    drawn = None

    def measure(self, number: Sequence[float]) -> Any:
        return {"number": number}

    def score(self, *, weights: Any, number: Any) -> Any:
        return float(number[weights > 0].max())

    def figures(self, *, weights: Any, number: Any) -> Any:
        assert weights.tolist() == [1] * len(number)
        number[:] = 0  # its own copy
        return self.drawn(number)


def pooled(drawn: Callable[..., Any]) -> Any:
    metric: Any = type("Drawing", (Pooled,), {"drawn": staticmethod(drawn)})()
    return metric.evaluate(number=[1.0, 3.0, 2.0])


def test_sums_of_all_shards_are_drawn_once(scored: Callable[..., Finished]) -> None:
    columns = {"response": list("xyxx"), "references": list("xyyx")}
    whole, sharded = scored(Table(), **columns), scored(Table(), shards=[[3, 1], [0, 2]], **columns)
    (matrix,) = whole.figures
    assert matrix == sharded.figures[0]
    assert matrix.values == ((3.0, 1.0), (2.0, 2.0))


def test_rows_are_drawn_with_weights_of_one() -> None:
    found = pooled(lambda number: [eh.Figure(title="all", x="row", y="number", curves=[curve(len(number))])])
    (figure,) = found.figures
    assert (figure.curves[0].x, found.scores["pooled"].value, found.notes) == ((0.0, 1.0, 2.0), 3.0, ())


def test_a_metric_without_figures_has_none() -> None:
    assert eh.load_metric("exact_match").evaluate(response=["a"], references=["a"]).figures == ()


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    (figure,) = pooled(lambda _: [eh.Figure(title="", x="", y="", curves=[curve(12_345), curve(3)])]).figures
    assert [len(each.x) for each in figure.curves] == [POINTS, 3]
    assert (figure.curves[0].x[0], figure.curves[0].y[-1]) == (0.0, 12_344.0)


def test_the_mean_over_seeds_has_the_figures_of_all_their_rows(scored: Callable[..., Finished]) -> None:
    pooled = scored(Table(), response=list("xyxx"), references=list("xyyx"))
    assert mean_over_seeds(Entry.of(Table()), pooled, [pooled, pooled]).figures == pooled.figures


def lopsided(_: Any) -> Any:
    return [eh.Figure(title="", x="", y="", curves=[eh.Curve(x=(1, 2), y=(1,), name="odd")])]


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        (lambda _: 1 / 0, "raised ZeroDivisionError in figures: division by zero"),
        (lambda _: None, "raised TypeError in figures"),
        (lambda _: ["a picture"], "returned str from figures; it must return Figure and Matrix objects"),
        (lopsided, "curve 'odd' has 2 numbers in x and 1 in y"),
    ],
)
def test_a_fault_is_noted_and_costs_no_score(drawn: Callable[..., Any], told: str) -> None:
    found = pooled(drawn)
    assert (found.figures, found.scores["pooled"].value) == ((), 3.0)
    assert told in found.notes[0]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_must_be_finite(number: float) -> None:
    with pytest.raises(ValueError, match="y of curve 'roc' holds a number that is not finite"):
        eh.Curve(x=(0, 1), y=(0, number), name="roc")
    with pytest.raises(ValueError, match="matrix 'm' holds a number that is not finite"):
        eh.Matrix(title="m", rows="", columns="", row_labels=("a",), column_labels=("b",), values=((number,),))


def test_each_label_has_its_numbers() -> None:
    with pytest.raises(ValueError, match=r"labels for 1 rows of 2 numbers; it holds rows of \[1\]"):
        eh.Matrix(title="m", rows="", columns="", row_labels=("a",), column_labels=("b", "c"), values=((1,),))
