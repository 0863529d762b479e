"""The arms of a training task as their run folders hold them, task by task where the file varies something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from evalharness.comparison import Result, read_result
from evalharness.data import data_digests
from evalharness.errors import DataError, Fault
from evalharness.results import Record
from evalharness.results.curves import Curve, curves_of
from evalharness.results.folder import RECORD
from evalharness.task import TrainingTask, load_training
from evalharness.task.strict_yaml import read_file
from evalharness.task.varying import labels
from evalharness.training.matching import changes


@dataclass(frozen=True)
class Case:
    """One task of the file with its arms that have been run, in the order of the file; `labels` tell it from the others.

    `sets` holds what `vary` sets in it: numbers as they are, everything else by its label.
    """

    task: TrainingTask
    arms: Mapping[str, Result]
    sets: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """What tells the task from others of the file, one label an axis."""
        return self.task.labels

    def record(self, arm: str) -> Record:
        """Return the record of an arm."""
        return self.arms[arm].record

    @cached_property
    def curves(self) -> dict[str, dict[int, dict[str, Curve]]]:
        """What was logged in training, by arm, seed and name; arms without curves are left out."""
        found = {name: curves_of(result.folder) for name, result in self.arms.items()}
        return {name: seeds for name, seeds in found.items() if seeds}


@dataclass(frozen=True)
class Study:
    """A training task and all that was found of it below a folder; `missing` names arms and seeds without a record."""

    path: Path
    root: Path
    cases: tuple[Case, ...]
    missing: tuple[str, ...]

    @property
    def task(self) -> TrainingTask:
        """The first task of the file."""
        return self.cases[0].task

    @property
    def arms(self) -> list[str]:
        """The arms of which at least one has been run, in the order of the file."""
        return [arm.name for arm in self.task.arms if any(arm.name in case.arms for case in self.cases)]

    @cached_property
    def first(self) -> Record:
        """The record of the first arm that was found."""
        return next(result.record for case in self.cases for result in case.arms.values())

    @property
    def scores(self) -> list[str]:
        """The scores of what was trained, without those from before training."""
        return self.first.trained_scores


def read_study(path: str | Path, runs: str | Path | None = None) -> Study:
    """Return a training task with the records of its arms below `runs`, by default where `evalharness run` puts them.

    Raises FaultsFound for a task that is not valid, DataError where nothing was run or a record is of another task.
    """
    tasks = load_training(path)
    root = Path(runs) if runs is not None else Path("runs", tasks[0].study)
    varied = _varied(Path(path))
    cases = tuple(Case(task, dict(_arms(task, root)), _sets(varied, task.labels)) for task in tasks)
    if not any(case.arms for case in cases):
        elsewhere = "" if runs is None else f" --out {root}"
        raise DataError(f"{root} holds no finished arm of {path}. Train them first: evalharness run {path}{elsewhere}")
    missing = tuple(name for case in cases for name in _missing(case))
    return Study(Path(path), root, tuple(case for case in cases if case.arms), missing)


def _arms(task: TrainingTask, root: Path) -> Iterator[tuple[str, Result]]:
    """Yield the arms that have a record; raises DataError for one of another task, arm or data than the file has now."""
    data = data_digests(task)
    for arm in task.arms:
        folder = root.joinpath(*task.labels, arm.name)
        if (folder / RECORD).is_file():
            result = read_result(folder)
            told = list(changes(result.record, task.of(arm.name, task.seeds), data))
            if told:
                raise DataError(f"{folder} is not what {task.path} says now: {'; '.join(told)}. Run it again")
            yield arm.name, result


def _missing(case: Case) -> Iterator[str]:
    """Yield the arms without a record, and the seeds that are not in one."""
    for arm in case.task.arms:
        name = "/".join([*case.labels, arm.name])
        if arm.name not in case.arms:
            yield name
            continue
        found = (case.record(arm.name).seeds or {"seeds": ()})["seeds"]
        absent = [str(seed) for seed in case.task.seeds if seed not in found]
        more = [str(seed) for seed in found if seed not in case.task.seeds]
        if more:
            folder = case.arms[arm.name].folder
            raise DataError(
                f"{folder} has seed {', '.join(more)}, which {case.task.path} has not; remove it, and run the task again"
            )
        if absent:
            yield f"{name} seed {', '.join(absent)}"


def _varied(path: Path) -> dict[str, list[Any]]:
    """Return what `vary` tries by key, as the file writes it."""
    faults: list[Fault] = []
    root = read_file(path, faults).value()
    return dict(root.get("vary") or {})


def _sets(varied: Mapping[str, Sequence[Any]], chosen: Sequence[str]) -> dict[str, float | str]:
    """Return what is set where these labels are chosen; values that are all plain mappings set a key of their own each."""
    found: dict[str, float | str] = {}
    for (key, values), label in zip(varied.items(), chosen, strict=False):
        value = values[labels(values).index(label)]
        parts = value if all(map(_is_flat, values)) else {"": value}
        for name, part in parts.items():
            found[f"{key}.{name}".rstrip(".")] = float(part) if _is_number(part) else label if part is value else str(part)
    return found


def _is_flat(value: Any) -> bool:
    return isinstance(value, dict) and not any(isinstance(part, (dict, list)) for part in value.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
