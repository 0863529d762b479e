"""Compares finished runs on one task, pair by pair and all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.comparison.pairs import Line, Pair, gap_between, judged, line_of
from evalharness.comparison.results import Result, read_results, same_system
from evalharness.comparison.seeds import with_seeds
from evalharness.comparison.standings import Standing, standing
from evalharness.comparison.values import Change, changes, common, count
from evalharness.errors import UsageError, nearest
from evalharness.results.values import Values, read_values
from evalharness.scoring.families import benjamini_hochberg, holm

if TYPE_CHECKING:
    from evalharness.comparison.tallies import Part, Stored
    from evalharness.scoring import Score

FEW_GROUPS = 50
CHANGES_SHOWN = 5
STOPPED = "{} was stopped early; intervals and p-values of a pair do not allow for looking on the way"
DECIDED = "the interval is that of the confidence sequence by which {} was stopped"
REPEATS = "over {} repeats of a sample in {}, over {} in {}: a score of all repeats may change with their number alone"
EXACT_NEEDS = (
    "with {} groups only, the exact label-swap test is worth a look; it needs the whole run folders of both, samples and task"
)


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

    @property
    def against_first(self) -> tuple[Pair, ...]:
        """The pairs of the first run with each other one."""
        return tuple(pair for pair in self.pairs if pair.a == self.results[0].label)

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
    pairs = tuple(_pair(a, b, by, _tested(a, b) if a is sides[0] else _lines(a, b)) for a, b in combinations(sides, 2))
    standings = tuple(standing(results, name) for name in names) if len(results) > 2 else ()
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

    @cached_property
    def stored(self) -> Stored:
        """The statistics of its samples."""
        from evalharness.comparison.tallies import Stored

        return Stored(self.result)

    def line(self, other: _Side, name: str) -> Line:
        """Return the line of one score from the two records."""
        a, b = self.result, other.result
        line = line_of(name, (a.record.scores[name], b.record.scores[name]), (a.replicates.get(name), b.replicates.get(name)))
        if line.difference.se == 0 and line.difference.value == 0 and same_system(a, b):
            return replace(line, difference=replace(line.difference, low=0.0, high=0.0))
        return line


def _pair(a: _Side, b: _Side, by: str | None, lines: Sequence[Line]) -> Pair:
    lines = [with_seeds(line, a.result.record, b.result.record) for line in lines]
    lines = judged([_of_repeats(a.result, b.result, _of_stopped(a.result, b.result, line)) for line in lines], holm)
    changed: Mapping[str, Sequence[Change]] = {}
    if a.values is not None and b.values is not None:
        changed = {name: changes(name, *common(a.values, b.values), CHANGES_SHOWN) for name in a.names}
    sliced = _slices(a, b, by) if by is not None else {}
    return Pair(a=a.result.label, b=b.result.label, lines=lines, changed=changed, slices=sliced)


def _lines(a: _Side, b: _Side) -> list[Line]:
    """Return the lines of two systems with what only samples tell: counts, and unequal sets of samples put right."""
    lines = [a.line(b, name) for name in a.names]
    if a.values is None or b.values is None:
        return [_with_all_bounds(line) if _uneven(line) else line for line in lines]
    one, two = common(a.values, b.values)
    lines = [replace(line, counts=count(line.a, one.by_score[line.score], two.by_score[line.score])) for line in lines]
    if any(_uneven(line) for line in lines) and a.result.measurable and b.result.measurable:
        return _over_shared(a, b, lines)
    return [_with_all_bounds(line) if _uneven(line) else line for line in lines]


def _tested(a: _Side, b: _Side) -> list[Line]:
    """Return the lines of two systems with the label-swap test where there are few groups, or what it needs."""
    lines = _lines(a, b)
    if not any(_few(line) for line in lines):
        return lines
    if not (a.result.measurable and b.result.measurable):
        return [
            replace(line, notes=(*line.notes, EXACT_NEEDS.format(line.difference.groups))) if _few(line) else line
            for line in lines
        ]
    from evalharness.comparison.tallies import exact_tests

    found = exact_tests(a.stored, b.stored, [line.score for line in lines if _few(line)])
    return [replace(line, exact_p=found.get(line.score)) for line in lines]


def _uneven(line: Line) -> bool:
    """Return whether the two scores are over different samples, so that only those of both should be compared."""
    return line.difference.p is not None and not line.a.same_samples(line.b)


def _few(line: Line) -> bool:
    return line.difference.p is not None and line.difference.se != 0 and line.difference.groups < FEW_GROUPS


def _with_all_bounds(line: Line) -> Line:
    """Return the line with where the difference would lie whatever any sample had given that one of the two lacks."""
    return replace(line, bounds=gap_between(line.a, line.b, line.a.possible, line.b.possible))


def _over_shared(a: _Side, b: _Side, lines: list[Line]) -> list[Line]:
    from evalharness.comparison.tallies import shared

    parts = shared(a.stored, b.stored)
    return [_restricted(line, parts) if _uneven(line) else line for line in lines]


def _restricted(line: Line, parts: tuple[Part, Part]) -> Line:
    """Return the line over the samples that both systems measured; bounds and the whole scores are kept."""
    again = _line_of_parts(line.score, *parts)
    note = f"over different samples ({line.a.samples:,} and {line.b.samples:,}); compared over the {again.a.samples:,} of both"
    return replace(again, counts=line.counts, bounds=line.bounds, notes=(note,))


def _line_of_parts(name: str, a: Part, b: Part) -> Line:
    return line_of(name, (a[0][name], b[0][name]), (a[1].get(name), b[1].get(name)))


def _of_stopped(a: Result, b: Result, line: Line) -> Line:
    """Return the line with the sequence's own interval where one run was stopped by this comparison, or with a note."""
    for stopped, other, sign in ((b, a, 1.0), (a, b, -1.0)):
        stopping = stopped.record.stopping or {}
        if not stopping.get("reached") or stopping["samples"] >= stopping["of_samples"]:
            continue
        ends = (stopping.get("difference") or {}).get("interval")
        against = (stopping.get("against") or {}).get("system")
        if ends is not None and stopping["score"] == line.score and against == other.record.system.get("name"):
            low, high = sorted(sign * end for end in ends)
            sequence = replace(line.difference, low=low, high=high, p=None, se=None, df=None, effect=None)
            return replace(line, difference=sequence, notes=(*line.notes, DECIDED.format(stopped.label)))
        line = replace(line, notes=(*line.notes, STOPPED.format(stopped.label)))
    return line


def _of_repeats(a: Result, b: Result, line: Line) -> Line:
    """Return the line with a note where it is of all repeats of a sample, and the runs have not equally many."""
    if a.repeats is None or b.repeats is None or a.repeats == b.repeats:
        return line
    more = max(a, b, key=lambda result: result.repeats or 1).record.scores
    if _rows(more[line.score]) == max(map(_rows, more.values())):  # others count fewer rows: one a sample
        return line
    return replace(line, notes=(*line.notes, REPEATS.format(a.repeats, a.label, b.repeats, b.label)))


def _rows(score: Score) -> int:
    return score.samples + sum(score.unmeasured.values()) + score.errors


def _slices(a: _Side, b: _Side, by: str) -> dict[str, tuple[Line, ...]]:
    """Return the lines of each slice; their p-values are adjusted after Benjamini and Hochberg over all slices at once."""
    from evalharness.comparison.tallies import slices

    first, second = slices(a.stored, by), slices(b.stored, by)
    values = [value for value in first if value in second]
    lines = [_line_of_parts(name, first[value], second[value]) for value in values for name in a.names]
    found = iter(judged(lines, benjamini_hochberg))
    return {value: tuple(next(found) for _ in a.names) for value in values}
