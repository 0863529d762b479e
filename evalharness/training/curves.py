"""Draws what was logged in training: a panel for each loss part, norm and metric, and the load of each layer's experts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evalharness.errors import DataError
from evalharness.results.curves import Curve, Load, curves_of, loads_of, scalar_names
from evalharness.results.drawing import framed, saved
from evalharness.results.figures import draw_figures

CURVES_PNG, LOADS_PNG = "curves.png", "router_load.png"
COLUMNS = 3
MOST_DRAWN = 24
FEW_POINTS = 40  # up to so many, each is marked


def write_plots(folder: str | Path) -> list[Path]:
    """Draw the curves of a seed's run folder, or of all seeds of an arm's, into PNG files there; return their paths.

    `curves.png` has a panel for every name that was logged, a line a seed; `router_load.png`, where routers were logged, a
    heat map a layer of the share of tokens that each expert got over the steps: of several seeds the mean, each seed's
    experts in the order of their load. Raises DataError where nothing was logged. Needs matplotlib (the extra `train`).
    """
    folder = Path(folder)
    seeds = curves_of(folder)
    if not seeds:
        raise DataError(f"{folder} holds no curves; a training task writes them while it trains")
    written = []
    if names := scalar_names(seeds.values()):
        written.append(saved(folder / CURVES_PNG, panels(names, {f"seed {seed}": one for seed, one in seeds.items()})))
    if loads := loads_of(list(seeds.values())):
        written.append(saved(folder / LOADS_PNG, heat_maps({"": loads})))
    return written


def draw_arms(folders: Sequence[Path], tell: Callable[[str], None]) -> None:
    """Draw the curves of each arm of a task; of very many none, since that takes longer than to train small networks.

    Where matplotlib is missing, that is told.
    """
    if len(folders) > MOST_DRAWN:
        return
    try:
        for folder in folders:
            write_plots(folder)
            draw_figures(folder, tell)
    except ImportError as error:
        tell(f"no curves were drawn: {error}; install with: pip install 'evalharness[train]'")


def panels(names: Sequence[str], series: Mapping[str, Mapping[str, Curve]]) -> Any:
    """Return a figure with a panel for each name, a line for each of the series that has it (a seed, an arm)."""
    with framed(min(COLUMNS, len(names)), math.ceil(len(names) / COLUMNS)) as (figure, axes):
        for axis, name in zip(axes.flat, names, strict=False):
            for place, (label, curves) in enumerate(series.items()):
                if name in curves:
                    draw(axis, curves[name], label, f"C{place}")
            axis.set_title(name, fontsize=10, loc="left")
            axis.set_xlabel("step")
        for axis in list(axes.flat)[len(names) :]:
            axis.set_visible(False)
        if len(series) > 1:
            axes.flat[0].legend(fontsize=7, frameon=False)
        return figure


def draw(axis: Any, curve: Curve, label: str, colour: str) -> None:
    """Draw one curve; values that are not finite leave a gap, and a lone point is a mark."""
    marker = "." if len(curve.steps) <= FEW_POINTS else None
    values = np.where(np.isfinite(curve.values), curve.values, np.nan)
    axis.plot(curve.steps, values, label=label, color=colour, linewidth=1.2, marker=marker)


def heat_maps(rows: Mapping[str, Sequence[Load]]) -> Any:
    """Return a figure with a heat map for each layer in a column, and a row for each name (an arm, say), on one scale.

    Twice the even share and more have the brightest colour, so that maps of other layers and runs can be compared.
    """
    columns = max(len(loads) for loads in rows.values())
    with framed(columns, len(rows)) as (figure, axes):
        for line, (name, loads) in zip(axes, rows.items(), strict=True):
            for axis, load in zip(line, loads, strict=False):
                image = _heat_map(axis, load, f"{name} · layer {load.layer}".removeprefix(" · "))
            for axis in line[len(loads) :]:
                axis.set_visible(False)
        figure.colorbar(image, ax=axes, label="share of tokens, in even shares", fraction=0.03, pad=0.01)
        return figure


def _heat_map(axis: Any, load: Load, title: str) -> Any:
    edges = np.append(load.steps, load.steps[-1] + (np.diff(load.steps[-2:]) if len(load.steps) > 1 else 1))
    experts = np.arange(len(load.shares) + 1) - 0.5
    image = axis.pcolormesh(edges, experts, load.shares / load.even, vmin=0, vmax=2, cmap="viridis", rasterized=True)
    axis.grid(False)
    axis.set_title(title, fontsize=10, loc="left")
    axis.set_xlabel("step")
    axis.set_ylabel("expert, fullest first" if load.ranked else "expert")
    axis.yaxis.get_major_locator().set_params(integer=True)
    return image
