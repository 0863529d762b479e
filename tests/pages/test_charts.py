"""Charts: what they are drawn of, and who is on the front."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evalharness import Curve, Figure, Matrix
from evalharness.pages import charts
from evalharness.pages.charts import Bar, Point

NUMBERS = st.floats(-1e6, 1e6)
POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


CURVES = (
    Curve(x=(0, 0, 1), y=(0, 1, 1), name="model"),
    Curve(x=(0, 1), y=(0, 1), name="chance", style="dashed"),
    Curve(x=(0.25, 0.75), y=(0.5, 0.9), name="bins", style="bars"),
)
ROC = Figure(title="ROC", x="false positives", y="true positives", curves=CURVES, x_range=(0, 1))
LABELS = ("cat", "<b>dog</b>")
TABLE = Matrix(title="confusion", rows="is", columns="said", row_labels=LABELS, column_labels=LABELS, values=((3, 1), (0, -2.5)))


def points(pairs: list[tuple[int, int]]) -> list[Point]:
    return [Point(name=str(place), cost=cost, quality=quality) for place, (cost, quality) in enumerate(pairs)]


@given(POINTS)
def test_the_front_is_all_that_nothing_beats(pairs: list[tuple[int, int]]) -> None:
    def beaten(cost: int, quality: int) -> bool:
        return any(c <= cost and q >= quality and (c, q) != (cost, quality) for c, q in pairs)

    expected = {place for place, pair in enumerate(pairs) if not beaten(*pair)}
    assert charts.pareto(points(pairs), "higher") == expected


@given(POINTS)
def test_the_front_turns_with_the_direction(pairs: list[tuple[int, int]]) -> None:
    turned = [(cost, -quality) for cost, quality in pairs]
    assert charts.pareto(points(pairs), "lower") == charts.pareto(points(turned), "higher")


@given(st.lists(NUMBERS | st.just(math.nan), max_size=200))
def test_a_histogram_counts_every_number_once(values: list[float]) -> None:
    rows = charts.histogram(values, "value")["data"]["values"]
    assert sum(row["count"] for row in rows) == sum(not math.isnan(value) for value in values)
    assert all(row["low"] <= row["high"] for row in rows)


def test_values_that_are_all_alike_have_a_bin_with_a_width() -> None:
    (row,) = charts.histogram(np.full(3, 0.5), "value")["data"]["values"]
    assert (row["low"], row["high"], row["count"]) == (0.0, 1.0, 3)


def test_a_certain_rank_is_a_bar_too() -> None:
    (row,) = charts.ranks([("a", 1, 1)])["data"]["values"]
    assert (row["start"], row["stop"]) == (0.5, 1.5)


def test_specifications_are_plain_json_without_colours() -> None:
    made = [
        charts.intervals([Bar(name="a", value=0.5, low=0.4, high=0.6), Bar(name="b", value=0.1)], "score"),
        charts.ranks([("a", 1, 2)]),
        charts.cost_and_quality(points([(1, 1), (2, 3), (3, 2)]), "seconds", "score", "higher"),
        charts.histogram([0.0, 1.0], "score"),
        charts.figure(ROC),
        charts.matrix(TABLE),
        charts.curves({"seed 0": [(1, 0.5)], "seed 1": [(1, 0.4)]}, "loss"),
        charts.load([(0, 10, 0, 1.5), (0, 10, 1, 0.5)], 2),
    ]
    for spec in made:
        assert json.loads(json.dumps(spec)) == spec
        assert spec["$schema"].endswith("v6.json")
        assert "#" not in json.dumps({**spec, "$schema": ""})


def test_names_on_the_front_do_not_cover_each_other() -> None:
    close = [Point(name=str(place), cost=100 + place / 100, quality=0.5 + place / 1000) for place in range(5)]
    far = Point(name="far", cost=10, quality=0.1)
    rows = charts.cost_and_quality([*close, far], "seconds", "score", "higher")["data"]["values"]
    assert [row["name"] for row in rows if row["label"]] == ["4", "far"]


def test_only_as_many_lines_are_named_by_colour_as_there_are_colours() -> None:
    few, many = ({f"seed {seed}": [(1, 0.5)] for seed in range(count)} for count in (charts.COLOURS, charts.COLOURS + 1))
    legends = [charts.curves(series, "loss")["encoding"]["color"]["legend"] for series in (few, many, {"seed 0": [(1, 0.5)]})]
    assert [legend is None for legend in legends] == [False, True, True]


def test_a_figure_has_a_layer_for_each_style_that_its_curves_have() -> None:
    spec = charts.figure(ROC)
    marks = [layer["mark"]["type"] for layer in spec["layer"]]
    assert marks == ["bar", "line", "line", "point"]
    assert "strokeDash" in spec["layer"][1]["mark"]
    bars = [row for row in spec["data"]["values"] if row["style"] == "bars"]
    assert [round(row[end], 9) for row in bars for end in ("start", "stop")] == [0.025, 0.475, 0.525, 0.975]


def test_a_matrix_has_its_numbers_in_the_cells_while_they_can_be_read() -> None:
    assert [row["text"] for row in charts.matrix(TABLE)["data"]["values"]] == ["3", "1", "0", "-2.500"]
    names = tuple(f"c{number}" for number in range(21))
    large = Matrix(title="", rows="", columns="", row_labels=names, column_labels=names, values=((0,) * 21,) * 21)
    assert [len(charts.matrix(each)["layer"]) for each in (TABLE, large)] == [2, 1]
