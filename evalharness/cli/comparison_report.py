"""A comparison as a terminal shows it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from evalharness.comparison import Comparison, Line, Pair
from evalharness.comparison.compare import Standing
from evalharness.comparison.gates import Gate
from evalharness.comparison.words import p_value, plain, rounded, span_of, verdict
from evalharness.results.wording import ARROWS, number

WIDTH = 100


def text(comparison: Comparison, gates: Sequence[Gate], named: Sequence[str]) -> str:
    """Return the whole comparison; `named` are the scores that the user asked for."""
    blocks = [_head(comparison)]
    if comparison.standings:
        blocks += [_standings(comparison), _matrix(comparison, named[0] if named else comparison.standings[0].score)]
    else:
        blocks += [part for part in _pair(comparison, comparison.pairs[0], named) if part]
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


def _pair(comparison: Comparison, pair: Pair, named: Sequence[str]) -> Iterator[str]:
    yield aligned([_titles(pair), *(_row(line, pair) for line in pair.lines)])
    yield "\n".join(_wrapped(f"{line.score}: {verdict(line, 'b')}") for line in pair.lines)
    yield "\n".join(_wrapped(f"{line.score}: {note}") for line in pair.lines for note in _notes(line))
    yield "\n".join(_changed(pair, named))
    if pair.slices:
        yield _slices(comparison, pair, named)


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


def _notes(line: Line) -> Iterator[str]:
    yield from line.notes
    if line.bounds is not None:
        low, high = (number(end) for end in line.bounds)
        yield f"whatever the lost samples were, the difference lies between {low} and {high}"
    if line.difference.p is not None and line.difference.groups < 30:
        yield f"rests on {line.difference.groups} groups only"


def _changed(pair: Pair, named: Sequence[str]) -> Iterator[str]:
    """Yield the samples that changed most: of the scores that were asked for, or in which something is shown."""
    shown = [line.score for line in pair.lines if line.score in named or line.verdict in ("better", "worse")]
    for score in shown or [line.score for line in pair.lines[:1]]:
        found = pair.changed.get(score, ())
        if found:
            told = ", ".join(f"{change.id} {rounded(change.a, 2)} → {rounded(change.b, 2)}" for change in found)
            yield _wrapped(f"{score} changed most in: {told}")


def _slices(comparison: Comparison, pair: Pair, named: Sequence[str]) -> str:
    """Return a table of the slices for the scores that were asked for, or the first."""
    wanted = list(named) or [pair.lines[0].score]
    titles = [str(comparison.by), "score", "samples", "a", "b", "b − a", "95% interval", "p", "p BH"]
    rows = [
        [value, line.score, f"{line.a.samples:,}", *_numbers(line), p_value(line.difference.p), p_value(line.p_adjusted)]
        for value, lines in pair.slices.items()
        for line in lines
        if line.score in wanted
    ]
    return aligned([titles, *rows], left=(0, 1))


def _standings(comparison: Comparison) -> str:
    """Return a row a score: of each system its value, rank set and letters."""
    titles = ["score", *_letters(comparison)]
    rows = [
        [f"{one.score}", *(_standing(comparison, one, place) for place in range(len(comparison.results)))]
        for one in comparison.standings
    ]
    notes = [_wrapped(f"{one.score}: {one.note}") for one in comparison.standings if one.note]
    told = "value, rank (95 % for all ranks at once), and letters: systems that share one cannot be told apart"
    return "\n".join([aligned([titles, *rows]), "", _wrapped(told), *notes])


def _standing(comparison: Comparison, standing: Standing, place: int) -> str:
    result = comparison.results[place]
    value = result.record.scores[standing.score].value
    if result.label not in standing.systems:
        return "–" if value is None else number(value)
    found = standing.systems.index(result.label)
    low, high = standing.ranks[found]
    return f"{number(value or 0.0)} {low if low == high else f'{low}-{high}'} {standing.letters[found]}"


def _matrix(comparison: Comparison, score: str) -> str:
    """Return the differences of all pairs in one score, row minus column; a star where the two can be told apart."""
    letters = _letters(comparison)
    rows = [
        [letters[row], *(_cell(comparison, score, row, column) for column in range(len(letters)))] for row in range(len(letters))
    ]
    first = comparison.results[0].record.scores[score]
    unit = "points" if span_of(first) is not None else first.unit or "the unit of the score"
    told = f"{score}: row minus column in {unit}; * told apart (all pairs at once, 95 %)"
    return "\n".join([_wrapped(told), aligned([["", *letters], *rows])])


def _cell(comparison: Comparison, score: str, row: int, column: int) -> str:
    if row == column:
        return "·"
    a, b = sorted((row, column))
    line = comparison.pair(comparison.results[a].label, comparison.results[b].label).line(score)
    if line.difference.value is None:
        return "–"
    value = line.difference.value if row == b else -line.difference.value
    return plain(value, line.a) + ("*" if _told_apart(comparison, score, row, column) else "")


def _told_apart(comparison: Comparison, score: str, row: int, column: int) -> bool:
    standing = next(one for one in comparison.standings if one.score == score)
    labels = [comparison.results[place].label for place in (row, column)]
    if not set(labels) <= set(standing.systems):
        return False
    one, two = (standing.systems.index(label) for label in labels)
    return standing.better[one][two] or standing.better[two][one]


def _gate(gate: Gate) -> str:
    return _wrapped(f"{'passed' if gate.passed else 'FAILED'}  {gate.system}: {gate.name} · {gate.message}")


def _wrapped(note: str) -> str:
    return "\n".join(textwrap.wrap(note, width=WIDTH, subsequent_indent="  "))
