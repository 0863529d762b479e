"""Finished runs as a comparison reads them, and whether they may be compared at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from evalharness.errors import DataError, EvalharnessError, shown
from evalharness.results import Record, read_record
from evalharness.results.differing import differing
from evalharness.results.folder import REPLICATES, SAMPLES, TASK, folder_of
from evalharness.results.replicates import read_replicates

_KEYS_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Result:
    """One finished run: its record, and what lies beside it. `label` tells it from the others, by default the system's name."""

    label: str
    folder: Path
    record: Record

    @cached_property
    def replicates(self) -> Mapping[str, NDArray[Any]]:
        """The replicates by score name; empty where the record stands alone."""
        path = self.folder / REPLICATES
        return read_replicates(path) if path.is_file() else {}

    @property
    def samples(self) -> Path | None:
        """The samples file, where there is one."""
        path = self.folder / SAMPLES
        return path if path.is_file() else None

    @cached_property
    def repeats(self) -> int | None:
        """How often each sample was answered; None where the task does not lie beside the record."""
        from evalharness.task import load_task

        try:
            return load_task(self.folder / TASK).repeats
        except EvalharnessError:
            return None

    @property
    def measurable(self) -> bool:
        """Whether its samples can be added up anew: the task that measured them is there, as an imported run has none."""
        return self.samples is not None and (self.folder / TASK).is_file()


def read_result(path: str | Path) -> Result:
    """Return the result in a run folder, or of a record file with what lies beside it; DataError where there is none."""
    place = Path(path)
    record = read_record(place)
    folder = folder_of(place)
    return Result(label=str(record.system.get("name", folder.name)), folder=folder, record=record)


def read_results(paths: Sequence[str | Path]) -> list[Result]:
    """Return the results of some runs on one task, each under a label of its own; raises DataError where they differ."""
    results = _labelled([read_result(path) for path in paths])
    for other in results[1:]:
        refuse_unlike(results[0], other)
    return results


def _labelled(results: Sequence[Result]) -> list[Result]:
    """Return the results with different labels: systems of one name are told apart by their folders, or by number."""
    names = Counter(result.label for result in results)
    named = [replace(one, label=_with_folder(one)) if names[one.label] > 1 else one for one in results]
    again = Counter(result.label for result in named)
    return [
        replace(one, label=f"{one.label} #{place}") if again[one.label] > 1 else one for place, one in enumerate(named, start=1)
    ]


def _with_folder(result: Result) -> str:
    folder = result.folder.name
    return result.label if folder == result.label else f"{result.label} ({folder})"


def same_system(a: Result, b: Result) -> bool:
    """Return whether both are of the very same system, which differs from itself by nothing."""
    one, two = a.record.system, b.record.system
    return bool(one.get("identity")) and (one.get("digest"), one["identity"]) == (two.get("digest"), two.get("identity"))


def refuse_unlike(a: Result, b: Result) -> None:
    """Raise DataError, which names the difference, where two results are of other tasks or over other data."""
    first, second = a.record, b.record
    if first.task.get("digest") != second.task.get("digest"):
        raise DataError(f"{a.folder} and {b.folder} are of different tasks: {_task_difference(a, b)}")
    for part in sorted(first.data.keys() & second.data.keys()):
        if first.data[part] != second.data[part]:
            raise DataError(
                f"{a.folder} and {b.folder} are over different {part}: the digests are {first.data[part]} and "
                f"{second.data[part]}. Run the older one again on the data of today."
            )


def _task_difference(a: Result, b: Result) -> str:
    told = [f"{key} is {shown(one)} and {shown(two)}" for key, one, two in differing(_plain_task(a), _plain_task(b))]
    if not told:
        digests = f"their digests are {a.record.task.get('digest')} and {b.record.task.get('digest')}"
        return (
            f"{digests}, which two versions of evalharness may give one task; run both again (stored answers are not asked again)"
        )
    more = f", and {len(told) - _KEYS_SHOWN} more" if len(told) > _KEYS_SHOWN else ""
    return "; ".join(told[:_KEYS_SHOWN]) + more


def _plain_task(result: Result) -> dict[str, Any]:
    """Return what defines a result's task: the file in its folder or, without one, what the record says."""
    from evalharness.task import load_task

    named = {"name": result.record.task.get("name"), "version": result.record.task.get("version")}
    try:
        plain = load_task(result.folder / TASK).plain()
    except EvalharnessError:
        return named
    return {key: value for key, value in plain.items() if key not in ("system", "description", "repeats")}
