"""Names of systems, tasks and scores where they meet other formats: made visible, made safe, made one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from evalharness.errors import UsageError
from evalharness.results.record import Record

LONGEST = 100
# They change the order in which what stands beside them is shown.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str) -> str:
    """Return a text as one line in which nothing is hidden: marks of direction and control characters by their number.

    >>> visible("a\\u202eb\\nc")
    'a<U+202E>b c'
    """
    return "".join(map(_visible, " ".join(text.split())))


def _visible(character: str) -> str:
    hidden = character in _DIRECTIONS or unicodedata.category(character) in ("Cc", "Cs")
    return f"<U+{ord(character):04X}>" if hidden else character


def file_name(name: str) -> str:
    """Return a name that is one component of a path on any system.

    >>> file_name("../acme: dense/1"), file_name("data"), file_name("...")
    ('acme_dense_1', 'data', 'unnamed')
    """
    return re.sub(r"[^\w.+-]+", "_", name).strip("._ ")[:LONGEST] or "unnamed"


def only(records: Sequence[Record], form: str) -> Record:
    """Return the one record of a format that holds one run a file; raises UsageError for another number."""
    if len(records) != 1:
        raise UsageError(
            f"a file of the format '{form}' holds one run, not {len(records)}. Give one run, or write a file for each "
            f"into a folder: evalharness export RUN RUN --format {form} --out DIR"
        )
    return records[0]


def stamp(record: Record) -> str:
    """Return when a run was made, as file names hold it: `2026-11-24T14-52-41`."""
    return re.sub(r"[^0-9T]+", "-", str(record.provenance.get("created", ""))[:19]) or "undated"
