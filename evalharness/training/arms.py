"""The record of an arm from the run folders of its seeds: their samples as repeats, scored through the same tally."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from evalharness import registry
from evalharness.errors import DataError
from evalharness.results.figures import write_figures
from evalharness.results.folder import RECORD, REPLICATES, SAMPLES, TASK, begin, locked, whole, write_text
from evalharness.results.record import Record, provenance, read_record
from evalharness.results.replicates import read_replicates, write_replicates
from evalharness.results.samples import JSON, TEXTS, SampleWriter, Scored, json_text, read_batches
from evalharness.running.measuring import Scoring
from evalharness.running.parts import build_chain
from evalharness.running.pipeline import ROWS_A_BATCH
from evalharness.running.rescoring import refuse_without_statistics, stored_rows, stored_task
from evalharness.scoring import Chain, Entry, Finished, Measured, Score, mean_over_seeds, seed_of
from evalharness.task import Task, TrainingTask, task_yaml

SEED = re.compile(r"seed(\d+)")


@dataclass(frozen=True)
class Seed:
    """One seed of an arm: its number, its run folder and the record in it."""

    number: int
    folder: Path
    record: Record

    @cached_property
    def replicates(self) -> Mapping[str, Any]:
        """The replicates of its scores by name."""
        return read_replicates(self.folder / REPLICATES)

    @cached_property
    def task(self) -> Task:
        """The task as this seed ran it."""
        return stored_task(self.folder, self.record)


def read_seeds(folder: Path) -> list[Seed]:
    """Return the finished seeds in an arm's folder, by their numbers; DataError where none is, or two differ in task or data."""
    found = sorted((int(name[1]), path) for path in _folders(folder) if (name := SEED.fullmatch(path.name)))
    seeds = [Seed(number, path, read_record(path)) for number, path in found if (path / RECORD).is_file()]
    if not seeds:
        raise DataError(f"{folder} holds no finished seed (seed0/{RECORD}); run its training task first")
    for other in seeds[1:]:
        _refuse_unlike(seeds[0], other)
    return seeds


def _folders(folder: Path) -> Iterable[Path]:
    return folder.iterdir() if folder.is_dir() else ()


def _refuse_unlike(one: Seed, other: Seed) -> None:
    first, second = ({"tasks": seed.record.task.get("digest"), **seed.record.data} for seed in (one, other))
    for part, digest in first.items():
        if digest != second.get(part):
            raise DataError(
                f"{one.folder} and {other.folder} are seeds of different {part}: the digests are {digest} and "
                f"{second.get(part)}. Run the older one again."
            )
    if getattr(one.task, "arms", None) != getattr(other.task, "arms", None):
        raise DataError(f"{one.folder} and {other.folder} were trained differently, so they are no seeds of one arm")


def write_arm(folder: str | Path, *, command: str = "") -> Record:
    """Write the record of an arm, with replicates, samples and task, from the seeds in its folder, and return the record.

    The value of a score is the mean over the seeds. Each seed's rows are repeats of the arm's, a sample is one group whatever
    the number of seeds, and the interval speaks of samples. The section `seeds` holds the value of each seed.
    Nothing is trained, asked or measured again. Raises DataError where no seed is finished or two are of different tasks.
    """
    arm = _Arm(Path(folder), read_seeds(Path(folder)))
    with locked(arm.folder):
        return arm.write(command)


class _Arm:
    """The seeds of one arm on their way into one record."""

    def __init__(self, folder: Path, seeds: Sequence[Seed]) -> None:
        self.folder, self.seeds, self.first = folder, seeds, seeds[0]
        self.chain: Chain = build_chain(self.first.task, registry.installed())
        self.task = _task_of(seeds)

    def write(self, command: str) -> Record:
        task, folder = self.task, self.folder
        pooled = self._scored().finish(seed=seed_of(task.name, task.version, task.group), clustered=task.group is not None)
        finished = [(entry, mean_over_seeds(entry, one, self._of_seeds(entry))) for entry, one in pooled]
        record = self._record(finished, command)
        write_text(folder / TASK, task_yaml(task))
        with whole(folder / REPLICATES) as path:
            write_replicates(path, {name: values for _, one in finished for name, values in one.replicates.items()})
        write_figures(folder, {entry.name: one.figures for entry, one in finished})
        write_text(folder / RECORD, record.to_json())
        return record

    def _of_seeds(self, entry: Entry) -> list[Finished]:
        """Return the scores of each seed, as its run left them."""
        return [
            Finished({name: seed.record.scores[name] for name in entry.scores}, _named(seed.replicates, entry.scores))
            for seed in self.seeds
        ]

    def _scored(self) -> Scoring:
        """Add up all rows, and write them into one samples file."""
        scoring = Scoring(self.chain, self.task.failures, lambda entry, batch: [])
        begin(self.folder)
        with ExitStack() as opened:
            path = opened.enter_context(whole(self.folder / SAMPLES))
            writer = opened.enter_context(SampleWriter(path, self.chain.entries))
            for columns, measured in self._batches():
                scoring.add_measured(stored_rows(columns), measured)
                writer.add(Scored({name: _stored(name, columns[name]) for name in TEXTS}, measured))
        return scoring

    def _batches(self) -> Iterator[tuple[dict[str, list[Any]], dict[str, Measured]]]:
        """Yield the rows of all seeds, each seed's repeats after those of the seeds before."""
        before = 0
        for seed in self.seeds:
            path = seed.folder / SAMPLES
            for columns, measured in read_batches(path, self.chain.entries, ROWS_A_BATCH):
                for entry in self.chain.entries:
                    refuse_without_statistics(entry, measured[entry.name], path)
                columns["repeat"] = [before + repeat for repeat in columns["repeat"]]
                yield columns, measured
            before += seed.task.repeats

    def _record(self, finished: Sequence[tuple[Entry, Finished]], command: str) -> Record:
        scores = {name: self._signed(entry, name, score) for entry, one in finished for name, score in one.scores.items()}
        system, first = self.task.system, self.first.record
        identity = {"seeds": [seed.record.system.get("identity") for seed in self.seeds]}
        return Record(
            task=first.task,
            dataset=first.dataset,
            system={"name": system.name, "digest": system.digest(), "spec": system.plain(), "identity": identity},
            scores=scores,
            makers=first.makers,
            seeds=_section(self.seeds, scores),
            usage=_usage([seed.record.usage for seed in self.seeds]),
            provenance=provenance(command or str(first.provenance.get("command", "")), self.folder, self.task.path),
        )

    def _signed(self, entry: Entry, name: str, score: Score) -> Score:
        """Return the score with the identity of the model that its metric asked, which the seeds' records know."""
        return replace(score, signature=self.first.record.scores[name].signature) if entry.metric.asks else score


def _named(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _task_of(seeds: Sequence[Seed]) -> Task:
    """Return the task of which all seeds are repeats."""
    task = seeds[0].task
    if isinstance(task, TrainingTask):
        return task.of(task.system.name, tuple(seed.number for seed in seeds))
    return replace(task, repeats=sum(seed.task.repeats for seed in seeds))


def _stored(name: str, values: Sequence[Any]) -> Sequence[Any]:
    """Return a text column as the file holds it."""
    return [None if value is None else json_text(value) for value in values] if name in JSON else values


def _section(seeds: Sequence[Seed], scores: Iterable[str]) -> dict[str, Any]:
    """Return the seeds' numbers, and of each score the value of each seed."""
    values = {name: [seed.record.scores[name].value for seed in seeds] for name in scores}
    return {"seeds": [seed.number for seed in seeds], "scores": values}


def _usage(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all seeds used together, and their troubles, each once."""
    troubles: dict[tuple[str, str], dict[str, Any]] = {}
    for trouble in (each for part in parts for each in part.get("troubles", ())):
        known = troubles.setdefault((trouble["kind"], trouble["message"]), {**trouble, "count": 0})
        known["count"] += trouble.get("count", 1)
    responses = [part["responses"] for part in parts if part.get("responses")]
    total = {**_added(parts), "troubles": list(troubles.values())}
    return {**total, "responses": _added(responses)} if responses else total


def _added(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums of what are numbers in the first part."""
    names = [name for name, value in parts[0].items() if isinstance(value, (int, float))]
    return {name: sum(part.get(name, 0) for part in parts) for name in names}
