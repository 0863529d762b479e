"""A run at work: ask, score and write, in a folder and with a store that are held for it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalharness.contract import Batch, Sample
from evalharness.data import DataFault, SampleReader, read_samples
from evalharness.errors import DataError
from evalharness.registry import Registry
from evalharness.results.figures import write_figures
from evalharness.results.folder import RECORD, REPLICATES, SAMPLES, TASK, Log, begin, whole, write_text
from evalharness.results.record import Record, provenance
from evalharness.results.replicates import write_replicates
from evalharness.results.samples import SampleWriter
from evalharness.running.asking import Answers, fill_answers, replies
from evalharness.running.collecting import collecting_rarely
from evalharness.running.costs import costs, untold
from evalharness.running.goals import Goal
from evalharness.running.measuring import Scoring
from evalharness.running.parts import Parts
from evalharness.running.pipeline import Pipeline
from evalharness.running.precision import Precision
from evalharness.running.stopping import make_stages
from evalharness.scoring import Entry, Score, seed_of
from evalharness.systems.budget import Budget, Limits
from evalharness.systems.checking import blamed
from evalharness.systems.engine import Engine, Work
from evalharness.systems.retrieval import Searcher
from evalharness.systems.store import Store
from evalharness.task import Prompter, Task, is_prompted, task_yaml

Watch = Callable[[Work], None]
Tell = Callable[[str], None]
SHOWN_FAULTS = 3


@dataclass(frozen=True)
class Run:
    """One execution of a task with its system; what the notification hooks are given."""

    task: Task
    folder: Path
    limit: int | None = None
    strict: bool = False
    command: str = ""
    goal: Goal | None = None
    limits: Limits = field(default_factory=Limits)


def make_pipeline(task: Task, parts: Parts, engine: Engine, samples: Callable[[], Iterable[Sample]], watch: Watch) -> Pipeline:
    """Return the pipeline of a task's system; a model that answers from input and passages is given no prompt."""
    retriever = parts.retriever
    searcher = recorded = None
    if retriever is not None and retriever.recorded:
        recorded = retriever
    elif retriever is not None:
        searcher = Searcher(retriever, engine.store, engine.usage, watch)
    prompter = Prompter.of(task) if is_prompted(task, parts.model) else None
    return Pipeline(task, parts.model, engine, prompter, samples, searcher, recorded, parts.transforms)


class Execution:
    """One run; `record` does everything.

    `reader` gives the samples where they hold more than the task's data; `precision` holds responses against float32.
    """

    def __init__(
        self, run: Run, parts: Parts, registry: Registry, store: Store, watch: Watch, log: Log,
        reader: SampleReader | None = None, precision: Precision | None = None,
    ) -> None:  # fmt: skip
        self.run, self.parts, self.registry, self.watch, self.log = run, parts, registry, watch, log
        self.engine = Engine(store, watch, budget=Budget(run.limits, run.task.system.prices))
        self.listeners: list[str] = []
        self.precision = precision
        self.reader: SampleReader = reader or read_samples(run.task, limit=run.limit, strict=run.strict)
        self.stages = make_stages(
            run.goal, run.task, parts.chain, self.reader, asked=parts.model.stored, ended=lambda: self.engine.budget.stopped
        )
        self.pipeline = make_pipeline(run.task, parts, self.engine, self.stages.samples, watch)

    def record(self, tell: Tell) -> Record:
        """Ask what is not stored, score everything, write the run folder, and return the record.

        Who listens to the end of the run and fails is told of: the record, which says the rest, is written by then.
        """
        started, digest = time.monotonic(), self.reader.dataset.digest()
        self.log.add("run started", task=self.run.task.name, system=self.run.task.system.name, command=self.run.command)
        self._notify("evalharness_run_started", run=self.run)
        with collecting_rarely():
            scoring = self._score()
        if self.reader.dataset.digest() != digest:
            raise DataError("the data was changed while it was being evaluated. Run again: all answers so far are stored.")
        record = self._write(scoring, started)
        self._report(record)
        before = len(self.listeners)
        self._notify("evalharness_run_finished", run=self.run, record=record)
        for late in self.listeners[before:]:
            tell(late)
        return record

    def _asking(self) -> Iterator[tuple[Entry, Any]]:
        for entry in self.parts.chain.entries:
            if entry.name in self.parts.asking:
                yield entry, self.parts.asking[entry.name]

    def _ask(self, entry: Entry, batch: Batch) -> Answers:
        return replies(entry.metric, batch, self.parts.asking[entry.name], self.engine)[0]

    def _score(self) -> Scoring:
        """Ask and measure stage by stage; the samples file appears when the last one is in it."""
        scoring = Scoring(self.parts.chain, self.run.task.failures, self._ask)
        with ExitStack() as opened:
            writer = None
            for _ in self.stages:
                self._fill()
                writer = writer or self._writer(opened)
                with self.engine.usage.during("scoring"):
                    self._measure(scoring, writer)
        return scoring

    def _fill(self) -> None:
        """Ask what is not stored of a stage: the system first, then what metrics want to know."""
        during, asking = self.engine.usage.during, {entry.name: (entry.metric, model) for entry, model in self._asking()}
        if self.pipeline.searcher is not None:
            with during("retrieval"):
                self.pipeline.fill_contexts()
        if self.parts.model.stored:
            with during("model"):
                self.pipeline.fill_responses()
        if asking:
            with during("questions"):
                fill_answers(asking, lambda: (answered.batch for answered in self.pipeline.answered()), self.engine)
        if self.precision is not None:
            with during("float32"):
                self.precision.add(self.pipeline)

    def _writer(self, opened: ExitStack) -> SampleWriter:
        begin(self.run.folder)
        path = opened.enter_context(whole(self.run.folder / SAMPLES))
        return opened.enter_context(SampleWriter(path, self.parts.chain.entries))

    def _measure(self, scoring: Scoring, writer: SampleWriter) -> None:
        """Measure the batches of a stage."""
        work = Work("scoring", total=self.reader.count * self.run.task.repeats)
        for answered in self.pipeline.answered():
            scored = scoring.add(answered)
            writer.add(scored)
            self.stages.add(answered.rows, scored)
            work.done, work.total = scoring.samples, max(work.total, scoring.samples)
            self.watch(work)
            self._notify("evalharness_batch_scored", run=self.run, batch=answered.batch)

    def _write(self, scoring: Scoring, started: float) -> Record:
        task, folder = self.run.task, self.run.folder
        with self.engine.usage.during("intervals"):
            finished = scoring.finish(seed=seed_of(task.name, task.version, task.group), clustered=task.group is not None)
        scores = {name: self._signed(entry, score) for entry, one in finished for name, score in one.scores.items()}
        makers = {name: self._maker(entry) for entry, one in finished for name in one.scores}
        scoring.troubles.note(self.listeners, kind="listener")
        seconds = round(time.monotonic() - started, 3)
        usage = {**dataclasses.asdict(self.engine.usage), "seconds": seconds, "troubles": scoring.troubles.plain()}
        usage |= costs(self.engine.budget, self.parts, scoring)
        usage["remarks"] = [*self._remarks(), *untold(self.engine.budget), *scoring.missing_fields()]
        usage["data_faults"] = [str(fault) for fault in self.reader.faults[:SHOWN_FAULTS]]
        record = Record(
            task=self._task(),
            dataset=self._dataset(),
            system=self._system(scoring),
            scores=self.stages.applied(scores),
            stopping=self.stages.section(),
            precision=None if self.precision is None else self.precision.section(),
            makers=makers,
            usage=usage,
            provenance=provenance(self.run.command, folder, task.path),
        )
        write_text(folder / TASK, task_yaml(task))
        with whole(folder / REPLICATES) as path:
            write_replicates(path, {name: values for _, one in finished for name, values in one.replicates.items()})
        write_figures(folder, {entry.name: one.figures for entry, one in finished})
        write_text(folder / RECORD, record.to_json())
        return record

    def _remarks(self) -> list[str]:
        """Return what is to be known of rankings that existed before, of all samples, and of how models answered."""
        told: list[str] = []
        recorded = self.pipeline.recorded
        if recorded is not None:
            with blamed("retriever", recorded, "remarks"):
                told += recorded.remarks(self.reader)
        for model in (self.parts.model, *self.parts.asking.values()):
            with blamed("model", model, "remarks"):
                told += model.remarks()
        return list(dict.fromkeys(told))

    def _task(self) -> dict[str, Any]:
        """Return what names the task, and how it asks, which is what others want to know of a result."""
        task = self.run.task
        how = {"output_type": task.output_type, "fewshot": task.fewshot.samples}
        return {"name": task.name, "version": task.version, "digest": task.digest(), **how}

    def _dataset(self) -> dict[str, Any]:
        source = self.reader.dataset
        counts = {"samples": self.stages.taken, "faults": len(self.reader.faults), "limit": self.run.limit}
        where = self.run.task.dataset.source.plain()
        return {"source": where, "digest": source.digest(), **counts, "revision": source.commit()}

    def _system(self, scoring: Scoring) -> dict[str, Any]:
        """Return the system with the identity of everything that made its responses."""
        system, searcher = self.run.task.system, self.pipeline.searcher
        identity = {"model": self.engine.identity(self.parts.model)}
        if searcher is not None:
            identity["retriever"] = searcher.identity()
        elif self.pipeline.recorded is not None:
            identity["retriever"] = self.pipeline.recorded.identity()
        plain: dict[str, Any] = {"name": system.name, "digest": system.digest(), "spec": system.plain(), "identity": identity}
        with blamed("model", self.parts.model, "conventions"):
            conventions = dict(self.parts.model.conventions())
        plain |= {"conventions": conventions} if conventions else {}
        if self.run.task.output_type == "multiple_choice":
            plain["merged_boundaries"] = scoring.merged
        return plain

    def _signed(self, entry: Entry, score: Score) -> Score:
        """Return the score with the identity of the model that its metric asked."""
        if entry.name not in self.parts.asking:
            return score
        identity = self.engine.identity(self.parts.asking[entry.name])
        return dataclasses.replace(score, signature=f"{score.signature}|asked:{identity}")

    def _maker(self, entry: Entry) -> dict[str, str]:
        source = self.parts.sources[entry.name]
        return {"plugin": source.plugin, "distribution": source.distribution, "version": source.version}

    def _report(self, record: Record) -> None:
        """Write to the log what went wrong: broken data, failed samples, faulty plugins."""
        for fault in self.reader.faults:
            self.log.add("data fault", **_fault(fault))
        for trouble in record.troubles:
            self.log.add("trouble", **trouble)
        self.log.add("run finished", seconds=record.usage["seconds"], errors=record.errors)

    def _notify(self, hook: str, **arguments: Any) -> None:
        """Call a notification hook of every plugin; one that fails is reported and costs nothing else."""
        for implementation in getattr(self.registry.manager.hook, hook).get_hookimpls():
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            except Exception as error:  # a stranger's code may fail in any way
                told = f"{hook} of plugin '{implementation.plugin_name}' failed: {type(error).__name__}: {error}"
                self.listeners.append(told)
                self.log.add("hook failed", message=told)


def _fault(fault: DataFault) -> dict[str, str]:
    return {"where": fault.where, "message": fault.message}
