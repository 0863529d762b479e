"""Scores a finished run again from its samples and says whether everything agrees; no model is asked."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy

from evalharness import registry
from evalharness.contract import Batch, Failure, File, Passage, Sample, Spec, canonical
from evalharness.errors import DataError
from evalharness.results.figures import plain_figures, read_figures
from evalharness.results.folder import RECORD, REPLICATES, SAMPLES, TASK, folder_of
from evalharness.results.record import Record, read_record
from evalharness.results.replicates import read_replicates
from evalharness.results.samples import read_answers, read_batches
from evalharness.running.goals import bounded_means
from evalharness.running.measuring import Scoring
from evalharness.running.parts import build_chain
from evalharness.running.pipeline import Answered, Row, rows_a_batch
from evalharness.running.seeds import SeedScoring, values_by_seed
from evalharness.running.watching import Replay
from evalharness.scoring import Chain, Entry, Finished, Measured, Score, mean_over_seeds, seed_of
from evalharness.scoring.calls import PluginFault, call_score
from evalharness.scoring.measuring import UNDEFINED
from evalharness.task import Task, load_task

Steps = Literal["measure", "statistics"]
Difference = tuple[str, str, Any, Any]
ROUNDING = 1e-12  # numpy may round one row of a table otherwise than the same row alone


@dataclass(frozen=True)
class Agreement:
    """Where a record and its recomputation differ: by score name, the part and both values.

    `steps` says what was repeated: "measure" and all after it, or only what follows from the stored "statistics".
    """

    folder: Path
    steps: Steps
    scores: int
    differences: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        """Whether everything agrees."""
        return not self.differences

    def plain(self) -> dict[str, Any]:
        """Return the agreement as JSON knows it."""
        names = ("score", "part", "recorded", "recomputed")
        rows = [dict(zip(names, difference, strict=True)) for difference in self.differences]
        found = {"agrees": self.agrees, "steps": self.steps, "scores": self.scores, "differences": rows}
        return {"run": str(self.folder), **found}

    def text(self) -> str:
        """Return the agreement in words."""
        covered = " (statistics only: nothing was measured again)" if self.steps == "statistics" else ""
        if self.agrees:
            return f"{self.folder}: all {self.scores} scores and their replicates agree with the record{covered}"
        lines = [f"  {name}: {part} is {was!r} in the record, {now!r} recomputed" for name, part, was, now in self.differences]
        return "\n".join([f"{self.folder}: the record does not agree with its samples{covered}", *lines])


def rescore(folder: str | Path, *, statistics_only: bool = False) -> Agreement:
    """Return whether a run's record agrees with its samples.

    `measure` and `score` run again from the texts; with `statistics_only` the stored statistics are added and scored
    again. Metrics that run an encoder agree within their stated tolerance. Raises DataError where a file is missing or
    cannot be read.
    """
    folder = folder_of(Path(folder))
    for name in (RECORD, REPLICATES, SAMPLES, TASK):
        if not (folder / name).is_file():
            raise DataError(f"{folder} is no finished run: it has no {name}. Give the folder that 'evalharness run' wrote.")
    record, replicates = read_record(folder), read_replicates(folder / REPLICATES)
    task = stored_task(folder, record)
    again = _Again(task, build_chain(task, registry.installed()), record)
    (again.add_statistics if statistics_only else again.add_samples)(folder / SAMPLES)
    differences = (
        *again.of_task(record),
        *again.of_stopping(record),
        *again.of_seeds(record),
        *again.of_scores(record, replicates),
        *again.of_figures(folder),
        *again.found.values(),
    )
    return Agreement(folder, "statistics" if statistics_only else "measure", len(again.chain.score_names), differences)


def stored_task(folder: Path, record: Record) -> Task:
    """Return the task of a run, its relative paths from where the task file stands or, if that is gone, the run folder.

    Those of a retriever are left as they are: it may have come from a system's own file.
    """
    task = load_task(folder / TASK)
    origin = Path(str(record.provenance.get("task_file", "")))
    if not origin.is_file():
        return task
    home, shots = str(origin.parent), task.fewshot
    return dataclasses.replace(
        task,
        dataset=dataclasses.replace(task.dataset, source=_moved(task.dataset.source, home)),
        fewshot=dataclasses.replace(shots, path=_moved(shots.path, home)),
        system=dataclasses.replace(task.system, model=_moved(task.system.model, home)),
        metrics=tuple(dataclasses.replace(entry, spec=_moved(entry.spec, home)) for entry in task.metrics),
    )


def _moved(value: Any, folder: str) -> Any:
    """Return a file or a spec, and those in its options, with another folder for relative paths."""
    if isinstance(value, File):
        return File(str(Path(folder) / value.written), value.written)
    if isinstance(value, Spec):
        return Spec(value.name, {key: _moved(option, folder) for key, option in value.options.items()}, folder)
    return [_moved(item, folder) for item in value] if isinstance(value, (list, tuple)) else value


class _Again:
    """The recomputation of one run; `found` holds the first difference of each kind in its samples."""

    def __init__(self, task: Task, chain: Chain, record: Record) -> None:
        stopping, seeds = record.stopping, record.seeds
        self.task, self.chain, self.seed = task, chain, seed_of(task.name, task.version, task.group)
        self.replay = None if stopping is None else Replay(stopping, bounded_means(chain), self.seed)
        self.by_seed = None if seeds is None else SeedScoring(chain, task.failures, len(seeds["seeds"]), task.repeats)
        self.scoring = Scoring(chain, task.failures, lambda entry, batch: batch.once(("answers", entry.name), list))
        self.samples = 0
        self.found: dict[tuple[str, str], Difference] = {}
        self.tolerance = _tolerances(chain)

    def add_samples(self, path: Path) -> None:
        """Measure all samples again."""
        for columns, stored in read_batches(path, self.chain.entries, rows_a_batch(self.task.repeats)):
            batch = Batch(_columns(columns), columns["id"])
            for entry in self.chain.entries:
                batch.memo["answers", entry.name] = [read_answers(answers, entry.name) for answers in columns["answers"]]
            failures = [failure and Failure(**failure) for failure in columns["failure"]]
            measured = self.scoring.add(Answered(stored_rows(columns), batch, failures)).measured
            self._count(columns, measured)
            for entry in self.chain.entries:
                self._compare(entry, columns["id"], stored[entry.name], measured[entry.name])
                self._compare_evidence(entry, columns, measured[entry.name])

    def add_statistics(self, path: Path) -> None:
        """Add the stored statistics again."""
        for columns, stored in read_batches(path, self.chain.entries, rows_a_batch(1), texts=("id", "group", "repeat")):
            for entry in self.chain.entries:
                refuse_without_statistics(entry, stored[entry.name], path)
                self._compare(entry, columns["id"], stored[entry.name], _valued(entry, stored[entry.name]))
            self.scoring.add_measured(stored_rows(columns), stored)
            self._count(columns, stored)

    def _count(self, columns: dict[str, list[Any]], measured: Mapping[str, Measured]) -> None:
        self.samples += columns["repeat"].count(0)
        for each in (self.replay, self.by_seed):
            if each is not None:
                each.add(stored_rows(columns), measured)

    def _compare(self, entry: Entry, ids: Sequence[str], stored: Measured, again: Measured) -> None:
        tolerance = self.tolerance[entry.name]
        for score, values in stored.values.items():
            unequal = ~numpy.isclose(values, again.values[score], tolerance, tolerance or ROUNDING, equal_nan=True)
            self._note(score, "value", ids, unequal, values, again.values[score])
        statuses = numpy.array(stored.statuses, object), numpy.array(again.statuses, object)
        self._note(entry.name, "status", ids, statuses[0] != statuses[1], *statuses)
        for name in sorted({*stored.statistics, *again.statistics} if stored.statistics else ()):
            shown = [_by_row(measured, name) for measured in (stored, again)]
            self._note(entry.name, f"statistic '{name}'", ids, _unequal(stored, again, name, tolerance), *shown)

    def _compare_evidence(self, entry: Entry, columns: dict[str, list[Any]], again: Measured) -> None:
        was = [(found or {}).get(entry.name) for found in columns["evidence"]]
        now = [json.loads(canonical(again.evidence.get(row))) for row in range(len(was))]
        tolerance = self.tolerance[entry.name] or ROUNDING
        unequal = [not _alike(*pair, tolerance) for pair in zip(was, now, strict=True)]
        self._note(entry.name, "evidence", columns["id"], unequal, was, now)

    def _note(self, name: str, part: str, ids: Sequence[str], unequal: Any, was: Any, now: Any) -> None:
        for row in numpy.flatnonzero(unequal)[:1].tolist():
            shown = [_plain(values[row]) for values in (was, now)]
            self.found.setdefault((name, part), (name, f"the {part} of sample '{ids[row]}'", *shown))

    def of_task(self, record: Record) -> Iterator[Difference]:
        """Yield where the record names another task, system or number of samples than its run folder."""
        task, system = self.task, self.task.system
        found: dict[str, dict[str, Any]] = {
            "task": {"name": task.name, "version": task.version, "digest": task.digest()},
            "system": {"name": system.name, "digest": system.digest(), "spec": system.plain()},
            "dataset": {"samples": self.samples},
        }
        for section, values in found.items():
            recorded = getattr(record, section)
            for part, now in values.items():
                if recorded.get(part) != now:
                    yield section, part, recorded.get(part), now

    def of_stopping(self, record: Record) -> Iterator[Difference]:
        """Yield where the record says otherwise what a run stopped for and when."""
        if self.replay is None or record.stopping is None:
            return
        for part, now in self.replay.found().items():
            if not _alike(record.stopping.get(part), now, self._tolerance(self.replay.entry, "interval")):
                yield "stopping", part, record.stopping.get(part), now

    def of_seeds(self, record: Record) -> Iterator[Difference]:
        """Yield where an arm's record says otherwise what a seed reached."""
        if self.by_seed is None or record.seeds is None:
            return
        count, repeats = len(record.seeds["seeds"]), self.task.repeats
        if repeats % count:
            yield "seeds", "number", count, f"{repeats} repeats in its task"
        again = values_by_seed(self._seeds)
        tolerance = {name: self.tolerance[entry.name] for entry in self.chain.entries for name in entry.scores}
        for name, values in again.items():
            recorded = record.seeds["scores"].get(name)
            if not _alike(recorded, values, tolerance[name]):
                yield name, "values by seed", recorded, values

    def _tolerance(self, entry: Entry, part: str) -> float:
        """Return how far a part of a score may lie apart; an end of a sequence moves by whole cells."""
        tolerance = self.tolerance[entry.name]
        if tolerance and self.replay is not None and entry == self.replay.entry and part in ("low", "high", "interval"):
            return max(tolerance, self.replay.cell)
        return tolerance

    def of_scores(self, record: Record, replicates: dict[str, Any]) -> Iterator[Difference]:
        """Yield where scores and replicates differ."""
        finished = self._finished
        scores = {name: (entry, score) for entry, one in finished for name, score in one.scores.items()}
        if self.replay is not None:
            entry, score = scores[self.replay.score]
            scores[self.replay.score] = entry, self.replay.applied(score)
        for name in dict.fromkeys([*record.scores, *scores]):
            if name not in record.scores or name not in scores:
                yield name, "score", name in record.scores, name in scores
            else:
                yield from self._parts(name, *scores[name], record.scores[name])
        yield from self._of_replicates(replicates, finished)

    def of_figures(self, folder: Path) -> Iterator[Difference]:
        """Yield where the figures differ; a run that is passed on without them has nothing to differ."""
        again = plain_figures({entry.name: one.figures for entry, one in self._finished})
        stored = plain_figures(read_figures(folder))
        for entry in self.chain.entries if stored else ():
            if not _alike(stored.get(entry.name), again.get(entry.name), self.tolerance[entry.name]):
                yield entry.name, "figures", "stored", "different"

    @functools.cached_property
    def _seeds(self) -> list[dict[str, Finished]]:
        clustered = self.task.group is not None
        return [] if self.by_seed is None else self.by_seed.finish(seed=self.seed, clustered=clustered)

    @functools.cached_property
    def _finished(self) -> list[tuple[Entry, Finished]]:
        """Return what the samples make; of an arm, the mean over its seeds."""
        pooled = self.scoring.finish(seed=self.seed, clustered=self.task.group is not None)
        if not self._seeds:
            return pooled
        return [(entry, mean_over_seeds(entry, one, [seed[entry.name] for seed in self._seeds])) for entry, one in pooled]

    def _parts(self, name: str, entry: Entry, again: Score, recorded: Score) -> Iterator[Difference]:
        recorded = _without_asked(entry, recorded)
        for item in dataclasses.fields(Score):
            was, now = getattr(recorded, item.name), getattr(again, item.name)
            if not _alike(was, now, self._tolerance(entry, item.name)):
                yield name, item.name, was, now

    def _of_replicates(self, replicates: dict[str, Any], finished: list[tuple[Entry, Finished]]) -> Iterator[Difference]:
        again = {name: (entry, values) for entry, one in finished for name, values in one.replicates.items()}
        for name in dict.fromkeys([*replicates, *again]):
            if name not in replicates or name not in again:
                yield name, "replicates", name in replicates, name in again
            elif not _alike(replicates[name], again[name][1], self.tolerance[again[name][0].name]):
                yield name, "replicates", "stored", "different"


def _tolerances(chain: Chain) -> dict[str, float]:
    """Return how far the values of each entry may lie apart: as far as its metric says, or one that it builds on."""
    found: dict[str, float] = {}
    of_score: dict[str, float] = {}
    for entry in chain.entries:
        found[entry.name] = max([entry.metric.tolerance, *(of_score[score] for score in entry.metric.uses)])
        of_score |= dict.fromkeys(entry.scores, found[entry.name])
    return found


def _columns(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for fields in columns["fields"] for name in fields)
    fields = {name: [row.get(name) for row in columns["fields"]] for name in names}
    contexts = [None if found is None else [Passage(**passage) for passage in found] for found in columns["contexts"]]
    return {**fields, "id": columns["id"], "group": columns["group"], "response": columns["response"], "contexts": contexts}


def stored_rows(columns: dict[str, list[Any]]) -> list[Row]:
    parts = zip(columns["id"], columns["group"], columns["repeat"], strict=True)
    return [Row(Sample(name, {}, group), repeat) for name, group, repeat in parts]


def refuse_without_statistics(entry: Entry, stored: Measured, path: Path) -> None:
    """Raise DataError where a samples file has no statistics of samples that were measured."""
    if not stored.statistics and any(status in (None, UNDEFINED) for status in stored.statuses):
        raise DataError(
            f"{path} holds no statistics of '{entry.name}', which measured none of the first samples. "
            f"Score the run again from its texts: evalharness run --rescore {path.parent}"
        )


def _valued(entry: Entry, stored: Measured) -> Measured:
    """Return stored statistics with the values that follow from them."""
    values = {name: numpy.full(len(stored.statuses), numpy.nan) for name in entry.scores}
    kept = {name: column[stored.kept] for name, column in stored.statistics.items()}
    if stored.kept.any() and entry.metric.pool == "sum":
        try:
            found = call_score(entry, kept, (int(stored.kept.sum()),))
        except PluginFault:  # then no stored value agrees
            found = {}
        for name, column in found.items():
            values[name][stored.kept] = numpy.where(numpy.isfinite(column), column, numpy.nan)
    return dataclasses.replace(stored, values=values)


def _by_row(measured: Measured, name: str) -> Sequence[Any]:
    """Return one statistic of each sample, None where it was not measured."""
    column = measured.statistics.get(name)
    return [None if column is None or not kept else column[row] for row, kept in enumerate(measured.kept)]


def _unequal(stored: Measured, again: Measured, name: str, tolerance: float) -> Any:
    """Return in which rows one statistic differs."""
    was, now = stored.statistics.get(name), again.statistics.get(name)
    if was is None or now is None or was.shape != now.shape:
        return stored.kept | again.kept
    text = object in (was.dtype, now.dtype)
    same = was == now if text else numpy.isclose(was, now, tolerance, tolerance, equal_nan=True).reshape(len(was), -1).all(1)
    return (stored.kept != again.kept) | (stored.kept & ~same)


def _without_asked(entry: Entry, recorded: Score) -> Score:
    """Return a score without the model that its metric asked, which samples do not show."""
    if not entry.metric.asks:
        return recorded
    return dataclasses.replace(recorded, signature=recorded.signature.rpartition("|asked:")[0])


def _alike(was: Any, now: Any, tolerance: float) -> bool:
    """Return whether two values are equal, numbers within a tolerance."""
    if isinstance(was, numpy.ndarray) and isinstance(now, numpy.ndarray):
        return was.shape == now.shape and numpy.allclose(was, now, tolerance, tolerance, equal_nan=True)
    if isinstance(was, float) and isinstance(now, float):
        return math.isclose(was, now, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(_alike(*pair, tolerance) for pair in zip(was, now, strict=True))
    if isinstance(was, dict) and isinstance(now, dict):
        return was.keys() == now.keys() and all(_alike(was[key], now[key], tolerance) for key in was)
    return type(was) is type(now) and bool(was == now)


def _plain(value: Any) -> Any:
    """Return a value of an array as JSON knows it."""
    value = value.tolist() if isinstance(value, (numpy.ndarray, numpy.generic)) else value
    return None if isinstance(value, float) and math.isnan(value) else value
