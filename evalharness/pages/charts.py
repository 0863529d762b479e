"""Charts as Vega-Lite specifications: plain dicts of data and marks, whose colours the page gives by role."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evalharness.contract import Curve, Figure, Matrix
from evalharness.results.figures import MOST_NUMBERS, bar_width
from evalharness.results.wording import cell

if TYPE_CHECKING:
    from numpy.typing import NDArray

Spec = dict[str, Any]
Better = Literal["higher", "lower"]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
ROW = 26
BINS = 20
COLOURS = 3  # that a page has for categories
STEPS = {"type": "quantitative", "title": "step", "scale": {"nice": False}, "axis": {"tickCount": 6, "format": "d"}}
ZOOM = {
    "name": "zoom", "bind": "scales",
    "select": {"type": "interval", "encodings": ["x"], "zoom": "wheel![event.shiftKey]"},
}  # fmt: skip
NEAR = {"name": "near", "select": {"type": "point", "nearest": True, "on": "pointermove", "clear": "pointerout"}}
FRONT, BEHIND = "on the front", "behind it"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row of a chart of intervals: a name, its value, and its interval where there is one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Point:
    """One system as what it costs and how good it is."""

    name: str
    cost: float
    quality: float
    low: float | None = None
    high: float | None = None


def intervals(bars: Sequence[Bar], title: str) -> Spec:
    """Return each value as a point on its interval, one row a name, in the order given."""
    rows = [{"name": bar.name, "value": bar.value, "low": bar.low, "high": bar.high} for bar in bars]
    x = {"type": "quantitative", "title": title, "scale": {"zero": False}}
    tooltip = _tooltip(("name", ""), ("value", title), ("low", "from"), ("high", "to"))
    band = _layer({"type": "rule", "strokeWidth": 3, "opacity": 0.45}, x={"field": "low", **x}, x2={"field": "high"})
    point = _layer({"type": "point"}, x={"field": "value", **x})
    return {
        **_frame(rows, height=ROW * len(rows)),
        "encoding": {"y": _names(), "tooltip": tooltip},
        "layer": [band, point],
    }


def ranks(rows: Sequence[tuple[str, int, int]]) -> Spec:
    """Return the set of ranks that each system may have: (name, best, worst), in the order given."""
    # Half a rank at either side, so that a certain rank is a bar too.
    data = [{"name": name, "low": low, "high": high, "start": low - 0.5, "stop": high + 0.5} for name, low, high in rows]
    last = max((high for _, _, high in rows), default=1)
    axis = {"tickMinStep": 1, "format": "d"}
    x = {"type": "quantitative", "title": "rank", "scale": {"domain": [0.5, last + 0.5], "nice": False}, "axis": axis}
    return {
        **_frame(data, height=ROW * len(rows)),
        "mark": {"type": "bar", "height": 12, "cornerRadius": 6, "opacity": 0.75},
        "encoding": {
            "y": _names(),
            "x": {"field": "start", **x},
            "x2": {"field": "stop"},
            "tooltip": _tooltip(("name", ""), ("low", "best rank"), ("high", "worst rank")),
        },
    }


def cost_and_quality(points: Sequence[Point], cost: str, quality: str, better: Better) -> Spec:
    """Return quality over cost, with the front of the systems that no other one beats in both."""
    front = pareto(points, better)
    labels = _labels(points, front)
    data = [{**_point(point, place in front), "label": labels.get(place)} for place, point in enumerate(points)]
    x = {"field": "cost", "type": "quantitative", "title": cost, "scale": {"zero": True}, "axis": {"tickCount": 6}}
    y = {"field": "quality", "type": "quantitative", "title": quality, "scale": {"zero": False}}
    on_front = {"transform": [{"filter": {"field": "front", "equal": FRONT}}]}
    scale = {"domain": [FRONT, BEHIND], "range": "category"}
    colour = {"field": "front", "type": "nominal", "title": None, "scale": scale, "legend": {"orient": "top"}}
    line = {"type": "line", "interpolate": "step-after", "strokeDash": [4, 4], "opacity": 0.8}
    text = {"type": "text", "align": "left", "dx": 8, "dy": -8, "limit": 160}
    sides = {"after": text, "before": {**text, "align": "right", "dx": -8}}  # before, where a name would leave the chart
    names = [
        {**_labelled(side), **_layer(sides[side], x=x, y=y, text={"field": "name"})} for side in sorted(set(labels.values()))
    ]
    tooltip = _tooltip(("name", ""), ("cost", cost), ("quality", quality), ("low", "from"), ("high", "to"))
    return {
        **_frame(data, height=340),
        "layer": [
            _layer({"type": "rule", "opacity": 0.35}, x=x, y={**y, "field": "low"}, y2={"field": "high"}),
            {**on_front, **_layer(line, x=x, y=y)},
            _layer({"type": "point", "size": 90}, x=x, y=y, color=colour, tooltip=tooltip),
            *names,
        ],
    }


def _labelled(side: str) -> Spec:
    return {"transform": [{"filter": {"field": "label", "equal": side}}]}


def _labels(points: Sequence[Point], front: set[int]) -> dict[int, str]:
    """Return on which side the names of the points on the front stand; one that would cover another is left to its tooltip."""
    width = max((point.cost for point in points), default=0.0) or 1.0
    heights = [point.quality for point in points]
    height = (max(heights) - min(heights)) or 1.0
    kept: dict[int, str] = {}
    for place in sorted(front, key=lambda each: points[each].quality, reverse=True):
        own = points[place]
        near = [each for each in kept if abs(points[each].quality - own.quality) < height / 12]
        if all(abs(points[each].cost - own.cost) > width / 3 for each in near):
            kept[place] = "before" if own.cost > width / 2 else "after"
    return kept


def pareto(points: Sequence[Point], better: Better) -> set[int]:
    """Return the places of the points that no other point beats: cheaper at least as good, or better at no higher cost.

    >>> sorted(pareto([Point(name="a", cost=1, quality=1), Point(name="b", cost=2, quality=1)], "higher"))
    [0]
    """
    sign = -1.0 if better == "higher" else 1.0
    order = sorted(range(len(points)), key=lambda place: (points[place].cost, sign * points[place].quality))
    front: set[int] = set()
    best = math.inf
    for place in order:
        reached = sign * points[place].quality
        twin = any(_same(points[place], points[other]) for other in front)
        if reached < best or twin:
            front.add(place)
            best = reached
    return front


def histogram(values: Sequence[float] | NDArray[Any], title: str) -> Spec:
    """Return how many samples have a value in each bin; NaN is left out."""
    data = [{"low": low, "high": high, "count": count} for low, high, count in _bins(values)]
    x = {"field": "low", "type": "quantitative", "title": title, "bin": {"binned": True}, "axis": {"tickCount": 6}}
    y = {"field": "count", "type": "quantitative", "title": "samples", "axis": {"tickMinStep": 1, "format": "d", "tickCount": 4}}
    tooltip = _tooltip(("low", "from"), ("high", "to"), ("count", "samples"))
    return {
        **_frame(data, height=160),
        "mark": {"type": "bar", "opacity": 0.8},
        "encoding": {"x": x, "x2": {"field": "high"}, "y": y, "tooltip": tooltip},
    }


def curves(series: Mapping[str, Sequence[tuple[int, float]]], title: str) -> Spec:
    """Return values over the steps of training, a line a series: a drag moves them, shift and the wheel magnify."""
    rows = [{"series": name, "step": step, "value": value} for name, points in series.items() for step, value in points]
    x = {"field": "step", **STEPS}
    y = {"field": "value", "type": "quantitative", "title": None, "scale": {"zero": False}, "axis": {"tickCount": 5}}
    legend = {"orient": "top"} if 1 < len(series) <= COLOURS else None
    colour = {"field": "series", "type": "nominal", "sort": None, "title": None, "legend": legend, "scale": {"range": "category"}}
    tooltip = [{"field": "series", "title": "of"}, {"field": "step", "title": "step"}, *_tooltip(("value", title))]
    shown = {"condition": {"param": "near", "empty": False, "value": 1}, "value": 0}
    return {
        **_frame(rows, height=180),
        "encoding": {"x": x, "y": y, "color": colour},
        "layer": [
            {**_layer({"type": "line", "strokeWidth": 1.5, "opacity": 0.85}), "params": [ZOOM]},
            {**_layer({"type": "point"}, opacity=shown, tooltip=tooltip), "params": [NEAR]},
        ],
    }


def load(cells: Sequence[tuple[int, int, int, float]], experts: int, title: str = "expert") -> Spec:
    """Return the share of a layer's tokens by step and expert, in even shares: (first step, last step, expert, share)."""
    rows = [
        {"start": start, "stop": stop, "expert": expert, "top": expert + 1, "share": share, "name": f"expert {expert}"}
        for start, stop, expert, share in cells
    ]
    x = {"field": "start", **STEPS}
    values = [expert + 0.5 for expert in range(experts)]
    axis = {"values": values, "labelExpr": "floor(datum.value)", "grid": False, "labelOverlap": True}
    scale = {"domain": [0, experts], "nice": False}
    y = {"field": "expert", "type": "quantitative", "title": title, "scale": scale, "axis": axis}
    colour = {
        "field": "share", "type": "quantitative", "title": "in even shares", "legend": {"orient": "top", "gradientLength": 120},
        "scale": {"domain": [0, 2], "clamp": True, "scheme": "viridis"},
    }  # fmt: skip
    tooltip = _tooltip(("name", ""), ("start", "from step"), ("stop", "to step"), ("share", "in even shares"))
    return {
        **_frame(rows, height=max(120, min(16 * experts, 320))),
        # Without strokes of their own colour, seams show between the cells.
        "mark": {"type": "rect", "stroke": {"expr": "scale('color', datum.share)"}},
        "encoding": {"x": x, "x2": {"field": "stop"}, "y": y, "y2": {"field": "top"}, "color": colour, "tooltip": tooltip},
    }


def figure(drawn: Figure) -> Spec:
    """Return the curves of a metric's figure, each in its style; a dashed one has the colour of a thing to compare with."""
    rows = [row for curve in drawn.curves for row in _points_of(curve)]
    scales = ({"domain": list(ends), "nice": False} if ends else {"zero": False} for ends in (drawn.x_range, drawn.y_range))
    axes = zip(("x", "y"), (drawn.x, drawn.y), scales, strict=True)
    x, y = ({"field": field, "type": "quantitative", "title": title, "scale": scale} for field, title, scale in axes)
    names = [curve.name for curve in drawn.curves if curve.style != "dashed"]
    legend = {"orient": "top"} if any(names) and len(names) <= COLOURS else None
    scale = {"domain": names, "range": "category"}
    colour = {"field": "curve", "type": "nominal", "title": None, "legend": legend, "scale": scale}
    told = {"tooltip": [{"field": "curve", "title": "of"}, *_tooltip(("x", drawn.x), ("y", drawn.y))]}
    line = {"x": x, "y": y, "order": {"field": "place"}}  # a curve may go straight up, so its points keep their order
    span = {"x": {**x, "field": "start"}, "x2": {"field": "stop"}, "y": y, "y2": {"datum": 0}}
    seen = {"condition": {"param": "near", "empty": False, "value": 1}, "value": 0}
    layers = [
        _styled("bars", _layer({"type": "bar", "opacity": 0.7}, **span, color=colour, **told)),
        _styled("dashed", _layer({"type": "line", "strokeDash": [4, 4], "strokeWidth": 1.2}, **line, detail={"field": "curve"})),
        _styled("line", _layer({"type": "line", "strokeWidth": 1.8}, **line, color=colour)),
        _styled("line", {**_layer({"type": "point"}, x=x, y=y, opacity=seen, **told), "params": [NEAR]}),
        _styled("points", _layer({"type": "point"}, x=x, y=y, color=colour, **told)),
    ]
    used = {curve.style for curve in drawn.curves}
    shown = [layer for layer in layers if layer["transform"][0]["filter"]["equal"] in used]
    return {**_frame(rows, height=320), "layer": shown}


def _points_of(curve: Curve) -> Iterator[Spec]:
    half = bar_width(curve) / 2
    for place, (x, y) in enumerate(zip(curve.x, curve.y, strict=True)):
        ends = {"start": x - half, "stop": x + half} if curve.style == "bars" else {}
        yield {"curve": curve.name, "style": curve.style, "place": place, "x": x, "y": y, **ends}


def _styled(style: str, layer: Spec) -> Spec:
    return {"transform": [{"filter": {"field": "style", "equal": style}}], **layer}


def matrix(drawn: Matrix) -> Spec:
    """Return a table of numbers as a heat map: the more colour, the greater; with the numbers, where they are not too many."""
    rows = [
        {"row": row, "column": column, "value": value, "text": cell(value)}
        for row, values in zip(drawn.row_labels, drawn.values, strict=True)
        for column, value in zip(drawn.column_labels, values, strict=True)
    ]
    axis = {"domain": False, "ticks": False, "labelLimit": 140, "labelOverlap": True}
    slanted = max(map(len, drawn.column_labels)) > 6
    above = {**axis, "orient": "top", "labelAngle": -40 if slanted else 0, "labelLimit": 80}
    x = {"field": "column", "type": "nominal", "sort": None, "title": drawn.columns, "axis": above}
    y = {"field": "row", "type": "nominal", "sort": None, "title": drawn.rows, "axis": axis}
    low = min((0.0, *(value for values in drawn.values for value in values)))
    fill = {"field": "value", "type": "quantitative", "legend": None, "scale": {"domainMin": low, "range": [0.03, 0.85]}}
    titles = (("row", drawn.rows), ("column", drawn.columns), ("text", "value"))
    tooltip = [{"field": field, "title": title} for field, title in titles]
    numbers = [_layer({"type": "text"}, text={"field": "text"})] if len(rows) <= MOST_NUMBERS else []
    return {
        **_frame(rows, height=max(90, min(34 * len(drawn.row_labels), 400))),
        "encoding": {"x": x, "y": y, "tooltip": tooltip},
        "layer": [_layer({"type": "rect"}, fillOpacity=fill), *numbers],
    }


def _bins(values: Sequence[float] | NDArray[Any]) -> Iterator[tuple[float, float, int]]:
    """Yield bins of one width over the values: few where they are few or alike."""
    import numpy

    found = numpy.asarray(values, numpy.float64)
    found = found[numpy.isfinite(found)]
    if not len(found):
        return
    low, high = float(found.min()), float(found.max())
    if low == high:
        yield low - 0.5, high + 0.5, len(found)
        return
    counts, edges = numpy.histogram(found, bins=min(BINS, max(len(found), 5)), range=(low, high))
    places = edges.round(9).tolist()
    yield from zip(places[:-1], places[1:], counts.tolist(), strict=True)


def _same(a: Point, b: Point) -> bool:
    return (a.cost, a.quality) == (b.cost, b.quality)


def _point(point: Point, front: bool) -> Mapping[str, Any]:
    values = {"name": point.name, "cost": point.cost, "quality": point.quality, "low": point.low, "high": point.high}
    return {**values, "front": FRONT if front else BEHIND}


def _frame(rows: Sequence[Mapping[str, Any]], height: Any) -> Spec:
    """Return what all charts share: the data, the width of the box, the height."""
    return {"$schema": SCHEMA, "data": {"values": list(rows)}, "width": "container", "height": height}


def _layer(mark: Spec, **encoding: Any) -> Spec:
    return {"mark": mark, "encoding": encoding}


def _names() -> Spec:
    axis = {"domain": False, "ticks": False, "labelPadding": 8, "labelLimit": 180}
    return {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": axis}


def _tooltip(*fields: tuple[str, str]) -> list[Spec]:
    """Return what is told of a mark: (field, title); a number with three significant digits."""
    return [
        {"field": field, "title": title or "name", **({} if field == "name" else {"format": ".3~g"})} for field, title in fields
    ]
