"""Charts: what they are drawn of, and who is on the front."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evalharness.pages import charts
from evalharness.pages.charts import Bar, Point

NUMBERS = st.floats(-1e6, 1e6)
POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


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
