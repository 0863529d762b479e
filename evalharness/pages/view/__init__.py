"""One run as one page: scores, distributions, slices and every sample, readable without a network."""

from __future__ import annotations

from evalharness.pages.view.page import write_view

__all__ = ["write_view"]
