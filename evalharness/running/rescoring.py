"""Scores a finished run again from its samples and says whether every number agrees; no model is asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from evalharness import registry
from evalharness.contract import Batch, Failure, Passage, Response, Sample
from evalharness.errors import DataError
from evalharness.results.folder import RECORD, REPLICATES, SAMPLES, TASK
from evalharness.results.record import Record, read_record
from evalharness.results.replicates import read_replicates
from evalharness.results.samples import read_batches, read_statistics
from evalharness.running.measuring import Scoring
from evalharness.running.parts import build_chain
from evalharness.running.pipeline import ROWS_A_BATCH, Answered, Row
from evalharness.scoring import Entry, Finished, Score, seed_of
from evalharness.task import load_task

COMPARED = ("value", "low", "high", "samples", "groups", "unmeasured", "errors")


@dataclass(frozen=True)
class Agreement:
    """Where a record and its recomputation differ: by score name, the part and both values."""

    folder: Path
    scores: int
    differences: tuple[tuple[str, str, Any, Any], ...]

    @property
    def agrees(self) -> bool:
        """Whether every number agrees."""
        return not self.differences

    def plain(self) -> dict[str, Any]:
        """Return the agreement as JSON knows it."""
        names = ("score", "part", "recorded", "recomputed")
        rows = [dict(zip(names, difference, strict=True)) for difference in self.differences]
        return {"run": str(self.folder), "agrees": self.agrees, "scores": self.scores, "differences": rows}

    def text(self) -> str:
        """Return the agreement in words."""
        if self.agrees:
            return f"{self.folder}: all {self.scores} scores and their replicates agree with the record"
        lines = [f"  {name}: {part} is {was!r} in the record, {now!r} recomputed" for name, part, was, now in self.differences]
        return "\n".join([f"{self.folder}: the record does not agree with its samples", *lines])


def rescore(folder: str | Path, *, statistics_only: bool = False) -> Agreement:
    """Return whether a run's record agrees with its samples.

    `measure` and `score` run again from the texts; with `statistics_only` the stored statistics are added and scored
    again. Metrics that run an encoder agree within their stated tolerance. Raises DataError where a file is missing.
    """
    folder = Path(folder)
    for name in (RECORD, REPLICATES, SAMPLES, TASK):
        if not (folder / name).is_file():
            raise DataError(f"{folder} is no finished run: it has no {name}. Give the folder that 'evalharness run' wrote.")
    task = load_task(folder / TASK)
    scoring = Scoring(
        build_chain(task, registry.installed()), task.failures, lambda entry, batch: batch.once(("answers", entry.name), list)
    )
    (_add_statistics if statistics_only else _add_samples)(scoring, folder / SAMPLES)
    finished = scoring.finish(seed=seed_of(task.name, task.version, task.group), clustered=task.group is not None)
    return Agreement(folder, *_compare(read_record(folder), read_replicates(folder / REPLICATES), finished))


def _add_samples(scoring: Scoring, path: Path) -> None:
    for columns in read_batches(path, ROWS_A_BATCH):
        batch = Batch(_columns(columns), columns["id"])
        for entry in scoring.chain.entries:
            given = [_answers((answers or {}).get(entry.name, ())) for answers in columns["answers"]]
            batch.memo["answers", entry.name] = given
        scoring.add(Answered(_rows(columns), batch, [failure and Failure(**failure) for failure in columns["failure"]]))


def _columns(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for fields in columns["fields"] for name in fields)
    fields = {name: [row.get(name) for row in columns["fields"]] for name in names}
    contexts = [None if found is None else [Passage(**passage) for passage in found] for found in columns["contexts"]]
    return {**fields, "id": columns["id"], "group": columns["group"], "response": columns["response"], "contexts": contexts}


def _answers(given: Any) -> list[Response]:
    return [
        Response(
            text=answer.get("text"),
            logprobs=None if "logprobs" not in answer else tuple(answer["logprobs"]),
            tokens=None if "tokens" not in answer else tuple(answer["tokens"]),
            error=Failure(**answer["error"]) if "error" in answer else None,
        )
        for answer in given
    ]


def _rows(columns: dict[str, list[Any]]) -> list[Row]:
    parts = zip(columns["id"], columns["group"], columns["repeat"], strict=True)
    return [Row(Sample(name, {}, group), repeat) for name, group, repeat in parts]


def _add_statistics(scoring: Scoring, path: Path) -> None:
    for columns, measured in read_statistics(path, scoring.chain.entries, ROWS_A_BATCH):
        scoring.add_measured(_rows(columns), measured)


def _compare(
    record: Record, replicates: dict[str, Any], finished: list[tuple[Entry, Finished]]
) -> tuple[int, tuple[tuple[str, str, Any, Any], ...]]:
    scores = {name: (entry, score) for entry, one in finished for name, score in one.scores.items()}
    differences: list[tuple[str, str, Any, Any]] = []
    for name in dict.fromkeys([*record.scores, *scores]):
        if name not in record.scores or name not in scores:
            differences.append((name, "score", name in record.scores, name in scores))
        else:
            entry, score = scores[name]
            differences += _parts(name, record.scores[name], score, entry.metric.tolerance)
    again = {name: values for _, one in finished for name, values in one.replicates.items()}
    tolerance = {name: entry.metric.tolerance for name, (entry, _) in scores.items()}
    differences += [
        (name, "replicates", "stored", "different")
        for name in dict.fromkeys([*replicates, *again])
        if not _equal_arrays(replicates.get(name), again.get(name), tolerance.get(name, 0.0))
    ]
    return len(scores), tuple(differences)


def _parts(name: str, recorded: Score, again: Score, tolerance: float) -> Iterator[tuple[str, str, Any, Any]]:
    for part in COMPARED:
        was, now = getattr(recorded, part), getattr(again, part)
        if was != now and not (tolerance and _near(was, now, tolerance)):
            yield name, part, was, now


def _near(was: Any, now: Any, tolerance: float) -> bool:
    return isinstance(was, float) and isinstance(now, float) and math.isclose(was, now, rel_tol=tolerance, abs_tol=tolerance)


def _equal_arrays(was: Any, now: Any, tolerance: float) -> bool:
    if was is None or now is None or was.shape != now.shape:
        return False
    return bool(numpy.allclose(was, now, rtol=tolerance, atol=tolerance, equal_nan=True))
