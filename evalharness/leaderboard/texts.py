"""Samples without their texts, for boards whose data may not be passed on: what remains can be added up again."""

from __future__ import annotations

from pathlib import Path

import pyarrow
from pyarrow import parquet

from evalharness.errors import DataError
from evalharness.results.samples import ROWS_A_GROUP, TEXTS

KEPT = ("id", "group", "repeat")


def write_without_texts(source: Path, target: Path) -> None:
    """Write a samples file again with ids, groups, scores, statistics and statuses alone."""
    try:
        table = parquet.read_table(source)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{source} cannot be read: {error}") from error
    for name in TEXTS:
        if name not in KEPT:
            place, kind = table.schema.get_field_index(name), table.schema.field(name).type
            table = table.set_column(place, table.schema.field(name), pyarrow.nulls(table.num_rows, kind))
    parquet.write_table(table, target, compression="zstd", row_group_size=ROWS_A_GROUP)


def holds_texts(path: Path) -> bool:
    """Return whether a samples file holds any text of a sample, whatever its record says."""
    names = [name for name in TEXTS if name not in KEPT]
    try:
        table = parquet.read_table(path, columns=names)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return any(column.null_count < len(column) for column in table.columns)
