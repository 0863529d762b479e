"""A board: a folder with `board.yaml` and the records of its systems, read into frozen dataclasses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import DataError, Fault, FaultsFound
from evalharness.leaderboard.settings import Settings, read_settings
from evalharness.results.folder import RECORD, REPLICATES, SAMPLES
from evalharness.results.record import Record, read_record
from evalharness.task import Task, TrainingTask

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

BOARD, RECORDS, SITE = "board.yaml", "records", "site"
SEQUENTIAL = "its interval is that of a confidence sequence; run it again without --until: nothing is asked again"
TEXTS_LEFT_OUT = "texts_left_out"  # in the provenance of a record


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The record of one system on one task; `problems` say what keeps it from standing beside the others."""

    folder: Path
    record: Record
    problems: tuple[str, ...] = ()

    @property
    def samples(self) -> Path | None:
        """The file of its samples, None where there is none."""
        path = self.folder / SAMPLES
        return path if path.is_file() else None

    @property
    def has_texts(self) -> bool:
        """Whether the samples hold texts; without them scores are recomputed from statistics only."""
        return self.samples is not None and not self.record.provenance.get(TEXTS_LEFT_OUT)

    def replicates(self) -> dict[str, NDArray[numpy.float32]]:
        """Return the replicates by score name."""
        from evalharness.results.replicates import read_replicates

        return read_replicates(self.folder / REPLICATES)


@dataclass(frozen=True, kw_only=True)
class System:
    """One system of a board with its submissions by task name."""

    name: str
    submissions: Mapping[str, Submission]
    baseline: bool = False


@dataclass(frozen=True, kw_only=True)
class Board(Settings):
    """A leaderboard: what its file says, and the systems that were added, in the order of their names."""

    folder: Path
    systems: tuple[System, ...]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.resolve().name


def read_board(folder: str | Path) -> Board:
    """Return the board of a folder; raises FaultsFound with every fault of its file, its tasks and its records."""
    faults: list[Fault] = []
    board = read_what_is_there(Path(folder), faults)
    if faults:
        raise FaultsFound(faults)
    return board


def read_what_is_there(folder: Path, faults: list[Fault]) -> Board:
    """Return the board without the records that cannot be used, which are added to `faults`."""
    settings = read_settings(folder / BOARD)
    return Board(folder=folder, systems=_read_systems(folder, settings, faults), **vars(settings))


def _read_systems(folder: Path, settings: Settings, faults: list[Fault]) -> tuple[System, ...]:
    found: dict[str, dict[str, Submission]] = {}
    tasks = {task.name: task for task in settings.tasks}
    for path in sorted((folder / RECORDS).rglob(RECORD)):
        try:
            record = read_record(path)
            name, task = str(record.system["name"]), tasks.get(record.task["name"])
        except (DataError, KeyError) as error:
            faults.append(Fault(f"cannot be used: {error}", str(path)))
            continue
        if task is None:
            faults.append(Fault(_unknown_task(record, tasks), str(path)))
            continue
        own = found.setdefault(name, {})
        if task.name in own:
            faults.append(Fault(_double(name, task, own[task.name]), str(path)))
            continue
        problems = tuple(problems_of(record, task, path.parent))
        own[task.name] = Submission(folder=path.parent, record=record, problems=problems)
    return tuple(
        System(name=name, submissions=found[name], baseline=name in settings.baselines)
        for name in sorted(found, key=lambda name: (name.casefold(), name))
    )


def _unknown_task(record: Record, tasks: Mapping[str, Any]) -> str:
    return f"its task is '{record.task['name']}', which the board does not have. It has: {', '.join(tasks)}."


def _double(name: str, task: Task, other: Submission) -> str:
    return f"the system '{name}' has a record of '{task.name}' already, in {other.folder}; remove one of the two"


def problems_of(record: Record, task: Task, folder: Path) -> Iterator[str]:
    """Yield what keeps a record from standing beside others on this task, as far as the record itself shows it."""
    if record.task.get("digest") != task.digest():
        yield "it was made with another version of the task"
    if record.dataset.get("limit") is not None:
        yield f"it covers only the first {record.dataset['limit']:,} samples (--limit)"
    if record.stopping is not None:
        taken, every = record.stopping["samples"], record.stopping["of_samples"]
        yield f"it was stopped early, after {taken:,} of {every:,} samples" if taken < every else SEQUENTIAL
    if isinstance(task, TrainingTask):
        yield from _of_seeds(record, task)
    if not (folder / REPLICATES).is_file():
        yield f"it has no {REPLICATES}"


def _of_seeds(record: Record, task: TrainingTask) -> Iterator[str]:
    """Yield where a record is not that of an arm with all seeds of the task."""
    if record.seeds is None:
        yield "it is of one seed; add the folder of its arm, which is above it and has all seeds"
        return
    absent = [str(seed) for seed in task.seeds if seed not in record.seeds["seeds"]]
    more = [str(seed) for seed in record.seeds["seeds"] if seed not in task.seeds]
    if more:
        yield f"it has seed {', '.join(more)}, which the task has not; remove its folder and run the task again"
    if absent:
        yield f"it lacks seed {', '.join(absent)} of the task; train it: evalharness run {task.path} --seed {absent[0]}"
