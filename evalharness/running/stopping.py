"""The samples of a run stage by stage, until its goal is reached: looking as often as one likes is allowed for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from evalharness.contract import Sample
from evalharness.data import SampleReader
from evalharness.results.samples import Scored
from evalharness.running.goals import Decision, Goal, bounded_means
from evalharness.running.pipeline import Row
from evalharness.running.staging import Order, stages
from evalharness.running.watching import DecisionWatch, Watch, WidthWatch
from evalharness.scoring import Chain, Score, seed_of
from evalharness.task import Task


class Stages(Protocol):
    """Which samples a run takes: one iteration after another, each followed by `add` of all that was measured in it."""

    def __iter__(self) -> Iterator[Any]:
        """Yield once a stage."""

    def samples(self) -> Iterable[Sample]:
        """Return the samples of the stage anew."""

    def add(self, rows: Sequence[Row], scored: Scored) -> None:
        """Take what was measured in one batch."""

    @property
    def taken(self) -> int:
        """How many samples were taken so far."""

    def applied(self, scores: Mapping[str, Score]) -> Mapping[str, Score]:
        """Return the scores as the record shows them."""

    def section(self) -> dict[str, Any] | None:
        """Return the record's section `stopping`."""


class Whole:
    """All samples in one stage: a run without a goal."""

    def __init__(self, reader: SampleReader) -> None:
        self.reader = reader

    def __iter__(self) -> Iterator[Any]:
        yield None

    def samples(self) -> Iterable[Sample]:
        """Return all samples."""
        return self.reader

    def add(self, rows: Sequence[Row], scored: Scored) -> None:
        """Watch nothing."""

    @property
    def taken(self) -> int:
        """How many samples there are."""
        return self.reader.count

    def applied(self, scores: Mapping[str, Score]) -> Mapping[str, Score]:
        """Return the scores as they are."""
        return scores

    def section(self) -> None:
        """Say nothing."""


class Stopping:
    """Whole groups in the task's order, in stages, with a look after each; the last is the one that reaches the goal.

    In memory are a number for each sample and each group, never the samples. `asked`: whether the system's model is
    asked for its responses, which makes a sample that is not taken save requests. Where `ended` says that nothing more
    may be asked, no more is taken.
    """

    def __init__(self, watch: Watch, task: Task, reader: SampleReader, *, asked: bool, ended: Callable[[], bool]) -> None:
        self.watch, self.task, self.reader, self.asked, self.ended = watch, task, reader, asked, ended
        self.reached, self.looks, self.stage = False, 0, range(0)

    def __iter__(self) -> Iterator[Any]:
        self.order = Order.of(self.reader, self.watch.seed, self.watch.only)
        self.watch.begin(self.order, self.task.repeats)
        for stage in stages(self.order.groups):
            self.stage = stage
            yield stage
            self.looks += 1
            self.reached = self.watch.look()
            if self.reached or self.ended():
                return

    def samples(self) -> Iterable[Sample]:
        """Return the samples of the stage, in the order of the data."""
        return itertools.compress(self.reader, self.order.mask(self.stage))

    def add(self, rows: Sequence[Row], scored: Scored) -> None:
        """Watch the values of one batch."""
        self.watch.add(rows, scored.measured[self.watch.entry.name])

    @property
    def taken(self) -> int:
        """How many samples were taken so far."""
        return int(self.order.sizes[: self.stage.stop].sum())

    def applied(self, scores: Mapping[str, Score]) -> Mapping[str, Score]:
        """Return the scores, the watched one with the interval of its sequence."""
        name = self.watch.goal.score
        return {**scores, name: self.watch.mean.applied(scores[name])}

    def section(self) -> dict[str, Any]:
        """Return the goal, whether it was reached, what was taken for it of the data, and what that saved.

        What another run does not hold would not have been asked anyway, and is not saved.
        """
        return {
            **self.watch.plain(), "reached": self.reached, "looks": self.looks,
            "samples": self.taken, "of_samples": self.order.of_samples,
            "groups": self.stage.stop, "of_groups": self.order.of_groups,
            "requests_saved": (self.order.samples - self.taken) * self.task.repeats if self.asked and not self.ended() else 0,
        }  # fmt: skip


def make_stages(
    goal: Goal | None, task: Task, chain: Chain, reader: SampleReader, *, asked: bool, ended: Callable[[], bool]
) -> Stages:
    """Return the stages of a run: one without a goal, otherwise as many as it takes.

    Raises DataError or UsageError where the run that a decision is against does not fit.
    """
    if goal is None:
        return Whole(reader)
    entry, seed = bounded_means(chain)[goal.score], seed_of(task.name, task.version, task.group)
    if isinstance(goal, Decision):
        watch: Watch = DecisionWatch(goal, entry, task, reader.dataset.digest(), seed)
    else:
        watch = WidthWatch(goal, entry, seed)
    return Stopping(watch, task, reader, asked=asked, ended=ended)
