"""Compares finished runs on one task, pair by pair and all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.comparison.pairs import Line, Pair, judged, line_of
from evalharness.comparison.results import Result, read_results, same_system
from evalharness.comparison.values import Change, changes, common, count
from evalharness.errors import UsageError, nearest
from evalharness.results.values import Values, read_values
from evalharness.scoring import Score
from evalharness.scoring.families import benjamini_hochberg, holm
from evalharness.scoring.ranks import rank, tie_groups

if TYPE_CHECKING:
    from evalharness.comparison.tallies import Part

FEW_GROUPS = 50
CHANGES_SHOWN = 5
OTHER_SAMPLES = "not all systems are over the same samples; a pair is compared over those that both measured"
STOPPED = "{} was stopped early; intervals and p-values of a pair do not allow for looking on the way"
EXACT_NEEDS = "with {} groups only, the exact label-swap test is worth a look; it needs the samples of both runs"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """All systems in one score: simultaneous rank sets, and the letters of the groups that cannot be told apart.

    `ranks`, `letters` and `better` (which of them is significantly better than which) stand in the order of `systems`;
    `left_out` names the others, with the reason.
    """

    score: str
    systems: tuple[str, ...]
    ranks: tuple[tuple[int, int], ...] = ()
    letters: tuple[str, ...] = ()
    better: tuple[tuple[bool, ...], ...] = ()
    left_out: Mapping[str, str]
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Finished runs on one task compared: every pair, in the order given, and for more than two a standing a score."""

    task: str
    group: bool
    by: str | None
    results: tuple[Result, ...]
    pairs: tuple[Pair, ...]
    standings: tuple[Standing, ...]

    def pair(self, a: str, b: str) -> Pair:
        """Return the pair of two systems by their labels, in the order in which they were given."""
        return next(pair for pair in self.pairs if (pair.a, pair.b) == (a, b))

    def plain(self) -> dict[str, Any]:
        """Return the comparison as JSON knows it."""
        systems = [
            {"label": one.label, "folder": str(one.folder), "digest": one.record.system.get("digest")} for one in self.results
        ]
        pairs = [pair.plain() for pair in self.pairs]
        return {"task": self.task, "systems": systems, "pairs": pairs, "standings": [asdict(one) for one in self.standings]}


def compare(
    first: str | Path, second: str | Path, *others: str | Path, scores: Sequence[str] = (), by: str | None = None
) -> Comparison:
    """Return the paired comparison of run folders or records of one task, each later one against each earlier one.

    `scores` restricts the family of tests; by default all scores that the runs share. `by` names a field of the samples
    to slice by. Raises DataError where the runs are of different tasks or data, UsageError for an unknown score or field.
    """
    results = read_results([first, second, *others])
    names = _names(results, scores)
    sides = [_Side(result, names) for result in results]
    pairs = tuple(_pair(a, b, names, by) for a, b in combinations(sides, 2))
    standings = tuple(_standing(sides, name) for name in names) if len(sides) > 2 else ()
    record = results[0].record
    clustered = any(score.clustered for score in record.scores.values())
    return Comparison(
        task=str(record.task["name"]), group=clustered, by=by, results=tuple(results), pairs=pairs, standings=standings
    )


def _names(results: Sequence[Result], wanted: Sequence[str]) -> list[str]:
    shared = [name for name in results[0].record.scores if all(name in one.record.scores for one in results)]
    for name in wanted:
        if name not in shared:
            raise UsageError(
                f"no score that all runs have is called '{name}'.{nearest(name, shared)} They are: {', '.join(shared)}."
            )
    return list(dict.fromkeys(wanted)) or shared


@dataclass(frozen=True)
class _Side:
    """One system of a comparison; what is dear to read is read once."""

    result: Result
    names: Sequence[str]

    @cached_property
    def values(self) -> Values | None:
        """The values of its samples, where they are there."""
        path = self.result.samples
        return None if path is None else read_values(path, self.names)

    def line(self, other: _Side, name: str) -> Line:
        """Return the line of one score from the two records."""
        a, b = self.result, other.result
        line = line_of(name, (a.record.scores[name], b.record.scores[name]), (a.replicates.get(name), b.replicates.get(name)))
        if line.difference.se == 0 and line.difference.value == 0 and same_system(a, b):
            return replace(line, difference=replace(line.difference, low=0.0, high=0.0))
        return line


def _pair(a: _Side, b: _Side, names: Sequence[str], by: str | None) -> Pair:
    told = _stopped(a.result, b.result)
    lines = [replace(line, notes=(*line.notes, *told)) for line in _with_samples(a, b, [a.line(b, name) for name in names])]
    changed: Mapping[str, Sequence[Change]] = {}
    if a.values is not None and b.values is not None:
        changed = {name: changes(name, *common(a.values, b.values), CHANGES_SHOWN) for name in names}
    sliced = _slices(a, b, names, by) if by is not None else {}
    return Pair(a=a.result.label, b=b.result.label, lines=judged(lines, holm), changed=changed, slices=sliced)


def _with_samples(a: _Side, b: _Side, lines: list[Line]) -> list[Line]:
    """Return the lines with what only samples tell: counts, unequal sets of samples put right, the test for few groups."""
    if a.values is None or b.values is None:
        return [replace(line, notes=(*line.notes, *_exact_note(line))) for line in lines]
    one, two = common(a.values, b.values)
    lines = [replace(line, counts=count(line.a, one.by_score[line.score], two.by_score[line.score])) for line in lines]
    if not (a.result.measurable and b.result.measurable):
        return [replace(line, notes=(*line.notes, *_exact_note(line))) for line in lines]
    if any(_uneven(line) for line in lines):
        lines = _over_shared(a, b, lines)
    if any(_few(line) for line in lines):
        lines = _with_exact_tests(a, b, lines)
    return lines


def _stopped(*results: Result) -> list[str]:
    """Return a note for each run that did not take all samples, because its goal was reached."""
    found = [(one.label, one.record.stopping) for one in results if one.record.stopping is not None]
    return [STOPPED.format(label) for label, stopping in found if stopping["samples"] < stopping["of_samples"]]


def _uneven(line: Line) -> bool:
    """Return whether the two scores are over different samples, so that only those of both should be compared."""
    return line.difference.p is not None and not line.a.same_samples(line.b)


def _few(line: Line) -> bool:
    return line.difference.p is not None and line.difference.se != 0 and line.difference.groups < FEW_GROUPS


def _exact_note(line: Line) -> tuple[str, ...]:
    return (EXACT_NEEDS.format(line.difference.groups),) if _few(line) else ()


def _over_shared(a: _Side, b: _Side, lines: list[Line]) -> list[Line]:
    from evalharness.comparison.tallies import Stored, shared

    parts = shared(Stored(a.result), Stored(b.result))
    return [_restricted(line, parts) if _uneven(line) else line for line in lines]


def _restricted(line: Line, parts: tuple[Part, Part]) -> Line:
    """Return the line over the samples that both systems measured; bounds and the whole scores are kept."""
    again = _line_of_parts(line.score, *parts)
    note = f"over different samples ({line.a.samples:,} and {line.b.samples:,}); compared over the {again.a.samples:,} of both"
    return replace(again, counts=line.counts, bounds=line.bounds, notes=(note,))


def _line_of_parts(name: str, a: Part, b: Part) -> Line:
    return line_of(name, (a[0][name], b[0][name]), (a[1].get(name), b[1].get(name)))


def _with_exact_tests(a: _Side, b: _Side, lines: list[Line]) -> list[Line]:
    from evalharness.comparison.tallies import Stored, exact_tests

    found = exact_tests(Stored(a.result), Stored(b.result))
    return [replace(line, exact_p=found.get(line.score)) if _few(line) else line for line in lines]


def _slices(a: _Side, b: _Side, names: Sequence[str], by: str) -> dict[str, tuple[Line, ...]]:
    """Return the lines of each slice; their p-values are adjusted after Benjamini and Hochberg over all slices at once."""
    from evalharness.comparison.tallies import Stored, slices

    first, second = slices(Stored(a.result), by), slices(Stored(b.result), by)
    values = [value for value in first if value in second]
    lines = [_line_of_parts(name, first[value], second[value]) for value in values for name in names]
    found = iter(judged(lines, benjamini_hochberg))
    return {value: tuple(next(found) for _ in names) for value in values}


def _standing(sides: Sequence[_Side], name: str) -> Standing:
    """Return the standing of the systems that can be ranked; the others are named with the reason."""
    first = next((score for score in _scores(sides, name) if score.value is not None), None)
    reasons = [_obstacle(side, name, first) for side in sides]
    kept = [place for place, reason in enumerate(reasons) if reason is None]
    left_out = {sides[place].result.label: reason for place, reason in enumerate(reasons) if reason is not None}
    if first is None or len(kept) < 2:
        return Standing(score=name, systems=(), left_out=left_out)
    scores = [sides[place].result.record.scores[name] for place in kept]
    draws = np.stack([sides[place].result.replicates[name] for place in kept])
    values = np.array([score.value for score in scores], np.float64)
    found = rank(values, draws, better=first.better, df=min(score.groups for score in scores) - 1.0)
    return Standing(
        score=name,
        systems=tuple(sides[place].result.label for place in kept),
        ranks=tuple(zip(found.low, found.high, strict=True)),
        letters=tuple(tie_groups(values.tolist(), found, first.better)),
        better=tuple(map(tuple, found.better.tolist())),
        left_out=left_out,
        note=None if all(score.same_samples(scores[0]) for score in scores) else OTHER_SAMPLES,
    )


def _scores(sides: Sequence[_Side], name: str) -> list[Score]:
    return [side.result.record.scores[name] for side in sides]


def _obstacle(side: _Side, name: str, first: Score | None) -> str | None:
    """Return why a system cannot be ranked in a score beside the first one, or None."""
    score = side.result.record.scores[name]
    if score.value is None or first is None:
        return f"no value: {score.reason}"
    if score.signature != first.signature:
        return f"measured differently: {score.signature}"
    if name not in side.result.replicates:
        return "no replicates"
    if not score.aligned(first):
        return f"replicates not aligned: {score.generator}"
    return None
