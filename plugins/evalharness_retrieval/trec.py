"""TREC's files: judgements (qrels) and runs, read with all their faults told at once, and written.

Columns are separated by blanks; lines that begin with # are comments, empty lines are passed over, and a name that ends in
`.gz` is a compressed file. What follows the last column is ignored, as trec_eval does.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import evalharness as eh

Number = TypeVar("Number", int, float)
SHOWN = 20


@dataclass(frozen=True)
class _Form(Generic[Number]):
    """One kind of file: its columns, and which of them holds a document's number."""

    what: str
    columns: str
    number: int
    kind: str
    read: Callable[[str], Number]


@dataclass
class Table(Generic[Number]):
    """What a file says: `{topic: {document: number}}`, and the line in which each topic begins."""

    numbers: dict[str, dict[str, Number]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def _score(text: str) -> float:
    score = float(text)
    if not math.isfinite(score):
        raise ValueError
    return score


QRELS = _Form("judgements", "topic iteration document grade", 3, "a whole number", int)
RUN = _Form("a run", "topic Q0 document rank score tag", 4, "a number", _score)


def read_qrels(path: str | Path) -> Table[int]:
    """Return the grades of a file of judgements.

    Raises DataError with `file:line` for missing columns, a grade that is no whole number and a document that is judged
    twice for one topic, and for a file that is missing or holds nothing.
    """
    return _read(Path(path), QRELS)


def read_run(path: str | Path) -> Table[float]:
    """Return the scores of a run file; ranks and the order of its lines say nothing. Raises DataError like `read_qrels`."""
    return _read(Path(path), RUN)


def write_qrels(qrels: Mapping[str, Mapping[str, int]], path: str | Path) -> None:
    """Write judgements `{topic: {document: grade}}`."""
    _write(path, (f"{topic} 0 {key} {grade}" for topic, judged in qrels.items() for key, grade in judged.items()))


def write_run(run: Mapping[str, Mapping[str, float]], path: str | Path, tag: str = "evalharness") -> None:
    """Write a run `{topic: {document: score}}`, best first, equal scores by document id, descending bytes."""
    ranked = ((topic, sorted(scores.items(), key=lambda item: item[::-1], reverse=True)) for topic, scores in run.items())
    lines = ((topic, rank, *item) for topic, items in ranked for rank, item in enumerate(items, start=1))
    _write(path, (f"{topic} Q0 {key} {rank} {score!r} {tag}" for topic, rank, key, score in lines))


def _write(path: str | Path, lines: Iterator[str]) -> None:
    with _opened(Path(path), "w") as stream:
        stream.writelines(line + "\n" for line in lines)


def _opened(path: Path, mode: str) -> Any:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    return opener(path, f"{mode}t", encoding="utf-8-sig" if mode == "r" else "utf-8", newline="\n")


def _read(path: Path, form: _Form[Number]) -> Table[Number]:
    table: Table[Number] = Table()
    faults: list[str] = []
    try:
        with _opened(path, "r") as stream:
            for line, text in enumerate(stream, start=1):
                fault = _take(table, text, line, form) if text[0] not in "#\n" else ""
                if fault:
                    faults.append(f"{path}:{line}: {fault}")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise eh.DataError(f"{path}: this file of {form.what} cannot be read: {error}") from None
    if not table.numbers and not faults:
        raise eh.DataError(f"{path}: this file of {form.what} is empty; a line is: {form.columns}")
    if faults:
        more = [f"and {len(faults) - SHOWN} more faults"] if len(faults) > SHOWN else []
        raise eh.DataError("\n".join(faults[:SHOWN] + more))
    return table


def _columns(text: str) -> list[str]:
    """Return what blanks of ASCII separate, as in C: a no-break space, say, is a part of an id."""
    return text.split() if text.isascii() else [column.decode() for column in text.encode().split()]


def _take(table: Table[Number], text: str, line: int, form: _Form[Number]) -> str:
    """Add one line to a table; return what is wrong with it."""
    columns = _columns(text)
    if not columns:
        return ""
    wanted = form.columns.split()
    if len(columns) < len(wanted):
        return f"{len(columns)} columns in place of {len(wanted)}: {form.columns}"
    if form is QRELS and len(columns) == len(RUN.columns.split()) and columns[1].upper() == "Q0":
        return f"this is a line of a run ({RUN.columns}), not of judgements: {form.columns}"
    topic, document, written = columns[0], columns[2], columns[form.number]
    try:
        number = form.read(written)
    except ValueError:
        return f"the {wanted[form.number]} must be {form.kind}, not '{written}'"
    if topic not in table.numbers:
        table.numbers[topic], table.lines[topic] = {}, line
    known = table.numbers[topic]
    if document in known:
        return f"document '{document}' stands twice in topic '{topic}', with {known[document]} and {number}"
    known[document] = number
    return ""
