"""What a run leaves behind: the run folder, its record and its samples."""

from __future__ import annotations

from evalharness.results.record import Record, read_record

__all__ = ["Record", "read_record"]
