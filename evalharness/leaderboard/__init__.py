"""Leaderboards: boards and their records, standings, and the site that shows them."""

from __future__ import annotations

from evalharness.leaderboard.board import Board, Submission, System, read_board
from evalharness.leaderboard.columns import Column, RankRule
from evalharness.leaderboard.standing import Standing, Standings, standings

__all__ = ["Board", "Column", "RankRule", "Standing", "Standings", "Submission", "System", "read_board", "standings"]
