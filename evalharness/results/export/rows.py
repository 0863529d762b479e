"""The samples of a run, row by row, for formats that carry them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.errors import DataError
from evalharness.results.folder import SAMPLES, folder_of

TEXTS = ("id", "group", "repeat", "response", "contexts", "fields")
ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, kw_only=True)
class Row:
    """One sample at one repeat; `scores` holds its values by score name, None where there is none."""

    id: str
    group: str | None
    repeat: int
    response: str | None
    contexts: list[dict[str, Any]] | None
    fields: Mapping[str, Any]
    scores: Mapping[str, float | None]
    statuses: Mapping[str, str | None]

    def status_of(self, score: str) -> str | None:
        """Return why a score has no value here, or a remark on it: the status of the metric whose name it begins with."""
        metrics = [metric for metric in self.statuses if score.startswith(metric)]
        return self.statuses[max(metrics, key=len)] if metrics else None


def has_rows(run: Path) -> bool:
    """Return whether a run folder, or the one that a record file stands in, has samples."""
    return (folder_of(run) / SAMPLES).is_file()


def rows_of(run: Path) -> Iterator[Row]:
    """Yield the rows of a run folder, or of the one that a record file stands in; DataError where they cannot be read."""
    import pyarrow
    from pyarrow import parquet

    path = folder_of(run) / SAMPLES
    try:
        for batch in parquet.ParquetFile(path).iter_batches(ROWS_AT_ONCE, columns=[*TEXTS, "scores", "statuses"]):
            yield from map(_row, batch.to_pylist())
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _row(plain: dict[str, Any]) -> Row:
    from evalharness.results.samples import JSON, read_json

    decoded = {name: read_json(plain[name]) if name in JSON and plain[name] is not None else plain[name] for name in TEXTS}
    return Row(**{**decoded, "fields": decoded["fields"] or {}, "scores": plain["scores"], "statuses": plain["statuses"]})


def input_of(row: Row) -> str:
    """Return what was asked of a sample, as text; a conversation as its turns."""
    found = row.fields.get("input")
    if isinstance(found, list):
        return "\n".join(str(turn.get("content", turn)) if isinstance(turn, Mapping) else str(turn) for turn in found)
    return "" if found is None else str(found)


def references_of(row: Row) -> list[str]:
    """Return what a sample's response is held against, as texts: its references, or the choices that are right."""
    references = row.fields.get("references")
    if references is not None:
        return [str(reference) for reference in (references if isinstance(references, list) else [references])]
    choices, target = row.fields.get("choices"), row.fields.get("target")
    named: list[Any] = target if isinstance(target, list) else [target]
    if isinstance(choices, list) and all(isinstance(place, int) and 0 <= place < len(choices) for place in named):
        return [str(choices[place]) for place in named]
    return [] if target is None else [str(target)]
