"""Weights of local models: found by name, fetched once from pinned sources, verified, and known by their content."""

from __future__ import annotations

from evalharness.systems.weights.contents import content_digest
from evalharness.systems.weights.folders import Held, fetch, held, resolve, verify
from evalharness.systems.weights.sources import SOURCES, Source

__all__ = ["SOURCES", "Held", "Source", "content_digest", "fetch", "held", "resolve", "verify"]
