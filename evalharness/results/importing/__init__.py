"""Results of other harnesses as run folders, so that they can be shown, compared and exported as our own."""

from __future__ import annotations

from evalharness.results.importing.folder import import_results

__all__ = ["import_results"]
