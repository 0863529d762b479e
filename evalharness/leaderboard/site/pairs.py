"""What two systems are compared by in the browser: their scores, and how far chance parts each two of them.

Each system's file holds its spreads to the systems before it, so every pair is stored once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, islice
from typing import Any

from evalharness.comparison.pairs import line_of
from evalharness.comparison.results import Result
from evalharness.comparison.tallies import Stored, shared
from evalharness.contract import canonical
from evalharness.leaderboard.aligned import score_of
from evalharness.leaderboard.board import Submission, System
from evalharness.leaderboard.columns import Column
from evalharness.leaderboard.site.packing import packed
from evalharness.leaderboard.site.plan import Plan
from evalharness.scoring import Score

# Scores over different samples are compared over those of both, which takes a tenth of a second a pair and task.
MOST_SHARED = 500
Shared = dict[tuple[str, str], dict[str, list[Any]]]


def pair_files(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield for each system its name and what its file holds."""
    columns = plan.board.columns
    spreads = {column.title: plan.standings.spreads[column.title] for column in columns if plan.board.systems}
    uneven = _uneven(plan)
    for place, system in enumerate(plan.board.systems):
        rows = {title: packed(table[place, :place]) for title, table in spreads.items()}
        scores = {column.title: _plain(score) for column in columns if (score := score_of(system, column)) is not None}
        earlier = [other.name for other in plan.board.systems[:place]]
        both = {plan.slugs[name]: uneven[name, system.name] for name in earlier if (name, system.name) in uneven}
        yield system.name, {"scores": scores, "spreads": rows, "shared": both, "identities": _identities(system)}


def _identities(system: System) -> dict[str, str]:
    """Return by task what two records of the very same system share, where the record says what it is of."""
    found = {task: submission.record.system for task, submission in system.submissions.items()}
    return {task: canonical([plain.get("digest"), plain["identity"]]) for task, plain in found.items() if plain.get("identity")}


def _plain(score: Score) -> dict[str, Any]:
    return {
        "value": score.value, "low": score.low, "high": score.high, "groups": score.groups, "samples": score.samples,
        "range": score.range, "bounds": score.bounds, "reason": score.reason, "signature": score.signature,
        "generator": score.generator, "clustered": score.clustered, "fingerprint": score.fingerprint,
    }  # fmt: skip


def _uneven(plan: Plan) -> Shared:
    """Return the pairs of systems that have scores over different samples, compared over the samples of both.

    Boards with more such pairs than can be worked through have none; the page then says which samples differ.
    """
    found = list(islice(_different(plan), MOST_SHARED + 1))
    return {} if len(found) > MOST_SHARED else _compared(found)


Different = tuple[System, System, str, Sequence[Column]]


def _different(plan: Plan) -> Iterator[Different]:
    for task in plan.board.tasks:
        systems = [system for system in plan.board.systems if _measurable(system, task.name)]
        found = {column: [score_of(system, column) for system in systems] for column in plan.columns(task)}
        mixed = {column: scores for column, scores in found.items() if _over_several(scores)}
        for a, b in combinations(range(len(systems)), 2) if mixed else ():
            columns = [column for column, scores in mixed.items() if _differ(scores[a], scores[b])]
            if columns:
                yield systems[a], systems[b], task.name, columns


def _over_several(scores: Sequence[Score | None]) -> bool:
    """Return whether scores of one column are, as far as their fingerprints say, over different samples."""
    return len({(score.samples, score.fingerprint) for score in scores if score is not None and score.value is not None}) > 1


def _differ(a: Score | None, b: Score | None) -> bool:
    if a is None or b is None or a.value is None or b.value is None:
        return False
    return a.signature == b.signature and a.aligned(b) and not a.same_samples(b)


def _measurable(system: System, task: str) -> bool:
    return task in system.submissions and _result(system.submissions[task]).measurable


def _compared(found: Sequence[Different]) -> Shared:
    stored: dict[tuple[str, str], Stored] = {}
    lines: Shared = {}
    for a, b, task, columns in found:
        for system in (a, b):
            stored.setdefault((system.name, task), Stored(_result(system.submissions[task])))
        first, second = shared(stored[a.name, task], stored[b.name, task])
        own = lines.setdefault((a.name, b.name), {})
        for column in columns:
            own[column.title] = _shared_line(column.score, first, second)
    return lines


def _result(submission: Submission) -> Result:
    return Result(label=str(submission.record.system["name"]), folder=submission.folder, record=submission.record)


def _shared_line(name: str, a: Any, b: Any) -> list[Any]:
    """Return values, spread, groups, samples and the reason why there is no interval, over the samples of both."""
    one, two = a[0][name], b[0][name]
    found = line_of(name, (one, two), (a[1].get(name), b[1].get(name))).difference
    return [one.value, two.value, found.se, found.groups, one.samples, two.samples, found.reason]
