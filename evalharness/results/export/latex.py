"""Records as a LaTeX table with the rules of booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evalharness.results.export.names import visible
from evalharness.results.export.table import table_of
from evalharness.results.record import Record

# Brackets and stars are in braces since a row that begins with one would be an argument of the row before it.
_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}", '"': r"\textquotedbl{}",
    "[": "{[}", "]": "{]}", "*": "{*}", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "–": r"\textendash{}",
}  # fmt: skip
_PAIRS = re.compile(r"([-,])(?=\1)")  # two of them would be one other sign


def text(records: Sequence[Record]) -> str:
    """Return the table of records, its legend as the caption and its notes beneath."""
    table = table_of(records)
    told = [rf"  \par\smallskip{{\footnotesize {escaped(note)}}}" for note in table.notes]
    lines = [
        r"% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escaped(table.caption)}}}",
        rf"  \begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
        r"    \toprule",
        _line(table.head),
        r"    \midrule",
        *map(_line, table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        *told,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(plain: str) -> str:
    r"""Return a text that LaTeX sets as it is, on one line.

    >>> print(escaped("50 % of a_b & {c}\\"))
    50 \% of a\_b \& \{c\}\textbackslash{}
    """
    return _PAIRS.sub(r"\1{}", "".join(_ESCAPES.get(character, character) for character in visible(plain)))


def _line(cells: Iterable[str]) -> str:
    return rf"    {' & '.join(map(escaped, cells))} \\"
