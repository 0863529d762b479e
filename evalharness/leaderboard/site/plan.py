"""What all pages of a site share: the board, its standings, and the file name of every system and task."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evalharness.leaderboard.aligned import score_of
from evalharness.leaderboard.board import Board, System
from evalharness.leaderboard.cells import coverage
from evalharness.leaderboard.columns import Column
from evalharness.leaderboard.names import DEVICES
from evalharness.leaderboard.standing import Standing, Standings
from evalharness.scoring import Score
from evalharness.task import Task

_LONGEST = 48


def slug(name: str) -> str:
    """Return a file name for any name: itself where it is one everywhere, otherwise what it has of one, and a digest.

    >>> slug("dense-smollm2"), slug("../../etc/passwd"), slug("<script>")
    ('dense-smollm2', 'etc-passwd-830a08e2', 'script-e3d10d30')
    """
    plain = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:_LONGEST].strip("-._")
    if plain == name and plain.partition(".")[0] not in DEVICES:
        return plain
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{plain}-{digest}" if plain else digest


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A board with its standings, as the pages look things up in them."""

    board: Board
    standings: Standings

    @cached_property
    def slugs(self) -> Mapping[str, str]:
        """The file name of each system, by its name."""
        return {system.name: slug(system.name) for system in self.board.systems}

    @cached_property
    def task_slugs(self) -> Mapping[str, str]:
        """The file name of each task, by its name."""
        return {task.name: slug(task.name) for task in self.board.tasks}

    @cached_property
    def systems(self) -> Mapping[str, System]:
        """The systems by name."""
        return {system.name: system for system in self.board.systems}

    @cached_property
    def places(self) -> Mapping[str, Standing]:
        """The standing of each system, by its name."""
        return {row.system: row for row in self.standings.rows}

    @cached_property
    def ranked(self) -> Sequence[System]:
        """The systems, best first."""
        return [self.systems[row.system] for row in self.standings.rows]

    @cached_property
    def extents(self) -> Mapping[str, tuple[float, float]]:
        """The lowest and the highest end of an interval in each column, by its title: what the bars are drawn on."""
        return {column.title: self._extent(column) for column in self.board.columns}

    def _extent(self, column: Column) -> tuple[float, float]:
        ends = [end for score in self._scores(column) for end in (score.low, score.value, score.high) if end is not None]
        return (min(ends), max(ends)) if ends else (0.0, 1.0)

    def _scores(self, column: Column) -> list[Score]:
        return [score for system in self.board.systems if (score := score_of(system, column)) and score.value is not None]

    @cached_property
    def covered(self) -> Mapping[str, float]:
        """The share of samples that the fullest score of each column covers, by its title: less may be the data's doing."""
        columns = (*self.board.columns, *self.board.rank.columns)
        return {column.title: max(map(coverage, self._scores(column)), default=1.0) for column in columns}

    def short(self, score: Score, column: Column) -> bool:
        """Return whether a score lost samples to errors, or covers less than the fullest one of its column."""
        return score.errors > 0 or coverage(score) < self.covered[column.title]

    def wanting(self, system: System) -> bool:
        """Return whether a system is not ranked, or falls short in what it is ranked by."""
        scores = [(score_of(system, column), column) for column in self.board.rank.columns]
        unranked = self.places[system.name].rank_low is None
        return unranked or any(score is not None and self.short(score, column) for score, column in scores)

    @property
    def value_shown(self) -> bool:
        """Whether the value that ranks is that of a column which the board shows."""
        rank = self.board.rank
        return rank.kind == "by" and len(rank.columns) == 1 and rank.columns[0] in self.board.columns

    def columns(self, task: Task) -> list[Column]:
        """Return the columns of one task."""
        return [column for column in self.board.columns if column.task == task.name]


def value_title(plan: Plan) -> str:
    """Return what the ranking value is, shortly: the score's name where one score ranks."""
    columns = plan.board.rank.columns
    if plan.board.rank.kind == "by" and len(columns) == 1:
        return f"{columns[0].title} ({columns[0].unit})" if columns[0].unit else columns[0].title
    return plan.standings.rule.removeprefix("by ").partition(", in ")[0]


def rank_text(row: Standing) -> str:
    """Return a set of ranks as people write it: `2`, `2-4`, or a dash where a system is not ranked."""
    if row.rank_low is None or row.rank_high is None:
        return "–"
    return str(row.rank_low) if row.rank_low == row.rank_high else f"{row.rank_low}-{row.rank_high}"


def plain_column(column: Column) -> dict[str, Any]:
    """Return a column as the scripts of the pages read it."""
    return {
        "task": column.task, "score": column.score, "title": column.title, "better": column.better, "unit": column.unit,
        "range": None if column.range is None else list(column.range),
    }  # fmt: skip
