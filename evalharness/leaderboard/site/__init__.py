"""The site of a board: static pages that open from `file://`, with their data, assets and downloads beside them."""

from __future__ import annotations

from evalharness.leaderboard.site.building import build

__all__ = ["build"]
