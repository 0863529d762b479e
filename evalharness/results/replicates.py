"""`replicates.npz`: the aligned replicates of each score, which compare two records without their samples."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy
from numpy.typing import NDArray

from evalharness.errors import DataError


def write_replicates(path: Path, replicates: Mapping[str, NDArray[numpy.float32]]) -> None:
    """Write float32 arrays by score name; equal arrays give equal bytes."""
    with path.open("wb") as file:
        numpy.savez(file, **{name: replicates[name] for name in sorted(replicates)})  # type: ignore[arg-type]


def read_replicates(path: Path) -> dict[str, NDArray[numpy.float32]]:
    """Return the replicates by score name; raises DataError where the file holds none."""
    try:
        with path.open("rb") as file, numpy.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} holds no replicates: {error}. A run writes them beside its record.") from error
