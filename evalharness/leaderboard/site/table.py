"""The board's table as its script reads it: one short list a row and a cell, since a thousand systems have many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evalharness.leaderboard.aligned import score_of
from evalharness.leaderboard.board import System
from evalharness.leaderboard.cells import coverage
from evalharness.leaderboard.columns import Column
from evalharness.leaderboard.site.plan import Plan, plain_column, value_title
from evalharness.leaderboard.standing import Standing
from evalharness.results.wording import notes
from evalharness.scoring import Score

_DIGITS = 6
_SHARE_DIGITS = 4


def table(plan: Plan) -> dict[str, Any]:
    """Return columns, rows and notes of the table. A cell is [value, low, high, coverage, errors, note], null without a record.

    The value that ranks is the first column, unless it is that of a column anyhow.

    A note is a place in the list of notes, -1 for none: most cells have none, and many have the same.
    """
    told: dict[str, int] = {}
    columns = [*_ranking_column(plan), *(_column(plan, column) for column in plan.board.columns)]
    rows = [_row(plan, system, told) for system in plan.ranked]
    return {"columns": columns, "rows": rows, "notes": list(told), "rule": plan.standings.rule}


def _ranking_column(plan: Plan) -> Iterator[dict[str, Any]]:
    if plan.value_shown:
        return
    ends = [end for row in plan.standings.rows for end in (row.low, row.value, row.high) if end is not None]
    extent = (min(ends), max(ends)) if ends else (0.0, 1.0)
    yield {"title": value_title(plan), "better": plan.board.rank.better, "unit": "", "extent": extent, "covered": 1.0}


def _ranking_cell(plan: Plan, place: Standing) -> Iterator[list[Any]]:
    if not plan.value_shown:
        yield [rounded(place.value), rounded(place.low), rounded(place.high), 1.0, 0, -1]


def _column(plan: Plan, column: Column) -> dict[str, Any]:
    covered = round(plan.covered[column.title], _SHARE_DIGITS)
    return {**plain_column(column), "extent": plan.extents[column.title], "covered": covered}


def _row(plan: Plan, system: System, told: dict[str, int]) -> dict[str, Any]:
    place = plan.places[system.name]
    bounds = None if place.bounds is None else [rounded(end) for end in place.bounds]
    return {
        "name": system.name, "slug": plan.slugs[system.name], "baseline": system.baseline,
        "ranks": [place.rank_low, place.rank_high], "letters": place.letters, "coverage": place.coverage, "bounds": bounds,
        "short": plan.wanting(system),
        "marks": list(place.marks), "cells": [*_ranking_cell(plan, place), *_cells(system, plan.board.columns, told)],
    }  # fmt: skip


def _cells(system: System, columns: Sequence[Column], told: dict[str, int]) -> list[Any]:
    scores = (score_of(system, column) for column in columns)
    return [None if score is None else _cell(score, told) for score in scores]


def _cell(score: Score, told: dict[str, int]) -> list[Any]:
    note = "; ".join(notes(score))
    number = told.setdefault(note, len(told)) if note else -1
    return [
        rounded(score.value),
        rounded(score.low),
        rounded(score.high),
        round(coverage(score), _SHARE_DIGITS),
        score.errors,
        number,
    ]


def rounded(value: float | None) -> float | None:
    """Return a number with six significant digits: more than any page shows."""
    return None if value is None else float(f"{value:.{_DIGITS}g}")
