"""The parts of the document of a training task that varies a number: curves, break points, errors beside the first arm's."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from evalharness.comparison import Line
from evalharness.comparison.pairs import judged
from evalharness.results.wording import ARROWS, counted
from evalharness.scoring.families import holm
from evalharness.training.study import plots
from evalharness.training.study.markdown import table, with_interval
from evalharness.training.study.sections import Document
from evalharness.training.study.varied import Grid, Relative, Setting, break_points, is_error, mean_ranks, relative

Cell = Callable[[str, int], str]


def in_short(document: Document, grid: Grid) -> Iterator[str]:
    """Yield a sentence a score and setting: the arm that stands best beside the first, at the least and the largest number."""
    yield "## In short"
    yield "The arm with the best value, at both ends; being picked flatters it, and its interval does not allow for that."
    for score in document.study.scores:
        told = [f"  - {_named(setting)}{_extremes(grid, setting, score)}" for setting in grid.settings]
        yield "\n".join(
            [f"- **{score}** beside `{document.study.arms[0]}`, over {counted(len(grid.datasets), 'data set')}:", *told]
        )


def _named(setting: Setting) -> str:
    return f"{' · '.join(setting)}: " if setting else ""


def _extremes(grid: Grid, setting: Setting, score: str) -> str:
    parts = [f"at {grid.labels[place]} {_best(grid, setting, place, score)}" for place in (0, len(grid.numbers) - 1)]
    return "; ".join(parts)


def _best(grid: Grid, setting: Setting, place: int, score: str) -> str:
    """Return the arm that stands best beside the first one, or the first one itself with the next best."""
    sign = 1.0 if grid.study.first.scores[score].better == "lower" else -1.0
    found = {arm: relative(grid, setting, place, arm, score) for arm in grid.study.arms[1:]}
    known = {arm: one for arm, one in found.items() if one is not None}
    if not known:
        return "nothing can be compared"
    best = min(known, key=lambda arm: sign * known[arm].value)
    one, first = known[best], f"`{grid.study.arms[0]}`"
    told = f"`{best}`: {_shown(one)} {'times' if one.ratio else 'beside'} {first}"
    if one.ends is None or one.ends[0] <= one.alike <= one.ends[1]:
        return f"{told}, no difference shown"
    return f"{told}, better" if sign * (one.value - one.alike) < 0 else f"{first}; next {told}, worse"


def _shown(one: Relative | None) -> str:
    if one is None:
        return "–"
    sign = "" if one.ratio or one.value <= 0 else "+"
    return f"{sign}{with_interval(one.value, one.ends)}"


def of_scores(document: Document, grid: Grid) -> Iterator[str]:
    """Yield for each score its curves over the number, and the tables of each setting."""
    yield (
        "Values are means over the seeds. Bands are 95 % intervals of the samples or of the seeds, whichever is wider; "
        "intervals in the tables are t intervals over the data sets, of which there are few, so that they are wide."
    )
    for score in document.study.scores:
        first = document.study.first.scores[score]
        yield f"## {score} {ARROWS[first.better]}"
        yield document.plots.add(f"{score}", f"{score} over {grid.key}", plots.along(grid, score))
        yield from _breaks(grid, score)
        for setting in grid.settings:
            if setting:
                yield f"### {score}: {' · '.join(setting)}"
            yield from _of_setting(document, grid, setting, score)


def _breaks(grid: Grid, score: str) -> Iterator[str]:
    """Yield the break points of an error whose clean value is known."""
    if grid.numbers[0] != 0 or not is_error(grid.study.first.scores[score]):
        return
    yield (
        f"Break point: the {grid.key.rpartition('.')[2]} at which the error is twice the clean one, interpolated; median "
        f"over the data sets, lowest and highest, and on how many it is never reached."
    )
    titles = ["arm", *(" · ".join(setting) or "break point" for setting in grid.settings)]
    rows = [[f"`{arm}`", *(_break(grid, setting, arm, score) for setting in grid.settings)] for arm in grid.study.arms]
    yield table(titles, rows)


def _break(grid: Grid, setting: Setting, arm: str, score: str) -> str:
    found = break_points(grid, setting, arm, score)
    beyond = float("inf")
    points = sorted(beyond if one is None else one for one in found)
    if not points:
        return "–"
    never = points.count(beyond)
    if never == len(points):
        return f"never on {never}"
    three = (statistics.median_high(points), points[0], points[-1])
    middle, low, high = (f"> {grid.labels[-1]}" if one == beyond else f"{one:.2g}" for one in three)
    return f"{middle} ({low} to {high})" + (f"; never on {never} of {len(points)}" if never else "")


def _of_setting(document: Document, grid: Grid, setting: Setting, score: str) -> Iterator[str]:
    first, error = document.study.arms[0], is_error(document.study.first.scores[score])
    what = f"Error in units of that of `{first}`, geometric mean" if error else f"Difference to `{first}`, mean"
    clean = " (at 0, what an arm costs on clean data)" if error and grid.numbers[0] == 0 else ""
    yield f"{what} over the data sets{clean}:"
    yield _table(grid, document.study.arms[1:], lambda arm, place: _shown(relative(grid, setting, place, arm, score)))
    yield f"On how many data sets an arm is shown to be better than `{first}` / worse / neither (Holm over this table):"
    verdicts = _verdicts(document, grid, setting, score)
    yield _table(grid, document.study.arms[1:], lambda arm, place: _counted(verdicts.get((arm, place), Counter())))
    yield "Mean rank over the data sets, 1 for the best:"
    ranks = [mean_ranks(grid, setting, place, score) for place in range(len(grid.numbers))]
    yield _table(grid, document.study.arms, lambda arm, place: with_interval(*ranks[place].get(arm, (None, None))))


def _table(grid: Grid, arms: Sequence[str], cell: Cell) -> str:
    """Return a table of arms by the varied number."""
    titles = [grid.key, *grid.labels]
    return table(titles, [[f"`{arm}`", *(cell(arm, place) for place in range(len(grid.numbers)))] for arm in arms])


def _verdicts(document: Document, grid: Grid, setting: Setting, score: str) -> dict[tuple[str, int], Counter[str]]:
    """Return how often each verdict falls on an arm at one of the numbers; all differences of the setting are one family."""
    found: dict[tuple[str, int, str], Line] = {}
    for arm, place, data in itertools.product(document.study.arms[1:], range(len(grid.numbers)), grid.datasets):
        case = grid.case(setting, data, place)
        if case is not None and (case.labels, score, arm) in document.against:
            found[arm, place, data] = document.against[case.labels, score, arm]
    counts: dict[tuple[str, int], Counter[str]] = {}
    for (arm, place, _), line in zip(found, judged(list(found.values()), holm), strict=True):
        counts.setdefault((arm, place), Counter())[line.verdict] += 1
    return counts


def _counted(verdicts: Counter[str]) -> str:
    better, worse = verdicts["better"], verdicts["worse"]
    return f"{better} / {worse} / {verdicts.total() - better - worse}"
