"""Reads the passages that a retriever searches."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from evalharness.contract import Passage, canonical
from evalharness.errors import DataError, Fault

SHOWN = 50


def read_corpus(path: str | Path) -> list[Passage]:
    """Return the passages of a `.jsonl` or `.csv` file in the order of the file.

    Each has an `id` (a string, or a whole number, which becomes its decimal text) and a `text`, which may be empty.
    Where a `title` is present and not empty, it is put before the text on a line of its own. Other fields are ignored.
    Raises DataError for a file that is missing, empty or of another kind, and for broken lines, missing fields and
    ids that occur twice: all of them at once, each with its `file:line`.
    """
    path = Path(path)
    readers = {".jsonl": _jsonl_items, ".csv": _csv_items}
    if path.suffix.lower() not in readers:
        raise DataError(f"{path}: a corpus is a .jsonl or .csv file with the fields id, text and, if wanted, title")
    if not path.is_file():
        raise DataError(f"{path}: there is no such corpus file; paths in a task file start from the folder of that file")
    faults: list[Fault] = []
    passages = _collect(readers[path.suffix.lower()](path, faults), str(path), faults)
    if faults:
        raise DataError(_listing(faults))
    if not passages:
        raise DataError(f"{path}: the corpus holds no passage; each line needs an id and a text")
    return passages


def corpus_digest(passages: Iterable[Passage]) -> str:
    """Return a digest (32 hexadecimal digits) of the ids and texts of passages in their order.

    >>> corpus_digest([Passage("a", "one"), Passage("b", "two")])
    'd5d97b6c6c4e64c770b6976b7c65d698'
    """
    hashed = hashlib.blake2b(digest_size=16)
    for passage in passages:
        hashed.update(canonical([passage.id, passage.text]).encode("utf-8", "surrogatepass") + b"\n")
    return hashed.hexdigest()


def _collect(items: Iterator[tuple[int, Any]], path: str, faults: list[Fault]) -> list[Passage]:
    passages: list[Passage] = []
    lines: dict[str, int] = {}
    for line, item in items:
        passage = _passage(item)
        if isinstance(passage, str):
            faults.append(Fault(passage, where=f"{path}:{line}"))
        elif passage.id in lines:
            faults.append(Fault(f"the id '{passage.id}' stands already in line {lines[passage.id]}", where=f"{path}:{line}"))
        else:
            lines[passage.id] = line
            passages.append(passage)
    return passages


def _passage(item: Any) -> Passage | str:
    """Return the passage, or what is wrong with it."""
    if not isinstance(item, dict):
        return "a passage is an object with the fields id and text"
    identifier, text, title = item.get("id"), item.get("text"), item.get("title")
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        identifier = str(identifier)
    if not isinstance(identifier, str) or not identifier:
        return "the field 'id' is missing; it must be a string that is not empty, or a whole number"
    if not isinstance(text, str):
        return f"the field 'text' of passage '{identifier}' is missing; it must be a string"
    if title is not None and not isinstance(title, str):
        return f"the field 'title' of passage '{identifier}' must be a string"
    return Passage(identifier, f"{title}\n{text}" if title else text)


def _jsonl_items(path: Path, faults: list[Fault]) -> Iterator[tuple[int, Any]]:
    for number, line in _lines(path, faults):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            faults.append(Fault(f"broken JSON: {error}", where=f"{path}:{number}"))
        else:
            yield number, item


def _csv_items(path: Path, faults: list[Fault]) -> Iterator[tuple[int, Any]]:
    rows = csv.reader((line for _, line in _lines(path, faults)), strict=True)
    header: list[str] | None = None
    while True:
        start = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            faults.append(Fault(f"broken CSV: {error}", where=f"{path}:{start}"))
            return
        if row is None:
            return
        if header is None:
            header = row
        elif row and len(row) != len(header):
            faults.append(Fault(f"{len(row)} values where the header names {len(header)}", where=f"{path}:{start}"))
        elif row:
            yield start, dict(zip(header, row, strict=True))


def _lines(path: Path, faults: list[Fault]) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines; a byte order mark at the start is skipped, and what is not UTF-8 is a fault."""
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            encoding = "utf-8-sig" if number == 1 else "utf-8"
            try:
                line = raw.decode(encoding)
            except UnicodeDecodeError as error:
                faults.append(Fault(f"not UTF-8: {error.reason} at byte {error.start + 1} of the line", where=f"{path}:{number}"))
                line = raw.decode(encoding, "replace")  # still read, so that later lines keep their numbers and faults
            yield number, line


def _listing(faults: list[Fault]) -> str:
    lines = [str(fault) for fault in faults[:SHOWN]]
    if len(faults) > SHOWN:
        lines.append(f"and {len(faults) - SHOWN} more faults")
    return "\n".join(lines)
