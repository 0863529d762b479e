"""`replicates.npz`: the aligned replicates of each score, which compare two records without their samples."""

from __future__ import annotations

import functools
import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy
from numpy.typing import NDArray

from evalharness.errors import DataError

_MAGIC = b"\x93NUMPY\x01\x00"


def write_replicates(path: Path, replicates: Mapping[str, NDArray[numpy.float32]]) -> None:
    """Write float32 arrays by score name; equal arrays give equal bytes."""
    with path.open("wb") as file:
        numpy.savez(file, **{name: replicates[name] for name in sorted(replicates)})  # type: ignore[arg-type]


def read_replicates(path: Path) -> dict[str, NDArray[numpy.float32]]:
    """Return the replicates by score name; raises DataError where the file holds none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename.removesuffix(".npy"): _array(archive.read(info)) for info in archive.infolist()}
    except (OSError, ValueError, TypeError, EOFError, IndexError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path} holds no replicates: {error}. A run writes them beside its record.") from error


def _array(content: bytes) -> NDArray[numpy.float32]:
    """Return the array of one file of the archive.

    `numpy.load` takes three times as long, since it parses each header anew, and a board reads tens of thousands.
    """
    if content[:8] != _MAGIC:
        raise ValueError("an array of another format than 1.0")
    start = 10 + int.from_bytes(content[8:10], "little")
    shape, kind = _layout(content[:start])
    return numpy.frombuffer(content, kind, offset=start).reshape(shape).copy()


@functools.lru_cache(maxsize=64)
def _layout(header: bytes) -> tuple[tuple[int, ...], numpy.dtype[numpy.float32]]:
    file = io.BytesIO(header)
    numpy.lib.format.read_magic(file)
    shape, turned, kind = numpy.lib.format.read_array_header_1_0(file)
    if turned or kind.hasobject:
        raise ValueError("an array of objects, or in Fortran's order")
    return shape, kind
