"""When a run was made, as other formats want to know it."""

from __future__ import annotations

from datetime import datetime

from evalharness.results.record import Record


def epoch(record: Record) -> float | None:
    """Return when a run was made, in seconds since 1970 in UTC; None where the record does not say.

    A record states its time with the offset of the machine that wrote it, which need not be that of the one that reads.

    >>> from evalharness.results import Record
    >>> of = {"task": {}, "dataset": {}, "system": {}, "scores": {}}
    >>> [epoch(Record(**of, provenance={"created": time})) for time in ("1970-01-01T02:00:01+0200", "once")]
    [1.0, None]
    """
    try:
        return datetime.fromisoformat(str(record.provenance.get("created"))).timestamp()
    except ValueError:
        return None
