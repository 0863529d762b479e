"""The pictures of a study, as PNG files in a folder beside the document."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalharness.comparison import Line
from evalharness.results.curves import Load, loads_of, mean_of, scalar_names
from evalharness.results.drawing import framed, saved
from evalharness.results.folder import make
from evalharness.results.intervals import interval_of
from evalharness.training.curves import COLUMNS, heat_maps, panels
from evalharness.training.study.markdown import image
from evalharness.training.study.reading import Case
from evalharness.training.study.varied import Grid, Setting

SMALL = 7
UNSHOWN = ("learning_rate",)  # the same in all arms, and no result


@dataclass(frozen=True)
class Plots:
    """Where pictures go: a folder of the document's name beside it."""

    document: Path

    def add(self, name: str, title: str, figure: Any) -> str:
        """Write a figure and return the Markdown that shows it."""
        folder = self.document.with_suffix("")
        make(folder)
        saved(folder / f"{name}.png", figure)
        return image(title, f"{folder.name}/{name}.png")


def differences(lines: Mapping[str, Mapping[str, Line]], title: str) -> Any:
    """Return a figure with a panel a score: each arm's difference as a point on its interval, and a line at 0."""
    with framed(min(COLUMNS, len(lines)), math.ceil(len(lines) / COLUMNS)) as (figure, axes):
        figure.suptitle(title, fontsize=10)
        for axis in list(axes.flat)[len(lines) :]:
            axis.set_visible(False)
        for axis, (score, by_arm) in zip(axes.flat, lines.items(), strict=False):
            for place, line in enumerate(by_arm.values()):
                _point(axis, place, line)
            axis.axvline(0, color="black", linewidth=0.8)
            axis.set_yticks(range(len(by_arm)), list(by_arm), fontsize=SMALL)
            axis.set_ylim(len(by_arm) - 0.5, -0.5)
            better = next(iter(by_arm.values())).a.better
            axis.locator_params(axis="x", nbins=6)
            axis.set_title(score, fontsize=9, loc="left")
            axis.set_xlabel("worse ← → better" if better == "higher" else "better ← → worse", fontsize=SMALL)
        return figure


def _point(axis: Any, place: int, line: Line) -> None:
    found = line.difference
    if found.value is None:
        return
    colour = {"better": "C2", "worse": "C3"}.get(line.verdict, "C7")
    if found.low is not None and found.high is not None:
        axis.plot([found.low, found.high], [place, place], color=colour, linewidth=2.5, alpha=0.6)
    axis.plot([found.value], [place], color=colour, marker="o", markersize=5)


def training(case: Case) -> Any | None:
    """Return a figure with a panel for each part of the losses, norm and metric that was logged, a line an arm."""
    means = {arm: mean_of(list(seeds.values())) for arm, seeds in case.curves.items()}
    names = [name for name in scalar_names(means.values()) if name not in UNSHOWN]
    return panels(names, means) if names else None


def loads(case: Case) -> Any | None:
    """Return a figure of the load of each layer's experts over the steps, a row an arm; None where nothing was routed."""
    found: dict[str, list[Load]] = {arm: loads_of(list(seeds.values())) for arm, seeds in case.curves.items()}
    routed = {arm: layers for arm, layers in found.items() if layers}
    return heat_maps(routed) if routed else None


def along(grid: Grid, score: str) -> Any:
    """Return a figure of a score over the varied number: a row a setting, a column a data set, a line an arm with its band."""
    with framed(len(grid.datasets), len(grid.settings), sharex=True) as (figure, axes):
        for row, setting in zip(axes, grid.settings, strict=True):
            for axis, data in zip(row, grid.datasets, strict=True):
                for place, arm in enumerate(grid.study.arms):
                    _band(axis, grid, (setting, data), (arm, score), f"C{place}")
                axis.set_title(" · ".join([each for each in (data, *setting) if each]) or score, fontsize=9, loc="left")
        for axis in axes[-1]:
            axis.set_xlabel(grid.key, fontsize=SMALL)
        axes[0][0].legend(fontsize=SMALL, frameon=False)
        return figure


def _band(axis: Any, grid: Grid, where: tuple[Setting, str], what: tuple[str, str], colour: str) -> None:
    (setting, data), (arm, score) = where, what
    points = [_at(grid, setting, data, place, arm, score) for place in range(len(grid.numbers))]
    values, low, high = np.array(points, np.float64).T
    axis.plot(grid.numbers, values, label=arm, color=colour, linewidth=1.2, marker=".")
    axis.fill_between(grid.numbers, low, high, color=colour, alpha=0.12, linewidth=0)


def _at(grid: Grid, setting: Setting, data: str, place: int, arm: str, score: str) -> Sequence[float]:
    """Return a value and the ends of its interval, NaN for what is not there."""
    case, value = grid.case(setting, data, place), grid.value(setting, data, place, arm, score)
    if case is None or value is None:
        return (np.nan, np.nan, np.nan)
    return (value, *(interval_of(case.record(arm), score) or (np.nan, np.nan)))
