"""The rankings of a run as a TREC run file: topic, Q0, document, rank, score, tag."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalharness.errors import DataError, UsageError
from evalharness.results.export.names import file_name
from evalharness.results.export.rows import rows_of
from evalharness.results.folder import make, whole
from evalharness.results.record import Record, read_record


def text(records: Sequence[Record]) -> str:
    """Raise UsageError: a record has no rankings, its run folder has."""
    raise UsageError("a TREC run file holds the rankings of samples, which go into a file: name a folder with --out DIR")


def write(run: Path, out: Path) -> list[Path]:
    """Write `TASK_SYSTEM.run.txt` into a folder; of several repeats of a sample the first counts.

    Raises DataError where the run has no samples, or an id holds a blank, which would make two columns of it.
    """
    record = read_record(run)
    task, system = file_name(str(record.task["name"])), file_name(str(record.system["name"]))
    make(out)
    path = out / f"{task}_{system}.run.txt"
    with whole(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in rows_of(run):
            if row.repeat == 0:
                file.writelines(_lines(row.id, row.contexts or [], system))
    return [path]


def _lines(topic: str, passages: Sequence[Mapping[str, Any]], tag: str) -> Iterator[str]:
    for name in (topic, *(passage["id"] for passage in passages)):
        if not name.split() == [name]:
            raise DataError(f"the id '{name}' holds a blank or nothing, and columns of a TREC run file are separated by blanks")
    for rank, (passage, score) in enumerate(zip(passages, _scores(passages), strict=True), start=1):
        yield f"{topic} Q0 {passage['id']} {rank} {score!r} {tag}\n"


def _scores(passages: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return the retriever's scores where they give the order of the ranking, all that a reader goes by; else some that do."""
    scores = [passage["score"] for passage in passages]
    if None not in scores:
        keys = [(score, passage["id"]) for score, passage in zip(scores, passages, strict=True)]
        if all(first > second for first, second in itertools.pairwise(keys)):
            return scores
    return [float(len(passages) - place) for place in range(len(passages))]
