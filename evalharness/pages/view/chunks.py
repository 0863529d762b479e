"""Samples as compressed pieces of a page: a light index of all, and their texts, each read only when it is asked for."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from evalharness.pages.view.prompts import Prompts
from evalharness.pages.view.slices import Slices, Vocabulary

STORED = ("failure", "contexts", "answers", "evidence", "fields")
CHUNK_ROWS, CHUNK_CHARACTERS = 250, 500_000
INDEX_ROWS = 2_000
SHORT = 160
Row = Mapping[str, Any]


@dataclass
class Pieces:
    """Writes the index and the texts of samples as they come, each to a file of its own; little stays in memory.

    `starts` holds the first sample of each piece of texts; `statuses` and `failures` are what the numbers in the index
    stand for.
    """

    index: IO[str]
    texts: IO[str]
    prompts: Prompts
    slices: Slices = field(default_factory=Slices)
    statuses: Vocabulary = field(default_factory=Vocabulary)
    failures: Vocabulary = field(default_factory=Vocabulary)
    starts: list[int] = field(default_factory=list)
    metrics: tuple[str, ...] = ()
    grouped: bool = False
    samples: int = 0
    index_pieces: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Take in some rows of the samples file."""
        self.metrics = tuple(rows[0]["statuses"] or ())
        fields = [json.loads(row["fields"] or "{}") for row in rows]
        self._add_index(rows, fields)
        lines = (self._line(row, values) for row, values in zip(rows, fields, strict=True))
        for start, text in cut(lines):
            self.starts.append(self.samples + start)
            self.texts.write(element(f"texts-{len(self.starts) - 1}", text))
        self.samples += len(rows)

    def _add_index(self, rows: Sequence[Row], fields: Sequence[Mapping[str, Any]]) -> None:
        groups = [_group(row) for row in rows]
        self.grouped = self.grouped or any(group is not None for group in groups)
        columns = {
            "id": [row["id"] for row in rows],
            "group": groups,
            "repeat": [row["repeat"] for row in rows],
            "input": [short(values.get("input")) for values in fields],
            "response": [short(row["response"]) for row in rows],
            "failure": [self.failures.code(_kind(row)) for row in rows],
            "scores": {name: [rounded(row["scores"][name]) for row in rows] for name in rows[0]["scores"] or {}},
            "statuses": {name: [self.statuses.code(row["statuses"][name]) for row in rows] for name in self.metrics},
            "slices": self.slices.add([{**values, "group": group} for values, group in zip(fields, groups, strict=True)]),
        }
        self.index.write(element(f"index-{self.index_pieces}", _compact(columns)))
        self.index_pieces += 1

    def _line(self, row: Row, fields: Mapping[str, Any]) -> str:
        """Return all that is known of a sample beyond the index as JSON; what is stored as JSON is taken over as it is."""
        own = {"response": row["response"], "statistics": row["statistics"], "prompt": self.prompts.of_row(row, fields)}
        stored = "".join(f',"{name}":{row[name]}' for name in STORED if row.get(name) is not None)
        return f"{_compact(own)[:-1]}{stored}}}"


def cut(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Yield JSON lists of lines, none with many lines or many characters, each with the number of its first line."""
    held: list[str] = []
    size = start = 0
    for line in lines:
        if held and (len(held) == CHUNK_ROWS or size + len(line) > CHUNK_CHARACTERS):
            yield start, f"[{','.join(held)}]"
            start, size, held = start + len(held), 0, []
        held.append(line)
        size += len(line)
    if held:
        yield start, f"[{','.join(held)}]"


def element(name: str, text: str) -> str:
    """Return a script element that no browser runs: the text, compressed."""
    packed = base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
    return f'<script type="application/octet-stream" id="{name}">{packed}</script>\n'


def short(text: Any) -> str | None:
    """Return the beginning of a text on one line.

    >>> short("a\\n b"), short(None)
    ('a b', None)
    """
    if not isinstance(text, str):
        return None
    line = " ".join(text[: 2 * SHORT].split())
    return line if len(line) <= SHORT else f"{line[:SHORT]}…"


def rounded(value: float | None) -> float | None:
    """Return a value with six significant digits, which is more than the page shows; None where there is none."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _kind(row: Row) -> str | None:
    return json.loads(row["failure"])["kind"] if row["failure"] else None


def _group(row: Row) -> str | None:
    return None if row["group"] == row["id"] else row["group"]
