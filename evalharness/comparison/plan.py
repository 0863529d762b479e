"""What a task can show: the smallest detectable difference, and the samples that a wanted one needs, from past runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

from evalharness.comparison.pairs import line_of
from evalharness.comparison.results import Result, read_result
from evalharness.comparison.words import span_of, step_of
from evalharness.errors import EvalharnessError, UsageError
from evalharness.results.folder import RECORD
from evalharness.scoring import Score
from evalharness.scoring.power import detectable, samples_needed
from evalharness.task import Task

PAIRED, UNPAIRED = "paired", "as if unpaired"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What can be shown in one score: `detectable` with `samples` of the data; a `difference` needs `needed` of them.

    `coverage` is the share of samples that have a value of the score. `basis` says what the spread comes from: the median
    over the `pairs` of past runs or, with one run only, twice its own variance, as if two systems had nothing in common.
    """

    score: str
    samples: int
    coverage: float
    detectable: float
    difference: float
    needed: int
    basis: str
    pairs: int
    example: Score


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a task can show, score by score, and the runs that say so."""

    task: str
    runs: tuple[Path, ...]
    rows: tuple[Row, ...]


def past_runs(task: Task, folder: Path) -> list[Result]:
    """Return the finished runs of this very task below a folder, over the data of the newest one, one a system.

    Of several runs of a system that with the most samples is taken, then the newest. Runs of other tasks, runs that were
    stopped early and damaged ones are passed over.
    """
    found = sorted((result for path in sorted(folder.rglob(RECORD)) if (result := _usable(task, path))), key=_rank)
    if not found:
        return []
    data = max(found, key=_created).record.dataset.get("digest")
    by_system = {str(one.record.system.get("digest")): one for one in found if one.record.dataset.get("digest") == data}
    return sorted(by_system.values(), key=lambda one: one.folder)


def _usable(task: Task, path: Path) -> Result | None:
    try:
        result = read_result(path)
    except EvalharnessError:
        return None
    stopping = result.record.stopping
    early = stopping is not None and stopping["samples"] < stopping["of_samples"]
    return None if early or result.record.task.get("digest") != task.digest() else result


def _rank(result: Result) -> tuple[int, str]:
    return int(result.record.dataset.get("samples", 0)), _created(result)


def _created(result: Result) -> str:
    return str(result.record.provenance.get("created", ""))


def plan(task: Task, results: Sequence[Result], *, samples: int | None = None, difference: float | None = None) -> Plan:
    """Return what the spread of past runs says of `samples` samples (default: as many as they had) and a `difference`.

    The difference is in the unit of the score; by default one point, a hundredth of the range, or 1 % where it is open.
    Scores that cannot differ so much are left out; UsageError where none is left.
    """
    names = dict.fromkeys(name for one in results for name in one.record.scores)
    rows = tuple(row for name in names if (row := _row(name, results, samples, difference)) is not None)
    if difference is not None and not rows and plan(task, results, samples=samples).rows:
        raise UsageError(f"no score can differ by {difference:g}; the unit is that of the score: 0.02 is 2 points of a share")
    return Plan(task=task.name, runs=tuple(one.folder for one in results), rows=rows)


@dataclass(frozen=True)
class _Spread:
    """The standard error of a difference over some measured samples in some groups."""

    se: float
    groups: int
    samples: int


def _row(name: str, results: Sequence[Result], samples: int | None, difference: float | None) -> Row | None:
    scores = [one.record.scores[name] for one in results if name in one.record.scores]
    paired = list(_paired(name, results))
    found = paired or list(_alone(scores))
    if not found:
        return None
    example = next(score for score in scores if score.value is not None)
    coverage = median(score.samples / (score.samples + score.missing) for score in scores if score.samples)
    measured = median(one.samples for one in found)
    count = samples or max(int(one.record.dataset["samples"]) for one in results)
    wanted = difference or step_of(example, example)[0]
    if not 0 < wanted <= (span_of(example) or math.inf):
        return None
    se = median(one.se * one.samples**0.5 for one in found) / (count * coverage) ** 0.5
    df = max(1.0, median(one.groups for one in found) * count * coverage / measured - 1)
    needed = samples_needed(count, se, wanted)
    return Row(
        score=name, samples=count, coverage=coverage, detectable=detectable(se, df), difference=wanted, needed=needed,
        basis=PAIRED if paired else UNPAIRED, pairs=len(paired), example=example,
    )  # fmt: skip


def _paired(name: str, results: Sequence[Result]) -> Iterator[_Spread]:
    """Yield the spread of each pair of runs that differ in a score."""
    for a, b in combinations(results, 2):
        if name in a.record.scores and name in b.record.scores:
            scores = (a.record.scores[name], b.record.scores[name])
            found = line_of(name, scores, (a.replicates.get(name), b.replicates.get(name))).difference
            if found.se:
                yield _Spread(found.se, found.groups, min(score.samples for score in scores))


def _alone(scores: Sequence[Score]) -> Iterator[_Spread]:
    for score in scores:
        if score.se and score.groups > 1:
            yield _Spread(2**0.5 * score.se, score.groups, score.samples)
