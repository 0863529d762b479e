"""`samples.parquet`: every sample with its texts, statistics and statuses; enough to compute each score again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring as quoted
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy
import pyarrow
from pyarrow import parquet

from evalharness.contract import Failure, Passage, Response, canonical
from evalharness.contract.spec import plain
from evalharness.errors import DataError
from evalharness.results import arrow
from evalharness.systems.quick_json import quick_json

if TYPE_CHECKING:
    from evalharness.scoring import Entry, Measured

ROWS_A_GROUP = 10_000
ROWS_WAITING = 65_536
TEXTS = ("id", "group", "repeat", "response", "failure", "contexts", "answers", "evidence", "fields")
JSON = ("failure", "contexts", "answers", "evidence", "fields")
STRUCTS = ("scores", "statistics", "statuses")
FLOAT = "$numberDouble"


@dataclass(frozen=True)
class Scored:
    """A batch ready to be written: one value a row in each text column, and what each metric measured."""

    texts: Mapping[str, Sequence[Any]]
    measured: Mapping[str, Measured]

    def __len__(self) -> int:
        return len(self.texts["id"])


@dataclass
class SampleWriter:
    """Writes scored batches in row groups of a fixed size, so that the bytes do not depend on the batch size.

    The layout of a metric's statistics is known for plain means, and otherwise from the first sample that it measures.
    One that measures none of the first 65,536 gets no column of statistics, so that memory stays flat: what it measures
    later can be computed again from the texts alone.
    """

    path: Path
    entries: Sequence[Entry]
    _waiting: list[Scored] = field(default_factory=list)
    _rows: int = 0
    _types: dict[str, pyarrow.DataType] = field(default_factory=dict)
    _table: pyarrow.Table | None = None
    _writer: parquet.ParquetWriter | None = None

    def add(self, scored: Scored) -> None:
        """Take one batch."""
        self._waiting.append(scored)
        self._rows += len(scored)
        if self._rows >= ROWS_A_GROUP and self._typed():
            self._flush()

    def _typed(self) -> bool:
        """Whether the layout of each metric's statistics is known, or will not be waited for."""
        if self._writer is not None or self._rows >= ROWS_WAITING:
            return True
        return not any(pyarrow.types.is_null(_statistics_type(entry, self._waiting)) for entry in self.entries)

    def _open(self) -> parquet.ParquetWriter:
        self._types = {entry.name: _statistics_type(entry, self._waiting) for entry in self.entries}
        self._table = _table(_nothing(self.entries), self.entries, self._types)
        return parquet.ParquetWriter(self.path, self._table.schema, compression="zstd")

    def _flush(self) -> None:
        """Write what fills whole row groups."""
        self._writer = self._writer or self._open()
        tables = [_table(scored, self.entries, self._types) for scored in self._waiting]
        table = pyarrow.concat_tables([self._table, *tables])
        self._waiting = []
        while table.num_rows >= ROWS_A_GROUP:
            self._writer.write_table(table.slice(0, ROWS_A_GROUP).combine_chunks(), row_group_size=ROWS_A_GROUP)
            table = table.slice(ROWS_A_GROUP)
        self._table, self._rows = table.combine_chunks(), table.num_rows

    def close(self) -> None:
        """Write what is left and close the file."""
        self._flush()
        if self._table is not None and self._writer is not None:
            if self._table.num_rows:
                self._writer.write_table(self._table, row_group_size=ROWS_A_GROUP)
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        elif self._writer is not None:
            # The file is given up; what closing it may raise would hide why.
            with contextlib.suppress(OSError, pyarrow.ArrowException):
                self._writer.close()


def _nothing(entries: Sequence[Entry]) -> Scored:
    """Return a batch of no rows."""
    from evalharness.scoring import Measured

    blank = {
        entry.name: Measured({}, [], {name: numpy.empty(0) for name in entry.scores}, numpy.empty(0, bool)) for entry in entries
    }
    return Scored({name: [] for name in TEXTS}, blank)


def _statistics_type(entry: Entry, batches: Sequence[Scored]) -> pyarrow.DataType:
    """Return the type of a metric's statistics; null where it measured none of the rows that are waited for."""
    if entry.metric.is_mean:
        names = [each for name in entry.metric.parts or ("value",) for each in (name, f"{name}.count")]
        return pyarrow.struct([pyarrow.field(name, pyarrow.float64()) for name in names])
    left = ROWS_WAITING
    for scored in batches:
        measured = scored.measured[entry.name]
        if measured.kept[: max(left, 0)].any():
            return pyarrow.struct([_field(key, numpy.asarray(values)) for key, values in measured.statistics.items()])
        left -= len(scored)
    return pyarrow.null()


def _field(name: str, values: numpy.ndarray[Any, Any]) -> pyarrow.Field:
    shape = values.shape[1:]
    return pyarrow.field(name, _value_type(values), metadata={"shape": json.dumps(shape)} if shape else None)


def _value_type(values: numpy.ndarray[Any, Any]) -> pyarrow.DataType:
    if values.dtype.kind not in "fiub":
        return pyarrow.string()
    return pyarrow.float64() if values.ndim == 1 else pyarrow.list_(pyarrow.float64(), math.prod(values.shape[1:]))


def _table(scored: Scored, entries: Sequence[Entry], types: Mapping[str, pyarrow.DataType]) -> pyarrow.Table:
    columns = {name: (arrow.whole_numbers if name == "repeat" else arrow.texts)(scored.texts[name]) for name in TEXTS}
    measured = [scored.measured[entry.name] for entry in entries]
    scores = {name: arrow.floats(values) for one in measured for name, values in one.values.items()}
    statistics = {entry.name: _statistics(one, types[entry.name]) for entry, one in zip(entries, measured, strict=True)}
    statuses = {entry.name: arrow.texts(one.statuses) for entry, one in zip(entries, measured, strict=True)}
    structs = {"scores": scores, "statistics": statistics, "statuses": statuses}
    return pyarrow.table({**columns, **{name: _struct(parts) for name, parts in structs.items()}})


def _struct(parts: Mapping[str, pyarrow.Array]) -> pyarrow.StructArray:
    return pyarrow.StructArray.from_arrays(list(parts.values()), names=list(parts))


def _statistics(measured: Measured, kind: pyarrow.DataType) -> pyarrow.Array:
    """Return the statistics of one metric as a struct array, null where a sample was not measured."""
    rows = len(measured.statuses)
    if not measured.statistics or pyarrow.types.is_null(kind):
        return pyarrow.nulls(rows, kind)
    parts = [_column(numpy.asarray(measured.statistics[item.name]), item.type) for item in kind]
    return pyarrow.StructArray.from_arrays(parts, fields=list(kind), mask=arrow.flags(~numpy.asarray(measured.kept)))


def _column(values: numpy.ndarray[Any, Any], kind: pyarrow.DataType) -> pyarrow.Array:
    if pyarrow.types.is_fixed_size_list(kind):
        return pyarrow.FixedSizeListArray.from_arrays(arrow.floats(values.reshape(-1)), kind.list_size)
    if pyarrow.types.is_floating(kind):
        return arrow.floats(values)
    # Rows that were not measured hold a number in place of a text.
    return arrow.texts([value if isinstance(value, str) else None for value in values.tolist()])


def json_text(value: Any) -> str:
    """Return canonical JSON; a float that JSON has no word for is `{"$numberDouble": NAME}`, as in Extended JSON.

    >>> json_text({"a": float("-inf")})
    '{"a":{"$numberDouble":"-Infinity"}}'
    """
    try:
        return quick_json(value)
    except ValueError:
        return canonical(_named_floats(value))


def json_rows(columns: Mapping[str, Sequence[Any]], count: int) -> list[str]:
    """Return `count` rows of some columns as JSON objects, each as `json_text` would write it.

    >>> json_rows({"b": ["x", "y"], "a": [1, None]}, 2)
    ['{"a":1,"b":"x"}', '{"a":null,"b":"y"}']
    """
    names = sorted(columns)
    members = ",".join(f"{quoted(name).replace('%', '%%')}:%s" for name in names)
    form = f"{{{members}}}"
    rows = zip(*(map(json_text, columns[name]) for name in names), strict=True) if names else [()] * count
    return [form % row for row in rows]


def read_json(text: str) -> Any:
    """Return the value that `json_text` wrote.

    >>> read_json(json_text([float("-inf"), "Infinity", 1.5]))
    [-inf, 'Infinity', 1.5]
    """
    return json.loads(text, object_hook=_float_of_name)


def _named_floats(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {FLOAT: "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, (str, int, float, type(None))):
        return value
    if isinstance(value, (list, tuple)):
        return [_named_floats(item) for item in value]
    mapping = value if isinstance(value, Mapping) else plain(value)
    return {key: _named_floats(item) for key, item in mapping.items()} if isinstance(mapping, Mapping) else mapping


def _float_of_name(found: dict[str, Any]) -> Any:
    named = found.get(FLOAT) if len(found) == 1 else None
    return float(named) if named in ("NaN", "Infinity", "-Infinity") else found


def evidence_text(measured: Mapping[str, Measured], row: int) -> str | None:
    """Return the evidence that each metric gave for one row of a batch, as JSON; None where there is none."""
    found = {name: one.evidence[row] for name, one in measured.items() if row in one.evidence}
    return canonical(found) if found else None


def answers_text(answers: Mapping[str, Sequence[Response]]) -> str | None:
    """Return the answers that each metric was given for one sample, as JSON; None where none asked."""
    if not answers:
        return None
    return json_text({name: [_answer(response) for response in given] for name, given in answers.items()})


def _answer(response: Response) -> dict[str, Any]:
    """Return all that a response holds, without what it has by default."""
    values = {item.name: (getattr(response, item.name), item.default) for item in dataclasses.fields(response)}
    return {name: value for name, (value, default) in values.items() if value != default}


def read_answers(answers: Mapping[str, Sequence[Mapping[str, Any]]] | None, name: str) -> list[Response]:
    """Return the answers that a metric was given for one sample, from what `read_json` made of their text."""
    return [_response(**answer) for answer in (answers or {}).get(name, ())]


def _response(*, contexts: Any = None, error: Any = None, **values: Any) -> Response:
    rest: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    passages = None if contexts is None else tuple(Passage(**passage) for passage in contexts)
    return Response(**rest, contexts=passages, error=None if error is None else Failure(**error))


def read_batches(
    path: Path, entries: Sequence[Entry], size: int, texts: Sequence[str] = TEXTS
) -> Iterator[tuple[dict[str, list[Any]], dict[str, Measured]]]:
    """Yield some columns of texts (as Python values, JSON decoded) and what each metric measured, `size` rows at a time.

    Raises DataError where the file is none, or has not all columns.
    """
    try:
        for batch in _opened(path, entries).iter_batches(size, columns=[*texts, *STRUCTS]):
            yield {name: _texts(name, batch.column(name)) for name in texts}, _all_measured(batch, entries)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def read_rows(path: Path, size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a samples file as they are stored, JSON as text, `size` at a time; needs no plugin.

    Raises DataError where the file is none, or has not all columns.
    """
    try:
        file = parquet.ParquetFile(path)
        _refuse_missing(path, file.schema_arrow, dict.fromkeys((*TEXTS, *STRUCTS), ()))
        for batch in file.iter_batches(size):
            yield batch.to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def read_values(path: Path) -> dict[str, numpy.ndarray[Any, Any]]:
    """Return the values of all samples by score name, NaN where there is none; raises DataError where the file is none."""
    try:
        scores = parquet.read_table(path, columns=["scores"]).column("scores").combine_chunks()
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return {part.name: _values(scores.field(part.name)) for part in scores.type}


def _opened(path: Path, entries: Sequence[Entry]) -> parquet.ParquetFile:
    file, scores = parquet.ParquetFile(path), [score for entry in entries for score in entry.scores]
    names = [entry.name for entry in entries]
    wanted = {**dict.fromkeys(TEXTS, ()), "scores": scores, "statistics": names, "statuses": names}
    _refuse_missing(path, file.schema_arrow, wanted)
    return file


def _refuse_missing(path: Path, schema: pyarrow.Schema, wanted: Mapping[str, Sequence[str]]) -> None:
    """Raise DataError where a column is missing, or a part of one that holds several."""
    for column, parts in wanted.items():
        if column not in schema.names:
            raise DataError(f"{path} has no column '{column}', which a run writes")
        held = {part.name for part in schema.field(column).type} if parts else ()
        for part in parts:
            if part not in held:
                raise DataError(f"{path} has no {column} of '{part}', which a run writes")


def _texts(name: str, column: pyarrow.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return [None if text is None else read_json(text) for text in values] if name in JSON else values


def _all_measured(batch: pyarrow.RecordBatch, entries: Sequence[Entry]) -> dict[str, Measured]:
    scores, statistics, statuses = (batch.column(name) for name in STRUCTS)
    return {
        entry.name: _measured(
            statistics.field(entry.name),
            statuses.field(entry.name).to_pylist(),
            {name: _values(scores.field(name)) for name in entry.scores},
        )
        for entry in entries
    }


def _values(column: pyarrow.Array) -> numpy.ndarray[Any, Any]:
    return numpy.asarray(column.cast(pyarrow.float64()).fill_null(math.nan))


def _measured(stored: pyarrow.Array, statuses: list[str | None], values: dict[str, numpy.ndarray[Any, Any]]) -> Measured:
    """Return what a metric measured; without statistics where the file has no column of them."""
    from evalharness.scoring import Measured

    kept = numpy.asarray(stored.is_valid())
    parts = [] if pyarrow.types.is_null(stored.type) else stored.type
    columns = {part.name: _numbers(stored.field(part.name), part, len(statuses)) for part in parts}
    return Measured(columns, statuses, values, kept)


def _numbers(column: pyarrow.Array, part: pyarrow.Field, rows: int) -> numpy.ndarray[Any, Any]:
    """Return one statistic (rows, *shape); rows that were not measured hold 0."""
    valid = numpy.asarray(column.is_valid())
    if pyarrow.types.is_string(part.type):
        return numpy.array(column.to_pylist(), dtype=object)
    numbers = numpy.zeros((rows, *_shape(part)))
    values = column.drop_null()
    flat = values.flatten() if pyarrow.types.is_fixed_size_list(part.type) else values
    numbers[valid] = numpy.asarray(flat.fill_null(float("nan"))).reshape(-1, *_shape(part))
    return numbers


def _shape(part: pyarrow.Field) -> tuple[int, ...]:
    return tuple(json.loads(part.metadata[b"shape"])) if part.metadata else ()
