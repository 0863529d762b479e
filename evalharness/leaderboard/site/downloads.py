"""The table of a board as files to take away: CSV, JSON, Markdown and LaTeX, best first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping

from evalharness.leaderboard.aligned import score_of
from evalharness.leaderboard.board import System
from evalharness.leaderboard.cells import coverage
from evalharness.leaderboard.site.plan import Plan, rank_text, value_title
from evalharness.results.export import latex, markdown
from evalharness.results.wording import ARROWS, number
from evalharness.scoring import Score

# A cell that begins so is a formula to spreadsheets; an apostrophe before it makes it a text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(plan: Plan) -> str:
    """Return one line a system, with value, ends of the interval, and coverage of each column, unrounded."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    ranking = [f"{title}{part}" for title in _ranking_title(plan) for part in ("", " low", " high")]
    titles = [f"{column.title}{part}" for column in plan.board.columns for part in ("", " low", " high", " coverage")]
    writer.writerow(["system", "rank low", "rank high", "ties", *ranking, *titles])
    for system in plan.ranked:
        row = plan.places[system.name]
        cells = [each for column in plan.board.columns for each in _numbers(score_of(system, column))]
        value = [] if plan.value_shown else [row.value, row.low, row.high]
        writer.writerow([no_formula(system.name), row.rank_low, row.rank_high, row.letters, *value, *cells])
    return file.getvalue()


def _ranking_title(plan: Plan) -> list[str]:
    """Return the title of the value that ranks, where it is not that of a column anyhow."""
    return [] if plan.value_shown else [value_title(plan)]


def _numbers(score: Score | None) -> list[float | None]:
    return [None] * 4 if score is None else [score.value, score.low, score.high, coverage(score)]


def no_formula(text: str) -> str:
    """Return a text that a spreadsheet takes for nothing but a text.

    >>> no_formula("=1+1"), no_formula("dense")
    ("'=1+1", 'dense')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def as_json(plan: Plan) -> str:
    """Return rule, columns and systems with their scores; a record of a board holds finite numbers only."""
    columns = [{"title": column.title, "better": column.better, "unit": column.unit} for column in plan.board.columns]
    systems = [_plain(plan, system) for system in plan.ranked]
    found = {"board": plan.board.name, "title": plan.board.title, "rank": plan.standings.rule, "columns": columns}
    return json.dumps({**found, "systems": systems}, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(plan: Plan, system: System) -> dict[str, object]:
    row = plan.places[system.name]
    found = {column.title: score_of(system, column) for column in plan.board.columns}
    scores = {title: _plain_score(score) for title, score in found.items() if score is not None}
    ranks = [row.rank_low, row.rank_high]
    value = {"value": row.value, "low": row.low, "high": row.high}
    return {"name": system.name, "ranks": ranks, "ties": row.letters, "baseline": system.baseline, **value, "scores": scores}


def _plain_score(score: Score) -> dict[str, object]:
    counts = {"samples": score.samples, "unmeasured": score.unmeasured, "errors": score.errors}
    return {"value": score.value, "low": score.low, "high": score.high, "coverage": coverage(score), **counts}


def as_markdown(plan: Plan) -> str:
    """Return a Markdown table: values with their intervals."""
    lines = [[markdown.escaped(cell) for cell in line] for line in _lines(plan, "–")]
    head, *rows = (f"| {' | '.join(line)} |" for line in lines)
    rule = f"| --- | --- |{' ---: |' * len([*_ranking_title(plan), *plan.board.columns])}"
    return "\n".join([head, rule, *rows, "", markdown.escaped(_caption(plan))]) + "\n"


def as_latex(plan: Plan) -> str:
    """Return a LaTeX table for the packages booktabs and fontspec."""
    head, *rows = (" & ".join(map(latex.escaped, line)) + r" \\" for line in _lines(plan, "–"))
    columns = "ll" + "r" * len([*_ranking_title(plan), *plan.board.columns])
    body = [r"\toprule", head, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}", f"% {_caption(plan)}"]) + "\n"


def _caption(plan: Plan) -> str:
    return " ".join(f"{plan.board.title}. Ranked {plan.standings.rule}. Intervals at 95 %.".split())


def _lines(plan: Plan, none: str) -> Iterator[list[str]]:
    ranking = [f"{title} {ARROWS[plan.board.rank.better]}" for title in _ranking_title(plan)]
    yield ["system", "rank", *ranking, *(f"{column.title} {ARROWS[column.better]}" for column in plan.board.columns)]
    for system in plan.ranked:
        row = plan.places[system.name]
        rank = f"{rank_text(row)} {row.letters}".strip()
        value = [] if plan.value_shown else [_value(row.value, row.low, row.high, none)]
        yield [system.name, rank, *value, *(_cell(score_of(system, column), none) for column in plan.board.columns)]


def _cell(score: Score | None, none: str) -> str:
    if score is None or score.value is None:
        return none
    share = coverage(score)
    return _value(score.value, score.low, score.high, none) + (f" on {100 * share:.0f} % of samples" if share < 1 else "")


def _value(value: float | None, low: float | None, high: float | None, none: str) -> str:
    interval = "" if low is None or high is None else f" ({number(low)} to {number(high)})"
    return none if value is None else f"{number(value)}{interval}"


FORMATS: Mapping[str, Callable[[Plan], str]] = {
    "table.csv": as_csv, "table.json": as_json, "table.md": as_markdown, "table.tex": as_latex,
}  # fmt: skip
