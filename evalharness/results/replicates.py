"""`replicates.npz`: the aligned replicates of each score, which compare two records without their samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy
from numpy.typing import NDArray


def write_replicates(path: Path, replicates: Mapping[str, NDArray[numpy.float32]]) -> None:
    """Write float32 arrays by score name; equal arrays give equal bytes."""
    with path.open("wb") as file:
        numpy.savez(file, **{name: replicates[name] for name in sorted(replicates)})  # type: ignore[arg-type]


def read_replicates(path: Path) -> dict[str, NDArray[numpy.float32]]:
    """Return the replicates by score name."""
    with numpy.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
