"""What the page of one system shows: its scores, slices, distributions, and how it was made and can be made again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyarrow import parquet

from evalharness.comparison.results import Result
from evalharness.comparison.tallies import Stored, slices
from evalharness.leaderboard.aligned import score_of
from evalharness.leaderboard.board import Submission, System
from evalharness.leaderboard.cells import bounds, coverage
from evalharness.leaderboard.columns import Column
from evalharness.leaderboard.site.plan import Plan
from evalharness.pages import charts
from evalharness.results.samples import read_json
from evalharness.results.values import Values
from evalharness.results.wording import notes, number
from evalharness.scoring import Score
from evalharness.task import Task
from evalharness.task.writing import plain_yaml

MOST_SLICES = 12
SLICED_COLUMNS = 6
MOST_HISTOGRAMS = 12


@dataclass(frozen=True, kw_only=True)
class Line:
    """One score of the system with all that must be known of it."""

    column: Column
    score: Score
    coverage: float
    short: bool
    bounds: tuple[float, float] | None
    notes: Sequence[str]
    extent: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Sliced:
    """Some scores by the values of one field: (value, samples, scores in the order of the columns)."""

    field: str
    columns: Sequence[Column]
    rows: Sequence[tuple[str, int, Sequence[Score]]]


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """The values of the samples in one score."""

    title: str
    text: str
    spec: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TaskPart:
    """What the page says of one task."""

    task: Task
    submission: Submission
    lines: Sequence[Line]
    slices: Sequence[Sliced]
    histograms: Sequence[Histogram]
    command: str
    spec: str


def parts(plan: Plan, system: System, values: Mapping[str, Values]) -> list[TaskPart]:
    """Return the parts of a system's page, one a task that it has a record of; `values` are those of its samples by task."""
    tasks = [task for task in plan.board.tasks if task.name in system.submissions]
    return [_part(plan, system, task, values.get(task.name)) for task in tasks]


def _part(plan: Plan, system: System, task: Task, values: Values | None) -> TaskPart:
    submission, columns = system.submissions[task.name], plan.columns(task)
    spec = {key: value for key, value in submission.record.system.get("spec", {}).items() if key != "identity"}
    return TaskPart(
        task=task,
        submission=submission,
        lines=list(_lines(plan, system, columns)),
        slices=list(_sliced(submission, columns)) if submission.has_texts else [],
        histograms=[] if values is None else list(_histograms(columns, values)),
        command=reproducing(str(submission.record.provenance.get("command") or "")) or _from_spec(task),
        spec=plain_yaml(spec) if spec else "",
    )


def _lines(plan: Plan, system: System, columns: Sequence[Column]) -> Iterator[Line]:
    for column in columns:
        score = score_of(system, column)
        if score is not None:
            yield Line(
                column=column, score=score, coverage=coverage(score), short=plan.short(score, column), bounds=bounds(score),
                notes=notes(score), extent=plan.extents[column.title],
            )  # fmt: skip


def _sliced(submission: Submission, columns: Sequence[Column]) -> Iterator[Sliced]:
    result = Result(label=str(submission.record.system["name"]), folder=submission.folder, record=submission.record)
    shown = [column for column in columns if column.score in submission.record.scores][:SLICED_COLUMNS]
    for field in _fields(submission):
        found = slices(Stored(result), field)
        rows = [(value, _samples(scores), [scores[column.score] for column in shown]) for value, (scores, _) in found.items()]
        yield Sliced(field=field, columns=shown, rows=rows)


def _samples(scores: Mapping[str, Score]) -> int:
    return max((score.samples + score.errors + sum(score.unmeasured.values()) for score in scores.values()), default=0)


def _fields(submission: Submission) -> list[str]:
    """Return the fields with few values, each of which several samples have."""
    assert submission.samples is not None
    texts = parquet.ParquetFile(submission.samples).read(columns=["fields"]).column("fields").to_pylist()
    seen: dict[str, set[str]] = {}
    for text in texts:
        for name, value in (read_json(text) if text else {}).items():
            if isinstance(value, (str, bool)):
                seen.setdefault(name, set()).add(str(value))
    most = min(MOST_SLICES, len(texts) // 2)
    return [name for name, values in sorted(seen.items()) if 1 < len(values) <= most]


def _histograms(columns: Sequence[Column], values: Values) -> Iterator[Histogram]:
    for column in columns[:MOST_HISTOGRAMS]:
        found = values.by_score.get(column.title)
        kept = None if found is None else found[np.isfinite(found)]
        if kept is not None and len(kept):
            text = f"{len(kept):,} samples, from {number(kept.min())} to {number(kept.max())}."
            yield Histogram(title=column.title, text=text, spec=charts.histogram(kept, column.unit or "value"))


def _from_spec(task: Task) -> str:
    """Return the command for a record that was made from Python: the system stands on the page."""
    return f"evalharness run {shlex.quote(task.path.name)} --system system.yaml  # the system below, saved under this name"


def reproducing(command: str) -> str:
    """Return the command that makes a record again: the one that made it, wherever it put its folder.

    >>> reproducing("evalharness run tasks/qa.yaml --out runs/mine --system bm25.yaml")
    'evalharness run tasks/qa.yaml --system bm25.yaml'
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    kept = [word for place, word in enumerate(words) if word != "--out" and words[place - 1 : place] != ["--out"]]
    return shlex.join(word for word in kept if not word.startswith("--out="))
