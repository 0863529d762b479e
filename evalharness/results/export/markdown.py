"""Records as a Markdown table, as GitHub and the Hugging Face Hub show it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evalharness.results.export.names import visible
from evalharness.results.export.table import table_of
from evalharness.results.record import Record

# A colon within a word may make a link or a picture; some signs matter only where a line begins with them.
_SPECIAL = re.compile(r"([\\`*_{}\[\]#!|~$]|:(?=\S)|^[-+](?=\s|$))|^(\d+)([.)])(?=\s|$)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def text(records: Sequence[Record]) -> str:
    """Return the table of records, its legend and its notes."""
    table = table_of(records)
    rule = ["---", *["---:"] * (len(table.head) - 1)]
    rows = [_line(map(escaped, table.head)), _line(rule), *(_line(map(escaped, row)) for row in table.rows)]
    told = [f"- {escaped(note)}" for note in table.notes]
    return "\n".join([*rows, "", escaped(table.caption), *([""] if told else []), *told]) + "\n"


def escaped(plain: str) -> str:
    """Return a text that Markdown shows as it is, on one line.

    >>> print(escaped("a|b_c<i>"))
    a\\|b\\_c&lt;i&gt;
    """
    entities = re.sub("[&<>]", lambda match: _ENTITIES[match[0]], visible(plain))
    return _SPECIAL.sub(lambda match: f"\\{match[1]}" if match[1] else f"{match[2]}\\{match[3]}", entities)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
