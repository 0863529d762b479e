"""Watches a score while the samples come in: its confidence sequence, and whether the goal of the run is reached."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from evalharness.errors import DataError, UsageError
from evalharness.results.folder import SAMPLES
from evalharness.results.record import Record, read_record
from evalharness.results.samples import read_batches
from evalharness.running.goals import Decision, Goal, Width, bounds
from evalharness.running.pipeline import ROWS_A_BATCH, Row
from evalharness.running.staging import Keys, Order, order_keys
from evalharness.scoring import Entry, Measured, Score, hash_keys
from evalharness.scoring.sequential import CELLS, BettingSequence
from evalharness.task import Task

Vector = NDArray[np.float64]

RULE = "confidence sequence"
ALPHA = 0.05
OUTSIDE = "a value lies outside the range that the metric states"


class Watched:
    """One mean under watch: rows come in as they are measured, and a look takes them in, group by group in their order."""

    def __init__(self, sequence: BettingSequence, seed: int) -> None:
        self.sequence, self.seed = sequence, seed
        self.reason: str | None = None
        self.groups = 0
        self._waiting: list[tuple[Keys, Vector]] = []

    def add(self, rows: Sequence[Row], values: Vector) -> None:
        """Take one value a row, NaN where there is none; all rows of a group must come before the next look."""
        self._waiting.append((order_keys(self.seed, [row.group for row in rows]), values))

    def look(self) -> None:
        """Take in the groups that are waiting."""
        keys = np.concatenate([np.empty(0, np.uint64), *(keys for keys, _ in self._waiting)])
        values = np.concatenate([np.empty(0), *(values for _, values in self._waiting)])
        self._waiting = []
        self.groups += len(np.unique(keys))
        keys, values = keys[~np.isnan(values)], values[~np.isnan(values)]
        if not len(keys) or self.reason is not None:
            return
        order = np.lexsort((values, keys))  # by value within a group, so that its sum has the same bits in any order
        starts = np.flatnonzero(np.concatenate([[True], keys[order][1:] != keys[order][:-1]]))
        try:
            self.sequence.add(np.add.reduceat(values[order], starts), np.diff(np.append(starts, len(keys))))
        except ValueError:
            self.reason = OUTSIDE

    @property
    def interval(self) -> list[float] | None:
        """The ends of the sequence; None where the values break the range that they should lie in."""
        return None if self.reason is not None else list(self.sequence.interval)

    def applied(self, score: Score) -> Score:
        """Return the score with the interval of the sequence, which allows for every look."""
        if score.value is None:
            return score
        low, high = self.interval or (None, None)
        return dataclasses.replace(score, low=low, high=high, interval=RULE if self.interval else None, reason=self.reason)


class Replay:
    """The watched score of a finished run that could stop early, watched again from what its record says of it.

    The difference from another run is not in the samples, and not repeated. `cell` is how far an end moves where a value
    is rounded otherwise.
    """

    def __init__(self, section: Mapping[str, Any], means: Mapping[str, Entry], seed: int) -> None:
        try:
            self.score, self.half = section["score"], section["half_width"]
            self.entry = means[self.score]
            self.watched = Watched(BettingSequence(*bounds(self.entry), within=self.half, **_plan(section)), seed)
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise DataError(f"the record's section 'stopping' is damaged: {type(error).__name__}: {error}") from error
        self.cell = 1.01 * self.watched.sequence.span / CELLS
        self._samples = 0

    def add(self, rows: Sequence[Row], measured: Mapping[str, Measured]) -> None:
        """Take what was measured in one batch."""
        self.watched.add(rows, measured[self.entry.name].values[self.score])
        self._samples += sum(row.repeat == 0 for row in rows)

    def applied(self, score: Score) -> Score:
        """Return the watched score with the interval of its sequence."""
        self.watched.look()
        return self.watched.applied(score)

    def found(self) -> dict[str, Any]:
        """Return what the record must say of it."""
        self.watched.look()
        found = {"interval": self.watched.interval, "samples": self._samples, "groups": self.watched.groups}
        return found if self.half is None else {**found, "reached": narrow(self.watched.interval, self.half)}


def _plan(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the bets of a record were planned; raises ValueError for what no run writes."""
    planned, largest, alpha = section["planned"], section["largest_group"], section["alpha"]
    if not ((planned is None or planned >= 1) and largest >= 1 and 0 < alpha < 1):
        raise ValueError(f"no plan of bets is planned={planned}, largest_group={largest}, alpha={alpha}")
    return {"planned": planned, "largest": largest, "alpha": alpha}


class Watch(ABC):
    """What watches the score of a goal; `only`: the groups that may be taken, None for all.

    A half width plans the bets for all groups of the data, or for as few as it takes; otherwise the interval of the score
    is planned for no moment in particular, since another sequence chooses the moment.
    """

    only: Keys | None = None
    half: float | None = None

    def __init__(self, goal: Goal, entry: Entry, seed: int) -> None:
        self.goal, self.entry, self.seed = goal, entry, seed

    def begin(self, order: Order, repeats: int) -> None:
        """Start to watch, now that the groups are known."""
        self.largest = int(order.sizes.max()) * repeats
        self.planned = None if self.half is None else order.groups
        plan: dict[str, Any] = {"planned": self.planned, "within": self.half, "largest": self.largest, "alpha": ALPHA}
        self.mean = Watched(BettingSequence(*bounds(self.entry), **plan), self.seed)

    def add(self, rows: Sequence[Row], values: Vector) -> None:
        """Take the values of a batch."""
        self.mean.add(rows, values)

    def look(self) -> bool:
        """Take in what was added, and return whether the goal is reached."""
        self.mean.look()
        return self.reached()

    @abstractmethod
    def reached(self) -> bool:
        """Return whether the goal is reached."""

    def plain(self) -> dict[str, Any]:
        """Return what the record says of the watch."""
        return {
            "goal": str(self.goal), "score": self.goal.score, "half_width": self.half, "alpha": ALPHA,
            "planned": self.planned, "largest_group": self.largest, "interval": self.mean.interval,
        }  # fmt: skip


class WidthWatch(Watch):
    """Watches a score until its interval is narrow enough."""

    def __init__(self, goal: Width, entry: Entry, seed: int) -> None:
        super().__init__(goal, entry, seed)
        self.half = goal.half

    def reached(self) -> bool:
        """Return whether the interval is as narrow as wanted."""
        return narrow(self.mean.interval, self.half)


class DecisionWatch(Watch):
    """Watches the difference of a score from that of another run until it is shown not to be 0."""

    def __init__(self, goal: Decision, entry: Entry, task: Task, data: str, seed: int) -> None:
        super().__init__(goal, entry, seed)
        self.against = _read_against(goal, entry, task, data, seed)
        self.only = self.against.groups

    def begin(self, order: Order, repeats: int) -> None:
        """Start to watch the score and the difference."""
        super().begin(order, repeats)
        plan: dict[str, Any] = {"planned": order.groups, "largest": self.largest, "alpha": ALPHA}
        self.difference = Watched(BettingSequence.paired(*bounds(self.entry), **plan), self.seed)

    def add(self, rows: Sequence[Row], values: Vector) -> None:
        """Take the values of a batch and their differences."""
        super().add(rows, values)
        self.difference.add(rows, values - self.against.values([row.sample.id for row in rows]))

    def look(self) -> bool:
        """Take in what was added, and return whether the difference is decided."""
        self.difference.look()
        return super().look()

    def reached(self) -> bool:
        """Return whether 0 is excluded."""
        return self.difference.reason is None and self.difference.sequence.excludes(0.0)

    def plain(self) -> dict[str, Any]:
        """Return what the record says of the watch, with the difference."""
        against = {"run": str(self.against.folder), "system": self.against.system}
        sequence = self.difference.sequence
        difference = {"value": sequence.mean, "interval": self.difference.interval, "samples": sequence.values}
        return {**super().plain(), "against": against, "difference": difference}


def narrow(interval: Sequence[float] | None, half: float | None) -> bool:
    """Return whether an interval reaches at most `half` to either side, but for rounding.

    >>> narrow([0.35, 0.39], 0.02), narrow([0.35, 0.3901], 0.02), narrow(None, 0.02)
    (True, False, False)
    """
    return interval is not None and half is not None and interval[1] - interval[0] <= 2 * half + 1e-9


@dataclass(frozen=True)
class Against:
    """The values of one score in another run by sample, the mean over its repeats, and the groups that it has taken."""

    folder: Path
    system: str
    groups: Keys
    _ids: Keys
    _values: Vector

    @classmethod
    def read(cls, folder: Path, record: Record, entry: Entry, score: str, seed: int) -> Self:
        """Return the values of a run's samples file."""
        ids, found, groups = [np.empty(0, np.uint64)], [np.empty(0)], [np.empty(0, np.uint64)]
        for columns, measured in read_batches(folder / SAMPLES, [entry], ROWS_A_BATCH, texts=("id", "group")):
            ids.append(hash_keys(columns["id"]))
            found.append(measured[entry.name].values[score])
            groups.append(order_keys(seed, columns["group"]))
        values = np.concatenate(found)
        measured_here = ~np.isnan(values)
        keys, rows = np.unique(np.concatenate(ids)[measured_here], return_inverse=True)
        means = np.bincount(rows, values[measured_here], len(keys)) / np.bincount(rows, minlength=len(keys))
        return cls(folder, str(record.system.get("name")), np.unique(np.concatenate(groups)), keys, means)

    def values(self, samples: Sequence[str]) -> Vector:
        """Return the value of each of these samples, NaN where there is none."""
        wanted = hash_keys(samples)
        known = np.isin(wanted, self._ids)
        values = np.full(len(wanted), np.nan)
        values[known] = self._values[np.searchsorted(self._ids, wanted[known])]
        return values


def _read_against(goal: Decision, entry: Entry, task: Task, data: str, seed: int) -> Against:
    """Return the values of the run to be compared with; raises an error where it is none of this task and data."""
    folder = goal.against
    if not (folder / SAMPLES).is_file():
        raise DataError(f"{folder} is no run with samples: it has no {SAMPLES}. Give the folder that 'evalharness run' wrote.")
    record = read_record(folder)
    if record.task.get("digest") != task.digest():
        other = f"'{record.task.get('name')}' version {record.task.get('version')}"
        raise UsageError(
            f"{folder} is a run of another task, {other} with the digest {record.task.get('digest')}; this is "
            f"'{task.name}' version {task.version} with the digest {task.digest()}. Run both from one task file."
        )
    if record.dataset.get("digest") != data:
        raise UsageError(f"{folder} was run on other data than the task reads now; run its system again, then this one")
    return Against.read(folder, record, entry, goal.score, seed)
