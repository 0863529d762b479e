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
from evalharness.scoring.measuring import ERROR, FAILED
from evalharness.scoring.sequential import CELLS, BettingSequence
from evalharness.task import Task

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

RULE = "confidence sequence"
ALPHA = 0.05
OUTSIDE = "a value lies outside the range that the metric states"


class Watched:
    """One mean under watch: rows come in as they are measured, and a look takes them in, group by group in their order.

    What is lost may lie anywhere in the range, and widens the interval by its share, as it does the bounds of a score.
    """

    def __init__(self, sequence: BettingSequence, seed: int) -> None:
        self.sequence, self.seed = sequence, seed
        self.reason: str | None = None
        self.groups = self.lost = 0
        self._waiting: list[tuple[Keys, Vector]] = []

    def add(self, rows: Sequence[Row], values: Vector, lost: Mask) -> None:
        """Take one value a row, NaN where there is none or it is lost; a group's rows must all come before the next look."""
        self.lost += int(lost.sum())
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
        """The ends of the sequence, with what is lost at the one end of the range and at the other.

        None where the values break the range that they should lie in.
        """
        if self.reason is not None:
            return None
        (low, high), sequence = self.sequence.interval, self.sequence
        share = self.lost / (self.lost + sequence.values) if self.lost else 0.0
        return [(1 - share) * low + share * sequence.low, (1 - share) * high + share * sequence.high]

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
        found = measured[self.entry.name]
        self.watched.add(rows, found.values[self.score], lost_rows(found))
        self._samples += sum(row.repeat == 0 for row in rows)

    def applied(self, score: Score) -> Score:
        """Return the watched score with the interval of its sequence."""
        self.watched.look()
        return self.watched.applied(score)

    def found(self) -> dict[str, Any]:
        """Return what the record must say of it."""
        self.watched.look()
        watched = self.watched
        found = {
            "interval": watched.interval, "lost": watched.lost, "samples": self._samples, "groups": watched.groups
        }  # fmt: skip
        return found if self.half is None else {**found, "reached": narrow(self.watched.interval, self.half)}


def _plan(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the bets of a record were planned; raises ValueError for what no run writes."""
    planned, largest, alpha = section["planned"], section["largest_group"], section["alpha"]
    if not ((planned is None or planned >= 1) and largest >= 1 and 0 < alpha < 1):
        raise ValueError(f"no plan of bets is planned={planned}, largest_group={largest}, alpha={alpha}")
    return {"planned": planned, "largest": largest, "alpha": alpha}


class Watch(ABC):
    """What watches the score of a goal; `only`: the hashes of the samples that may be taken, None for all.

    A half width plans the bets for all groups of the data, or for as few as it takes; otherwise the interval of the score
    is planned for no moment in particular, since another sequence chooses the moment.
    """

    only: Keys | None = None
    half: float | None = None

    def __init__(self, goal: Goal, entry: Entry, seed: int) -> None:
        self.goal, self.entry, self.seed = goal, entry, seed

    def begin(self, order: Order, repeats: int) -> None:
        """Start to watch, now that the groups are known; raises UsageError where nothing can be taken."""
        self.largest = int(order.sizes.max()) * repeats
        self.planned = None if self.half is None else order.groups
        plan: dict[str, Any] = {"planned": self.planned, "within": self.half, "largest": self.largest, "alpha": ALPHA}
        self.mean = Watched(BettingSequence(*bounds(self.entry), **plan), self.seed)

    def add(self, rows: Sequence[Row], measured: Measured) -> None:
        """Take what was measured in a batch."""
        self.mean.add(rows, measured.values[self.goal.score], lost_rows(measured))

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
            "planned": self.planned, "largest_group": self.largest, "interval": self.mean.interval, "lost": self.mean.lost,
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
        self.against = _read_against(goal, entry, task, data)
        self.only = self.against.held

    def begin(self, order: Order, repeats: int) -> None:
        """Start to watch the score and the difference."""
        if not order.groups:
            raise UsageError(f"the goal '{self.goal}' cannot be reached: the two runs have no sample in common")
        super().begin(order, repeats)
        self.shared = {"shared_samples": order.samples, "shared_groups": order.groups}
        plan: dict[str, Any] = {"planned": order.groups, "largest": self.largest, "alpha": ALPHA}
        self.difference = Watched(BettingSequence.paired(*bounds(self.entry), **plan), self.seed)

    def add(self, rows: Sequence[Row], measured: Measured) -> None:
        """Take what was measured in a batch, and the differences; one is lost where either of its values is."""
        super().add(rows, measured)
        values, lost = self.against.look_up([row.sample.id for row in rows])
        self.difference.add(rows, measured.values[self.goal.score] - values, lost_rows(measured) | lost)

    def look(self) -> bool:
        """Take in what was added, and return whether the difference is decided."""
        self.difference.look()
        return super().look()

    def reached(self) -> bool:
        """Return whether 0 is excluded."""
        interval = self.difference.interval
        return interval is not None and not interval[0] <= 0 <= interval[1]

    def plain(self) -> dict[str, Any]:
        """Return what the record says of the watch, with the difference."""
        against = {"run": str(self.against.folder), "system": self.against.system, **self.shared}
        watched, sequence = self.difference, self.difference.sequence
        found = {"value": sequence.mean, "interval": watched.interval, "samples": sequence.values, "lost": watched.lost}
        return {**super().plain(), "against": against, "difference": found}


def narrow(interval: Sequence[float] | None, half: float | None) -> bool:
    """Return whether an interval reaches at most `half` to either side, but for rounding.

    >>> narrow([0.35, 0.39], 0.02), narrow([0.35, 0.3901], 0.02), narrow(None, 0.02)
    (True, False, False)
    """
    return interval is not None and half is not None and interval[1] - interval[0] <= 2 * half + 1e-9


def lost_rows(measured: Measured) -> Mask:
    """Return which rows have no value because of errors, or of failures of the system that are left out."""
    return np.array([status is not None and status.startswith((ERROR, FAILED)) for status in measured.statuses], bool)


@dataclass(frozen=True)
class Against:
    """The values of one score in another run by sample, the mean over its repeats; `held`: all that it has taken.

    A sample is lost there if it has no value and one of its repeats was lost.
    """

    folder: Path
    system: str
    held: Keys
    _lost: Keys
    _ids: Keys
    _values: Vector

    @classmethod
    def read(cls, folder: Path, record: Record, entry: Entry, score: str) -> Self:
        """Return the values of a run's samples file."""
        parts: list[tuple[Keys, Vector, Mask]] = [(np.empty(0, np.uint64), np.empty(0), np.empty(0, bool))]
        for columns, measured in read_batches(folder / SAMPLES, [entry], ROWS_A_BATCH, texts=("id",)):
            found = measured[entry.name]
            parts.append((hash_keys(columns["id"]), found.values[score], lost_rows(found)))
        ids, values, lost = map(np.concatenate, zip(*parts, strict=True))
        known = ~np.isnan(values)
        keys, rows = np.unique(ids[known], return_inverse=True)
        means = np.bincount(rows, values[known], len(keys)) / np.bincount(rows, minlength=len(keys))
        return cls(folder, str(record.system.get("name")), np.unique(ids), np.setdiff1d(ids[lost], keys), keys, means)

    def look_up(self, samples: Sequence[str]) -> tuple[Vector, Mask]:
        """Return the value of each of these samples, NaN where there is none, and whether it was lost."""
        wanted = hash_keys(samples)
        known = np.isin(wanted, self._ids)
        values = np.full(len(wanted), np.nan)
        values[known] = self._values[np.searchsorted(self._ids, wanted[known])]
        return values, np.isin(wanted, self._lost)


def _read_against(goal: Decision, entry: Entry, task: Task, data: str) -> Against:
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
    return Against.read(folder, record, entry, goal.score)
