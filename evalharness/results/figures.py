"""`figures.json`: what the metrics of a run draw, as data, and beside it the same as PNG files in `figures/`."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalharness.contract import Curve, Figure, Matrix, canonical
from evalharness.errors import DataError
from evalharness.results.drawing import framed, saved
from evalharness.results.export.names import file_name
from evalharness.results.folder import FIGURES, PICTURES, make, write_text
from evalharness.results.wording import cell

Figures = Mapping[str, Sequence[Figure | Matrix]]
SIDE = 3.6  # inches of a figure
CELL, LARGEST = 0.45, 9.0  # inches of a matrix cell, and of a matrix
MOST_NUMBERS = 400  # that a matrix has in its cells; of more the colours must do
MOST_LABELS = 24  # along one side
LONGEST = 60
STYLES: dict[str, dict[str, Any]] = {
    "line": {"linewidth": 1.4},
    "dashed": {"linewidth": 1.0, "linestyle": "--", "color": "0.6"},
    "points": {"linestyle": "none", "marker": "o", "markersize": 4},
}


def write_figures(folder: Path, figures: Figures) -> None:
    """Write what metrics draw, by score name, as data into a run folder; nothing where they draw nothing."""
    if any(figures.values()):
        write_text(folder / FIGURES, figures_text(figures))


def figures_text(figures: Figures) -> str:
    """Return figures by score name as canonical JSON: equal figures, equal bytes.

    >>> curve = Curve(x=(0, 1), y=(0, 1))
    >>> figures_text({"auroc": [Figure(title="ROC", x="false", y="true", curves=(curve,))]})[:60]
    '{"auroc":[{"curves":[{"name":"","style":"line","x":[0.0,1.0]'
    """
    return canonical(plain_figures(figures)) + "\n"


def plain_figures(figures: Figures) -> dict[str, list[dict[str, Any]]]:
    """Return figures by score name as JSON knows them; those without any are left out."""
    return {name: json.loads(canonical([dataclasses.asdict(item) for item in found])) for name, found in figures.items() if found}


def read_figures(folder: Path) -> dict[str, list[Figure | Matrix]]:
    """Return the figures of a run folder by score name, empty where it has none; DataError for a damaged file."""
    path = folder / FIGURES
    if not path.is_file():
        return {}
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return {name: [_figure(item) for item in found] for name, found in plain.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise DataError(f"{path} holds no figures: {error}. Run its task again.") from error


def _figure(plain: Mapping[str, Any]) -> Figure | Matrix:
    if "curves" not in plain:
        return Matrix(**plain)
    bounds = {name: plain[name] and tuple(plain[name]) for name in ("x_range", "y_range")}
    return Figure(**{**plain, **bounds, "curves": tuple(Curve(**curve) for curve in plain["curves"])})


def draw_figures(folder: Path, tell: Callable[[str], None]) -> list[Path]:
    """Draw the figures of a run folder into PNG files named after their scores and return their paths.

    The second figure of a score has a number in its name. Where matplotlib is missing, that is told.
    """
    figures = read_figures(folder)
    if figures:
        make(folder / PICTURES)
    try:
        return [saved(folder / PICTURES / f"{name}.png", _drawn(item)) for name, item in _named(figures)]
    except ImportError as error:
        tell(f"figures stand in {FIGURES} and are not drawn as PNG: {error}; install with: pip install 'evalharness[train]'")
        return []


def _named(figures: Figures) -> Iterator[tuple[str, Figure | Matrix]]:
    """Yield each figure with a name that is one component of a path, and no other's whatever a disk makes of its case."""
    seen: Counter[str] = Counter()
    for score, found in figures.items():
        for item in found:
            name = file_name(score)
            seen[name.casefold()] += 1
            number = seen[name.casefold()]
            yield name if number == 1 else f"{name}-{number}", item


def _drawn(item: Figure | Matrix) -> Any:
    return _matrix(item) if isinstance(item, Matrix) else _curves(item)


def _curves(item: Figure) -> Any:
    with framed(1, 1, (SIDE * 1.15, SIDE)) as (figure, axes):
        axis = axes[0, 0]
        for place, curve in enumerate(item.curves):
            if curve.style == "bars":
                axis.bar(curve.x, curve.y, width=bar_width(curve), label=_plain(curve.name), color=f"C{place}", alpha=0.6)
            else:
                axis.plot(curve.x, curve.y, label=_plain(curve.name), **{"color": f"C{place}", **STYLES[curve.style]})
        axis.set_title(_plain(item.title), fontsize=10, loc="left")
        axis.set_xlabel(_plain(item.x), fontsize=8)
        axis.set_ylabel(_plain(item.y), fontsize=8)
        axis.set_xlim(item.x_range)
        axis.set_ylim(item.y_range)
        if any(curve.name for curve in item.curves):
            axis.legend(fontsize=7, frameon=False)
        return figure


def _plain(text: str) -> str:
    """Return a text that is not read as a formula, short enough for a picture."""
    return (text if len(text) <= LONGEST else text[: LONGEST - 1] + "…").replace("$", r"\$")


def bar_width(curve: Curve) -> float:
    """Return how wide the bars of a curve are, so that those that stand closest leave a gap.

    >>> bar_width(Curve(x=(0, 1, 3), y=(1, 1, 1), style="bars"))
    0.9
    """
    places = sorted(set(curve.x))
    return 0.9 * min((right - left for left, right in itertools.pairwise(places)), default=1.0)


def _matrix(item: Matrix) -> Any:
    width, height = (min(max(SIDE * 0.7, CELL * len(labels)), LARGEST) for labels in (item.column_labels, item.row_labels))
    with framed(1, 1, (width + 1.6, height + 0.9)) as (figure, axes):
        axis = axes[0, 0]
        low = min((0.0, *(value for row in item.values for value in row)))
        image = axis.imshow(item.values, cmap="Blues", vmin=low, aspect="equal")
        axis.grid(False)
        axis.set_title(_plain(item.title), fontsize=10, loc="left")
        axis.set_ylabel(_plain(item.rows), fontsize=8)
        axis.set_xlabel(_plain(item.columns), fontsize=8)
        _label(axis.set_yticks, item.row_labels)
        _label(axis.set_xticks, item.column_labels, rotation=90 if max(map(len, item.column_labels)) > 4 else 0)
        if len(item.row_labels) * len(item.column_labels) <= MOST_NUMBERS:
            _number(axis, item, image)
        else:
            figure.colorbar(image, ax=axis, fraction=0.04, pad=0.02)
        return figure


def _label(ticks: Callable[..., Any], labels: Sequence[str], **style: Any) -> None:
    """Write labels along one side, every so many where they are many."""
    step = -(-len(labels) // MOST_LABELS)
    ticks(range(0, len(labels), step), [_plain(label) for label in labels[::step]], fontsize=7, **style)


def _number(axis: Any, item: Matrix, image: Any) -> None:
    for row, values in enumerate(item.values):
        for column, value in enumerate(values):
            colour = "white" if image.norm(value) > 0.6 else "black"
            axis.text(column, row, cell(value), ha="center", va="center", fontsize=7, color=colour)
