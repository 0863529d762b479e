"""Arrow arrays straight from their buffers: `pyarrow.array` would import pandas first, which takes longer than a small run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
import pyarrow

LARGEST = 2**31 - 1  # bytes that the offsets of one array of texts reach


def floats(values: numpy.ndarray[Any, Any]) -> pyarrow.Array:
    """Return numbers (n,) as float64, null in the place of NaN.

    >>> floats(numpy.array([1.5, numpy.nan])).to_pylist()
    [1.5, None]
    """
    flat = numpy.ascontiguousarray(values, dtype=numpy.float64)
    return _array(pyarrow.float64(), flat, ~numpy.isnan(flat))


def whole_numbers(values: Sequence[int]) -> pyarrow.Array:
    """Return whole numbers as int32.

    >>> whole_numbers([0, 1]).to_pylist()
    [0, 1]
    """
    return _array(pyarrow.int32(), numpy.array(values, numpy.int32), numpy.ones(len(values), bool))


def flags(values: numpy.ndarray[Any, Any]) -> pyarrow.Array:
    """Return truth values (n,).

    >>> flags(numpy.array([True, False])).to_pylist()
    [True, False]
    """
    return pyarrow.Array.from_buffers(pyarrow.bool_(), len(values), [None, _bits(values)])


def texts(values: Sequence[str | None]) -> pyarrow.Array | pyarrow.ChunkedArray:
    """Return texts, null in the place of None; in several chunks where one cannot hold so many bytes.

    >>> texts(["é", None, ""]).to_pylist()
    ['é', None, '']
    """
    absent = values.count(None)
    if absent == len(values):
        return pyarrow.nulls(absent, pyarrow.string())
    known = numpy.array([value is not None for value in values], bool) if absent else numpy.ones(len(values), bool)
    given = [value or "" for value in values] if absent else values
    joined = "".join(given)  # type: ignore[arg-type]
    sizes = map(len, given if joined.isascii() else [value.encode() for value in given])  # type: ignore[arg-type, union-attr]
    offsets = numpy.concatenate([[0], numpy.cumsum([*sizes], dtype=numpy.int64)])
    if offsets[-1] > LARGEST and len(values) > 1:
        halves = (texts(part) for part in (values[: len(values) // 2], values[len(values) // 2 :]))
        return pyarrow.chunked_array([chunk for half in halves for chunk in getattr(half, "chunks", [half])])
    return _array(pyarrow.string(), offsets.astype(numpy.int32), known, pyarrow.py_buffer(joined.encode()))


def _array(kind: pyarrow.DataType, values: Any, known: numpy.ndarray[Any, Any], *rest: pyarrow.Buffer) -> pyarrow.Array:
    bits = None if known.all() else _bits(known)
    return pyarrow.Array.from_buffers(kind, len(known), [bits, pyarrow.py_buffer(values), *rest])


def _bits(values: numpy.ndarray[Any, Any]) -> pyarrow.Buffer:
    return pyarrow.py_buffer(numpy.packbits(numpy.asarray(values, bool), bitorder="little"))
