"""Whether a record is of what a training task says today: the same task, arm and trainer, on the same data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalharness.errors import shown
from evalharness.results.differing import differing
from evalharness.results.record import Record
from evalharness.task import TrainingTask


def changes(record: Record, task: TrainingTask, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is otherwise in a task of one arm than when the record was made, whatever the seeds; `data` are digests now."""
    if record.task.get("digest") != task.digest():
        yield "the task is another one"
    was, now = (_seedless(spec) for spec in (record.system.get("spec", {}), task.system.plain()))
    yield from (f"{path} was {shown(one)} and is {shown(other)}" for path, one, other in differing(was, now))
    yield from (f"the {part} were others" for part, digest in record.data.items() if data[part] != digest)


def _seedless(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in ("seed", "seeds")}
