"""One reader a format: items one at a time, each with its place, and faults in the place of what cannot be read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import evalharness as eh
from evalharness_data.library import datasets_library
from evalharness_data.values import as_json

ROWS_A_BATCH = 1024
LONGEST_CELL = 100_000_000


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value; write null")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read_jsonl(path: Path) -> Iterator[eh.Item]:
    """Yield the object of each line that is not blank."""
    name = str(path)
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            content = raw[3:] if number == 1 and raw.startswith(b"\xef\xbb\xbf") else raw
            if content and not content.isspace():
                yield _parsed(content.rstrip(b"\r\n"), f"{name}:{number}")


def _parsed(content: bytes, where: str) -> eh.Item:
    try:
        text = str(content, "utf-8")
        value = _value(text)
        if "\\ud" in text or "\\uD" in text:  # an escape may stand for half a character, which no text can hold
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return eh.Item({}, where, f"broken JSON: {error.msg} in column {error.colno}")
    except UnicodeDecodeError as error:
        return eh.Item({}, where, f"not UTF-8: {error.reason} at byte {error.start + 1} of the line")
    except UnicodeEncodeError:
        return eh.Item({}, where, "an escape \\ud... stands for half a character; write both halves or the character itself")
    except RecursionError:
        return eh.Item({}, where, "broken JSON: nested too deeply")
    except ValueError as error:
        return eh.Item({}, where, f"broken JSON: {error}")
    if not isinstance(value, dict):
        return eh.Item({}, where, 'a line must hold one object, such as {"id": "q1", "input": "..."}')
    return eh.Item(value, where)


def _value(text: str) -> Any:
    """Return the value of a line; the decoder looks for white space around it only where there is some."""
    try:
        value, end = DECODER.raw_decode(text)
    except json.JSONDecodeError:
        return DECODER.decode(text)
    return value if end == len(text) else DECODER.decode(text)


def read_csv(path: Path) -> Iterator[eh.Item]:
    """Yield the rows of a comma-separated file as texts by the header's names."""
    return _rows(path, ",")


def read_tsv(path: Path) -> Iterator[eh.Item]:
    """Yield the rows of a tab-separated file as texts by the header's names."""
    return _rows(path, "\t")


def _rows(path: Path, delimiter: str) -> Iterator[eh.Item]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        rows = csv.reader(stream, delimiter=delimiter, strict=True)
        header: list[str] | None = None
        while True:
            where = f"{path}:{rows.line_num + 1}"
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield eh.Item({}, where, f"broken CSV: {error}")
                continue
            if header is None:
                header = _checked_header(row, where)
            elif row:
                yield _row_item(header, row, where)


def _checked_header(row: list[str], where: str) -> list[str]:
    doubled = [name for name in row if row.count(name) > 1]
    if doubled:
        raise eh.DataError(f"{where}: the header names the column '{doubled[0]}' twice")
    return row


def _row_item(header: list[str], row: list[str], where: str) -> eh.Item:
    if len(row) != len(header):
        return eh.Item(
            {}, where, f"{len(row)} values where the header names {len(header)} columns; a value with a comma needs quotes"
        )
    if any("\udc80" <= character <= "\udcff" for cell in row if not cell.isascii() for character in cell):
        return eh.Item({}, where, "not UTF-8")
    return eh.Item(dict(zip(header, row, strict=True)), where)


def read_parquet(path: Path) -> Iterator[eh.Item]:
    """Yield the rows of a parquet file, a batch in memory at a time."""
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            rows = (row for batch in file.iter_batches(batch_size=ROWS_A_BATCH) for row in batch.to_pylist())
            yield from _numbered(rows, path)
    except (ArrowException, OSError) as error:
        yield eh.Item({}, str(path), f"not a readable parquet file: {error}")


def read_json(path: Path) -> Iterator[eh.Item]:
    """Yield the objects of a JSON file that holds a list of them."""
    return _through_datasets("json", path)


def read_arrow(path: Path) -> Iterator[eh.Item]:
    """Yield the rows of an Arrow file as `datasets` writes it."""
    return _through_datasets("arrow", path)


def _through_datasets(builder: str, path: Path) -> Iterator[eh.Item]:
    try:
        rows = datasets_library().load_dataset(builder, data_files=str(path), split="train", streaming=True)
        yield from _numbered(rows, path)
    except Exception as error:  # whatever a builder of `datasets` raises for a file that it cannot read
        yield eh.Item({}, str(path), f"not a readable {builder} file: {error.__cause__ or error}")


def _numbered(rows: Iterable[dict[str, Any]], path: Path) -> Iterator[eh.Item]:
    for number, row in enumerate(rows, start=1):
        yield eh.Item(as_json(row), f"{path}:row {number}")
