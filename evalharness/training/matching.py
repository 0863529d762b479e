"""Whether a record is of what a training task says today: the same task, arm and trainer, on the same data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalharness import registry
from evalharness.contract import Dataset
from evalharness.data import read_samples
from evalharness.errors import shown
from evalharness.results.differing import differing
from evalharness.results.record import Record
from evalharness.task import TrainingTask


def data_of(task: TrainingTask) -> dict[str, Any]:
    """Return the digests of the task's data as they are now, named as those of a record."""
    train: Dataset = registry.build("dataset", task.train.source)
    return {"data": read_samples(task).dataset.digest(), "training data": train.digest()}


def changes(record: Record, task: TrainingTask, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is otherwise in a task of one arm, whatever its seeds, than when the record was made; `data` as `data_of`."""
    if record.task.get("digest") != task.digest():
        yield "the task is another one"
    was, now = (_seedless(spec) for spec in (record.system.get("spec", {}), task.system.plain()))
    yield from (f"{path} was {shown(one)} and is {shown(other)}" for path, one, other in differing(was, now))
    yield from (f"the {part} were others" for part, digest in record.data.items() if data[part] != digest)


def _seedless(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in ("seed", "seeds")}
