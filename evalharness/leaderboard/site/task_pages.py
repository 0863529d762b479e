"""What the page of one task shows: what is asked, of which data, and what each score of the board means."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

from evalharness import registry
from evalharness.errors import FaultsFound
from evalharness.leaderboard.columns import Column
from evalharness.leaderboard.site.plan import Plan
from evalharness.running.parts import build_chain
from evalharness.scoring import Entry
from evalharness.task import Task
from evalharness.task.writing import plain_yaml, task_yaml

_PASSAGES = {"contexts", "relevant"}


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """A metric of the task in words, and the scores that it gives."""

    name: str
    scores: Sequence[str]
    text: str
    better: str
    unit: str
    range: str
    cite: str
    on_board: bool


@dataclass(frozen=True, kw_only=True)
class TaskPage:
    """A task with the meanings of its scores, and its file in full."""

    task: Task
    columns: Sequence[Column]
    meanings: Sequence[Meaning]
    source: str
    yaml: str
    samples: int
    digest: str


def page(plan: Plan, task: Task) -> TaskPage:
    """Return what the page of a task shows."""
    columns = plan.columns(task)
    counts = [system.submissions[task.name].record.dataset for system in plan.board.systems if task.name in system.submissions]
    return TaskPage(
        task=task,
        columns=columns,
        meanings=[_meaning(entry, {column.score for column in columns}) for entry in _entries(task)],
        source=plain_yaml(task.dataset.source.plain()).strip(),
        yaml=task_yaml(task),
        samples=max((int(dataset.get("samples") or 0) for dataset in counts), default=0),
        digest=task.digest(),
    )


def _entries(task: Task) -> Sequence[Entry]:
    """Return the metrics of a task; none where a plugin is not installed, which the board's columns then say."""
    try:
        return build_chain(task, registry.installed()).entries
    except FaultsFound:
        return ()


def scores_of_passages(task: Task) -> set[str]:
    """Return the scores that are measured on passages, which a reader must see to understand them."""
    return {score for entry in _entries(task) if _PASSAGES & set(entry.metric.reads) for score in entry.scores}


def _meaning(entry: Entry, shown: set[str]) -> Meaning:
    metric = entry.metric
    text = (inspect.getdoc(type(metric)) or "").partition("\n\n")[0].replace("\n", " ").replace("`", "")
    return Meaning(
        name=entry.name, scores=entry.scores, text=text, better=metric.better, unit=metric.unit,
        range=_range(metric.range), cite=str(getattr(metric, "cite", "") or ""), on_board=bool(shown & set(entry.scores)),
    )  # fmt: skip


def _range(ends: tuple[float | None, float | None] | None) -> str:
    """Return a range in words.

    >>> _range((0, 1)), _range((0, None)), _range(None)
    ('0 to 1', 'from 0', 'any number')
    """
    low, high = ends or (None, None)
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"from {low:g}" if low is not None else f"up to {high:g}" if high is not None else "any number"
