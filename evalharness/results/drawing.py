"""What all pictures in PNG files share: a frame made without a display, and bytes that follow from what is shown."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evalharness.results.folder import whole

PANEL = (4.0, 2.6)
DOTS = 110  # an inch


@contextmanager
def framed(columns: int, rows: int, panel: tuple[float, float] = PANEL, **shared: Any) -> Iterator[tuple[Any, Any]]:
    """Give a figure with a table of axes (rows, columns), each a panel of so many inches; `shared` says what axes share."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(panel[0] * columns, panel[1] * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **shared)
    for axis in axes.flat:
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    yield figure, axes


def saved(path: Path, figure: Any) -> Path:
    """Write a figure as a PNG whose bytes follow from what it shows, and return its path."""
    with whole(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a script that the font lacks is drawn as boxes
        figure.savefig(temporary, format="png", dpi=DOTS, metadata={"Software": None})
    return path
