"""A comparison as a terminal shows it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from evalharness.comparison import Comparison, Line, Pair, Result
from evalharness.comparison.gates import Gate
from evalharness.comparison.standings import Standing
from evalharness.comparison.words import notes_of, p_value, plain, rounded, span_of, verdict
from evalharness.results.wording import ARROWS, number

WIDTH = 100


def text(comparison: Comparison, gates: Sequence[Gate], named: Sequence[str]) -> str:
    """Return the whole comparison; `named` are the scores that the user asked for."""
    wanted = list(named) or [comparison.pairs[0].lines[0].score]
    blocks = [_head(comparison)]
    if comparison.standings:
        blocks += [_standings(comparison), *(_matrix(comparison, one) for one in comparison.standings if one.score in wanted)]
        blocks += [part for part in _many(comparison, wanted) if part]
    else:
        blocks += [part for part in _two(comparison.pairs[0], named) if part]
    if comparison.by is not None:
        blocks.append(_slices(comparison, wanted))
    blocks += ["\n".join(_gate(gate) for gate in gates)] if gates else []
    return "\n\n".join(blocks)


def _head(comparison: Comparison) -> str:
    scores = [score for one in comparison.results for score in one.record.scores.values()]
    groups = max((score.groups for score in scores), default=0)
    samples = max(int(one.record.dataset["samples"]) for one in comparison.results)
    clustered = f" in {groups:,} groups" if comparison.group else ""
    names = [
        f"  {letter}  {one.label}  ({one.folder})" for letter, one in zip(_letters(comparison), comparison.results, strict=True)
    ]
    return "\n".join([f"{comparison.task} · {samples:,} samples{clustered}", *names])


def _letters(comparison: Comparison) -> list[str]:
    """Return how the systems are called in tables: a, b, ... and by number beyond 26."""
    count = len(comparison.results)
    return [chr(ord("a") + place) if count <= 26 else str(place + 1) for place in range(count)]


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Return rows as a table under its first row; the columns in `left` are aligned to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [rows[0], ["─" * width for width in widths], *rows[1:]]
    ]
    return "\n".join(line.rstrip() for line in lines)


def _two(pair: Pair, named: Sequence[str]) -> Iterator[str]:
    yield aligned([_titles(pair), *(_row(line, pair) for line in pair.lines)])
    yield _told(_verdicts(pair.lines))
    yield _told(_notes(pair.lines))
    yield _told(_changed(pair, named))


def _verdicts(lines: Sequence[Line]) -> list[str]:
    """Return what is shown of each score, and then of those that differ nowhere or cannot be compared, which is said once."""
    alike: dict[str, list[str]] = {}
    for line in lines:
        if line.verdict in ("same", "unknown"):
            alike.setdefault(verdict(line, "b"), []).append(line.score)
    shown = [f"{line.score}: {verdict(line, 'b')}" for line in lines if line.verdict not in ("same", "unknown")]
    return shown + [f"{', '.join(names)}: {words}" for words, names in alike.items()]


def _many(comparison: Comparison, wanted: Sequence[str]) -> Iterator[str]:
    """Yield what is shown of each later run against the first, in the scores that were asked for or the first."""
    letters = _letters(comparison)
    if len(wanted) < len(comparison.standings):
        yield f"Below: {', '.join(wanted)}; --score NAME shows others."
    for letter, pair in zip(letters[1:], comparison.against_first, strict=True):
        lines = [line for line in pair.lines if line.score in wanted]
        told = [f"{line.score}: {verdict(line, letter)}" for line in lines]
        yield "\n".join([f"{letter} against {letters[0]}", _told(["  " + each for each in [*told, *_notes(lines)]])])


def _notes(lines: Sequence[Line]) -> list[str]:
    """Return what to know of the lines, each note once with the scores that it is about."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for note in notes_of(line):
            found.setdefault(note, []).append(line.score)
    return [f"{', '.join(scores)}: {note}" for note, scores in found.items()]


def _told(lines: Iterable[str]) -> str:
    return "\n".join(map(_wrapped, lines))


def _titles(pair: Pair) -> list[str]:
    exact = ["p exact"] if _has_exact(pair) else []
    counts = ["better/equal/worse"] if any(line.counts for line in pair.lines) else []
    return ["score", "a", "b", "b − a", "95% interval", "p", *exact, "p Holm", "effect", *counts]


def _has_exact(pair: Pair) -> bool:
    return any(line.exact_p is not None for line in pair.lines)


def _row(line: Line, pair: Pair) -> list[str]:
    exact = [p_value(line.exact_p)] if _has_exact(pair) else []
    told = "–" if line.counts is None else f"{line.counts.wins:,}/{line.counts.ties:,}/{line.counts.losses:,}"
    counts = [told] if any(each.counts for each in pair.lines) else []
    found = line.difference
    effect = "–" if found.effect is None else f"{found.effect:+.2f}"
    return [
        f"{line.score} {ARROWS[line.a.better]}",
        *_numbers(line),
        p_value(found.p),
        *exact,
        p_value(line.p_adjusted),
        effect,
        *counts,
    ]


def _numbers(line: Line) -> list[str]:
    """Return both values, their difference and its interval."""
    found = line.difference
    ends = "–" if found.low is None or found.high is None else f"{number(found.low)} to {number(found.high)}"
    return [*("–" if value is None else number(value) for value in (line.a.value, line.b.value, found.value)), ends]


def _changed(pair: Pair, named: Sequence[str]) -> Iterator[str]:
    """Yield the samples that changed most: of the scores that were asked for, or in which something is shown."""
    shown = [line.score for line in pair.lines if line.score in named or line.verdict in ("better", "worse")]
    for score in shown or [line.score for line in pair.lines[:1]]:
        found = pair.changed.get(score, ())
        if found:
            told = ", ".join(f"{change.id} {rounded(change.a, 2)} → {rounded(change.b, 2)}" for change in found)
            yield f"{score} changed most in: {told}"


def _slices(comparison: Comparison, wanted: Sequence[str]) -> str:
    """Return a table of the slices against the first run, for the scores that were asked for or the first."""
    letters, pairs = _letters(comparison)[1:], comparison.against_first
    many = len(pairs) > 1
    rows = [
        [
            value,
            *([letter] if many else []),
            line.score,
            f"{line.a.samples:,}",
            *_numbers(line),
            p_value(line.difference.p),
            p_value(line.p_adjusted),
        ]
        for letter, pair in zip(letters, pairs, strict=True)
        for value, lines in pair.slices.items()
        for line in lines
        if line.score in wanted
    ]
    titles = [str(comparison.by), *(["run"] if many else []), "score", "samples", "a", "b", "b − a", "95% interval", "p", "p BH"]
    tests = sum(line.difference.p is not None for lines in pairs[0].slices.values() for line in lines)
    told = (
        f"p BH is adjusted over the {tests:,} tests of all slices and scores; --score NAME shows others; "
        "– fewer than 5 groups, or nothing measured"
    ) + ("; of arms, the samples' part of the interval only" if any(line.seeds for line in pairs[0].lines) else "")
    return "\n".join([aligned([titles, *rows], left=(0, 1, 2) if many else (0, 1)), _wrapped(told)])


def _standings(comparison: Comparison) -> str:
    """Return a row a score: of each system its value, rank set and letters."""
    titles = ["score", *_letters(comparison)]
    rows = [[one.score, *(_standing(one, result) for result in comparison.results)] for one in comparison.standings]
    told = "value, rank (95 % for all ranks at once), and letters: systems that share one cannot be told apart"
    return "\n".join([aligned([titles, *rows]), "", _wrapped(told), *map(_wrapped, _standing_notes(comparison))])


def _standing_notes(comparison: Comparison) -> list[str]:
    """Return each note with the scores that it is about: why a system has no rank, and what ranks rest on."""
    found: dict[str, list[str]] = {}
    for one in comparison.standings:
        for note in [*(f"{label} has no rank: {reason}" for label, reason in one.left_out.items()), *one.notes]:
            found.setdefault(note, []).append(one.score)
    return [f"{', '.join(scores)}: {note}" for note, scores in found.items()]


def _standing(standing: Standing, result: Result) -> str:
    value = result.record.scores[standing.score].value
    if result.label not in standing.systems:
        return "–" if value is None else number(value)
    found = standing.systems.index(result.label)
    low, high = standing.ranks[found]
    return f"{number(value or 0.0)} {low if low == high else f'{low}-{high}'} {standing.letters[found]}"


def _matrix(comparison: Comparison, standing: Standing) -> str:
    """Return the differences of all pairs in one score, row minus column; a star where the two can be told apart."""
    letters = _letters(comparison)
    rows = [
        [letter, *(_cell(standing, row, column) for column in comparison.results)]
        for letter, row in zip(letters, comparison.results, strict=True)
    ]
    first = comparison.results[0].record.scores[standing.score]
    unit = "points" if span_of(first) is not None else first.unit or "the unit of the score"
    told = f"{standing.score}: value of the row minus that of the column in {unit}; * told apart (all pairs at once, 95 %)"
    return "\n".join([_wrapped(told), aligned([["", *letters], *rows])])


def _cell(standing: Standing, row: Result, column: Result) -> str:
    if row is column:
        return "·"
    one, other = row.record.scores[standing.score], column.record.scores[standing.score]
    if one.value is None or other.value is None:
        return "–"
    return plain(one.value - other.value, one) + ("*" if standing.told_apart(row.label, column.label) else "")


def _gate(gate: Gate) -> str:
    return _wrapped(f"{'passed' if gate.passed else 'FAILED'}  {gate.system}: {gate.name} · {gate.message}")


def _wrapped(note: str) -> str:
    indent = len(note) - len(note.lstrip()) + 2
    return "\n".join(textwrap.wrap(note, width=WIDTH, subsequent_indent=" " * indent))
