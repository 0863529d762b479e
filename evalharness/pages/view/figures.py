"""What metrics drew of a run: a chart for each figure, with a sentence for those who do not see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalharness.contract import Figure, Matrix
from evalharness.pages import charts
from evalharness.pages.view.training import Chart
from evalharness.results.figures import read_figures
from evalharness.results.wording import cell


def figure_charts(folder: Path) -> list[Chart]:
    """Return for each figure of a run its name, a sentence and the chart; none where its metrics draw nothing."""
    return [_chart(name, item) for name, found in read_figures(folder).items() for item in found]


def _chart(name: str, item: Figure | Matrix) -> Chart:
    title = item.title if name.replace("_", " ") in item.title.replace("_", " ") else f"{name}: {item.title}"
    if isinstance(item, Matrix):
        return title, _table(item), charts.matrix(item)
    return title, f"{item.y} over {item.x}: {'; '.join(_curves(item))}", charts.figure(item)


def _table(item: Matrix) -> str:
    cells = (
        (value, row, column)
        for row, values in zip(item.row_labels, item.values, strict=True)
        for column, value in zip(item.column_labels, values, strict=True)
    )
    value, row, column = max(cells, default=(0.0, "", ""))
    told = f"{item.rows} in rows, {item.columns} in columns, {len(item.row_labels)} by {len(item.column_labels)}"
    return f"{told}; the largest number is {cell(value)}, at {row} and {column}"


def _curves(item: Figure) -> Iterator[str]:
    for curve in item.curves:
        name = curve.name or curve.style
        yield name if name == curve.style or curve.style == "line" else f"{name} ({curve.style})"
