"""The columns of a board and the rule that ranks its systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]
RuleKind = Literal["by", "mean_win_rate", "bradley_terry"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a board's table: a score of one task.

    `title` is the score's name, with the task before it (`task/score`) where the board has several tasks. `range` holds the ends
    that the metric states, None for an open one.
    """

    task: str
    score: str
    title: str
    better: Better
    unit: str = ""
    range: tuple[float | None, float | None] | None = None


@dataclass(frozen=True, kw_only=True)
class RankRule:
    """How systems are ranked: by the mean of the columns, by mean win rate, or by Bradley-Terry strength over them."""

    kind: RuleKind
    columns: tuple[Column, ...]

    @property
    def better(self) -> Better:
        """Which values of the rule are better: win rates and strengths are so the higher they are."""
        return self.columns[0].better if self.kind == "by" else "higher"

    @property
    def words(self) -> str:
        """The rule in words."""
        names = ", ".join(column.title for column in self.columns)
        if self.kind == "by":
            return f"by {names}" if len(self.columns) == 1 else f"by the mean of {names}"
        what = "mean win rate" if self.kind == "mean_win_rate" else "Bradley-Terry strength"
        return f"by {what} over samples, in {names}"
