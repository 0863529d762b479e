"""Leaderboards: boards and their records, standings, and the site that shows them."""

from __future__ import annotations

from evalharness.leaderboard.board import Board, Submission, System, read_board
from evalharness.leaderboard.columns import Column, RankRule

__all__ = ["Board", "Column", "RankRule", "Submission", "System", "read_board"]
