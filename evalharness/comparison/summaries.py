"""A comparison for other programs: a Markdown summary for a pull request, and JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from evalharness.comparison.compare import Comparison
from evalharness.comparison.gates import Gate
from evalharness.comparison.pairs import Line, Pair
from evalharness.comparison.words import amount, interval, notes_of, p_value, verdict

_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF], "�")
_SIGNS = {"better": "✅", "worse": "❌", "not shown": "➖", "same": "🟰", "unknown": "❔"}


def markdown(comparison: Comparison, gates: Sequence[Gate]) -> str:
    """Return the comparison as Markdown: the gates, then for each pair with the first run a table, notes and slices."""
    lines = [f"## {_escaped(comparison.task)}", ""]
    lines += [
        f"- {'✅' if gate.passed else '❌'} {_escaped(f'{gate.system}: {gate.name}')}: {_escaped(gate.message)}" for gate in gates
    ]
    for pair in comparison.against_first:
        lines += ["", *_pair(pair), *_notes(pair)]
        lines += ["", *_slices(str(comparison.by), pair)] if pair.slices else []
    return "\n".join(lines) + "\n"


def _pair(pair: Pair) -> list[str]:
    a, b = _escaped(pair.a), _escaped(pair.b)
    head = [
        f"**{b}** against {a}",
        "",
        f"| | score | {a} | {b} | gain | 95 % interval | p (Holm) | |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    return [*head, *(_row(line, pair.b) for line in pair.lines)]


def _row(line: Line, b: str) -> str:
    cells = [_SIGNS[line.verdict], _escaped(line.score), _value(line.a.value), _value(line.b.value), _gain(line), interval(line)]
    return f"| {' | '.join([*cells, p_value(line.p_adjusted), _escaped(verdict(line, b))])} |"


def _gain(line: Line) -> str:
    return "–" if line.gain is None else _escaped(amount(line.gain, line.a))


def _notes(pair: Pair) -> list[str]:
    found = [f"- {_escaped(line.score)}: {_escaped(note)}" for line in pair.lines for note in notes_of(line)]
    return ["", *found] if found else []


def _slices(by: str, pair: Pair) -> list[str]:
    """Return the table of the slices in which something was measured."""
    head = [f"| | {_escaped(by)} | score | samples | gain | 95 % interval | p (BH) |", "|---|---|---|--:|--:|--:|--:|"]
    lines = [(value, line) for value, found in pair.slices.items() for line in found if line.gain is not None]
    return [*head, *(_slice(value, line) for value, line in lines)]


def _slice(value: str, line: Line) -> str:
    cells = [_SIGNS[line.verdict], _escaped(value), _escaped(line.score), f"{line.a.samples:,}", _gain(line), interval(line)]
    return f"| {' | '.join([*cells, p_value(line.p_adjusted)])} |"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    marked = "".join(f"\\{sign}" if sign in r"\`*_{}[]<>()#+!|~&@" else sign for sign in text)
    return " ".join(marked.split())


def junit(comparison: Comparison, gates: Sequence[Gate]) -> str:
    """Return the gates as JUnit XML; without gates, one case a score, which fails where the second system is worse."""
    cases = gates or [_case(pair, line) for pair in comparison.against_first for line in pair.lines]
    failed = sum(not case.passed for case in cases)
    suite = ElementTree.Element(
        "testsuite", name=_text(comparison.task), tests=str(len(cases)), failures=str(failed), errors="0", skipped="0"
    )
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", classname=_text(case.system), name=_text(case.name))
        if case.passed:
            ElementTree.SubElement(element, "system-out").text = _text(case.message)
        else:
            ElementTree.SubElement(element, "failure", message=_text(case.message))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(pair: Pair, line: Line) -> Gate:
    told = "; ".join([verdict(line, pair.b), *notes_of(line)])
    return Gate(pair.b, f"{line.score} against {pair.a}", line.verdict != "worse", told)


def _text(text: str) -> str:
    """Return text without the characters that XML cannot hold."""
    return text.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
