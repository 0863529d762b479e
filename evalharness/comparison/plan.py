"""What a task can show: the smallest detectable difference, and the samples that a wanted one needs, from past runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

from evalharness.comparison.pairs import line_of
from evalharness.comparison.results import Result, read_result
from evalharness.comparison.words import step_of
from evalharness.errors import EvalharnessError
from evalharness.results.folder import RECORD
from evalharness.scoring import Score
from evalharness.scoring.power import detectable, samples_needed
from evalharness.task import Task

PAIRED, UNPAIRED = "paired", "as if unpaired"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What can be shown in one score: `detectable` with `samples` samples; a `difference` needs `needed` of them.

    `basis` says what the spread comes from: the median over the `pairs` of past runs or, with one run only, twice its
    own variance, as if the two systems had nothing in common.
    """

    score: str
    samples: int
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
    """Return the finished runs of this very task below a folder, one a system; others and damaged ones are passed over."""
    found: dict[tuple[str, str], Result] = {}
    for path in sorted(folder.rglob(RECORD)):
        try:
            result = read_result(path)
        except EvalharnessError:
            continue
        if result.record.task.get("digest") == task.digest():
            found[str(result.record.dataset.get("digest")), str(result.record.system.get("digest"))] = result
    newest = max((str(one.record.provenance.get("created", "")), data) for (data, _), one in found.items()) if found else ("", "")
    return [one for (data, _), one in found.items() if data == newest[1]]


def plan(task: Task, results: Sequence[Result], *, samples: int | None = None, difference: float | None = None) -> Plan:
    """Return what the spread of past runs says of `samples` samples (default: as many as they had) and a `difference`.

    The difference is in the unit of the score; by default one point, a hundredth of the range, or 1 % where it is open.
    """
    names = dict.fromkeys(name for one in results for name in one.record.scores)
    rows = (_row(name, results, samples, difference) for name in names)
    return Plan(task=task.name, runs=tuple(one.folder for one in results), rows=tuple(row for row in rows if row is not None))


@dataclass(frozen=True)
class _Spread:
    """The standard error of a difference over some samples."""

    se: float
    df: float
    samples: int


def _row(name: str, results: Sequence[Result], samples: int | None, difference: float | None) -> Row | None:
    scores = [one.record.scores[name] for one in results if name in one.record.scores]
    paired = list(_paired(name, results))
    found = paired or list(_alone(scores))
    if not found:
        return None
    example = next(score for score in scores if score.value is not None)
    per_sample = median(one.se * one.samples**0.5 for one in found)
    count, df = samples or int(median(one.samples for one in found)), median(one.df for one in found)
    wanted = difference or step_of(example, example)[0]
    if wanted <= 0:
        return None
    se = per_sample / count**0.5
    return Row(
        score=name, samples=count, detectable=detectable(se, df), difference=wanted,
        needed=samples_needed(count, se, wanted), basis=PAIRED if paired else UNPAIRED, pairs=len(paired), example=example,
    )  # fmt: skip


def _paired(name: str, results: Sequence[Result]) -> Iterator[_Spread]:
    """Yield the spread of each pair of runs that differ in a score."""
    for a, b in combinations(results, 2):
        if name in a.record.scores and name in b.record.scores:
            scores = (a.record.scores[name], b.record.scores[name])
            found = line_of(name, scores, (a.replicates.get(name), b.replicates.get(name))).difference
            if found.se and found.df:
                yield _Spread(found.se, found.df, min(score.samples for score in scores))


def _alone(scores: Sequence[Score]) -> Iterator[_Spread]:
    for score in scores:
        if score.se and score.groups > 1:
            yield _Spread(2**0.5 * score.se, score.groups - 1.0, score.samples)
