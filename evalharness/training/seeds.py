"""One arm with one seed: trained, kept, evaluated, in a run folder that is held for it."""

from __future__ import annotations

import dataclasses
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalharness import registry
from evalharness.contract import Dataset, Loss, Model, Network, Sample, Spec, digest
from evalharness.data import DataFault, SampleReader, data_digests, read_samples
from evalharness.errors import DataError
from evalharness.results.curves import CURVES, write_curves
from evalharness.results.folder import RECORD, Log, begin, locked, refuse_foreign, write_text
from evalharness.results.record import BEFORE, Record, read_record
from evalharness.running.execution import Run, Watch
from evalharness.running.parts import Parts, build_parts
from evalharness.systems.store import Store
from evalharness.systems.weights.contents import content_digest
from evalharness.task import Arm, TrainingTask
from evalharness.training.evaluating import (
    PREFIX,
    PROMPT,
    TRAINED,
    Facts,
    FieldReader,
    Fields,
    Predictions,
    SeedExecution,
    before_training,
    joined,
    parameters_digest,
    predictions,
    prompts_of,
)
from evalharness.training.fitting import CHECKPOINTS, Curve, Fit, few_words, seconds_since, train
from evalharness.training.matching import changes
from evalharness.training.monitoring import both_ends, scores_now, undisturbed
from evalharness.training.preparing import TrainingData, loss_reads, table_data, text_data, training_samples
from evalharness.training.references import with_references
from evalharness.training.routes import router_counts

START, SNAPSHOT, MADE_OF = "start", "snapshot", "made_of"
COUNTS, FEATURES = "router_counts", frozenset(["features"])


@dataclass(frozen=True)
class Settings:
    """What the runs of one command share, as far as it can be handed to another process; limits are numbers of samples."""

    store: Path | None = None
    fresh: bool = False
    command: str = ""
    train_limit: int | None = None
    test_limit: int | None = None


@dataclass
class Session:
    """The runs of one command in one process: their store, how they are told of, and what has been read."""

    settings: Settings
    store: Store
    watch: Watch
    tell: Callable[[str], None]
    _read: dict[str, tuple[list[Sample], list[DataFault]]] = field(default_factory=dict)

    def training_samples(self, task: TrainingTask) -> tuple[list[Sample], list[DataFault]]:
        """Return the samples of the training part, read once, and the items that are none."""
        key = digest([task.train.source, dict(task.train.fields)])
        if key not in self._read:
            reader = training_samples(task, limit=self.settings.train_limit)
            self._read = {key: (list(reader), reader.faults)}
        return self._read[key]


class SeedRun:
    """One arm with one seed; `record` does everything, or finds it done."""

    def __init__(self, task: TrainingTask, folder: Path, session: Session) -> None:
        self.task, self.folder, self.session = task, folder, session
        self.arm: Arm = task.arms[0]
        self.seed = task.seeds[0]
        self.loss: Loss = registry.build("loss", self.arm.loss)
        self.network: Network = registry.build("network", self.arm.network)
        self.parts: Parts = build_parts(task, registry.installed())
        self.reader: SampleReader = read_samples(task, limit=session.settings.test_limit)
        self.made_of = self._made_of()

    def _made_of(self) -> str:
        """Return the digest of all that decides what comes out."""
        train: Dataset = registry.build("dataset", self.task.train.source)
        start = self.network.start()
        made: list[Any] = [self.task.digest(), self.task.system.digest(), train.digest(), self.reader.dataset.digest()]
        made += [None if start is None else registry.build("model", start).identity()]
        return digest([*made, self.session.settings.train_limit, self.session.settings.test_limit])

    def finished(self) -> Record | None:
        """Return the record that the folder holds, where it is of just this run."""
        if self.session.settings.fresh or not all((self.folder / name).is_file() for name in (RECORD, CURVES)):
            return None
        try:
            record = read_record(self.folder)
        except DataError:  # a damaged one is written anew
            return None
        return record if record.system.get(TRAINED, {}).get(MADE_OF) == self.made_of else None

    def record(self) -> Record:
        """Train, keep and evaluate; return the record, which also stands in the folder."""
        found = self.finished()
        if found is not None:
            return found
        refuse_foreign(self.folder)
        with ExitStack() as stack:
            stack.enter_context(locked(self.folder))
            for folder in (self.folder, self.folder.parent):  # what is trained anew is what neither of their records is of
                begin(folder)
            log = stack.enter_context(closing(Log(self.folder)))
            with logged(log):
                record = self._record(log)
            shutil.rmtree(self.folder / CHECKPOINTS, ignore_errors=True)
        return record

    def _record(self, log: Log) -> Record:
        self._prepare_checkpoints()
        table = self.network.reads == "table"
        samples, broken = self.session.training_samples(self.task)
        for fault in broken:
            log.add("training data fault", where=fault.where, message=fault.message)
        data = self._data(samples)
        for name, reason in data.left_out.items():
            log.add("training sample left out", sample=name, reason=reason)
        module = self._built(data)
        log.add("training started", arm=self.arm.name, seed=self.seed, examples=len(data.examples), cut=data.cut)
        start = None if table else self._start(module)
        fields = joined(self._fields_before(start), self._counts(module, PREFIX + COUNTS))
        data = self._with_references(data, module, start)
        started = time.monotonic()
        curve = self._trained(module, data, lambda module: self._scores_now(module, data, fields))
        log.add("training finished", seconds=seconds_since(started), steps=self.arm.trainer.steps)
        model, kept = self._kept(module)
        after = self._fields_after(module, data, fields)
        del module
        facts = Facts(self._train_facts(data), start, {MADE_OF: self.made_of, **kept})
        record = self._evaluated(model, after, facts, log)
        write_curves(self.folder / CURVES, [*curve, *both_ends(record, self.arm.trainer.steps, curve)])
        return record

    def _prepare_checkpoints(self) -> None:
        """Keep the checkpoints of an interrupted run that was to make the same; remove others."""
        folder = self.folder / CHECKPOINTS
        mark = folder / MADE_OF
        if self.session.settings.fresh or not (mark.is_file() and mark.read_text("utf-8") == self.made_of):
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(mark, self.made_of)

    def _data(self, samples: list[Sample]) -> TrainingData:
        if self.network.reads == "table":
            return table_data(self.task, samples, self.seed)
        return text_data(self.task, self.loss, self.network.tokenizer(), samples)

    def _built(self, data: TrainingData) -> Any:
        with few_words():
            return self.network.build(data, self.seed)

    def _start(self, module: Any) -> Model:
        """Return the model that answers as the network does now; one without weights elsewhere is written for that."""
        spec = self.network.start()
        if spec is None:
            spec = self._saved(module, START)
        model: Model = registry.build("model", spec)
        return model

    def _saved(self, module: Any, name: str) -> Spec:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        with few_words():
            spec = self.network.save(module, str(folder.resolve()))
        assert spec is not None, f"network '{self.network.name}' over texts keeps no model"
        return spec

    def _fields_before(self, start: Model | None) -> Fields:
        if start is None:
            return {}
        prompts = prompts_of(self.task, self.reader, start) if PROMPT in self.parts.chain.reads else {}
        session = self.session
        return joined(prompts, before_training(self.task, self.parts, start, session.store, self.reader, session.watch))

    def _counts(self, module: Any, name: str) -> Fields:
        """Return how often each expert was chosen for each sample, where a metric reads it under this name."""
        if name not in self.parts.chain.reads:
            return {}
        return router_counts(module, self.task, self.loss, self.network.tokenizer(), self.reader, name)

    def _with_references(self, data: TrainingData, module: Any, start: Model | None) -> TrainingData:
        if start is None or not any(name.startswith("ref_") for name in loss_reads(self.loss)):
            return data
        pad = data.collator.pad  # type: ignore[attr-defined]
        pairs = with_references(data.examples, module, pad, self.session.store, start.identity())
        return dataclasses.replace(data, examples=pairs)

    def _fields_after(self, module: Any, data: TrainingData, before: Fields) -> Fields:
        """Return what the network as it stands adds to the samples, together with what was known before."""
        predicted = predictions(module, self.reader, data.classes) if self.network.reads == "table" else {}
        return joined(before, predicted, self._counts(module, COUNTS))

    def _scores_now(self, module: Any, data: TrainingData, before: Fields) -> dict[str, float | None]:
        """Return the scores of the task as the network stands in the midst of its training, but for those from before."""
        table = self.network.reads == "table"
        try:
            with undisturbed(module):
                reader = self._reader_of(self._fields_after(module, data, before))
                model: Model = Predictions() if table else registry.build("model", self._saved(module, SNAPSHOT))
                found = scores_now(self.task, self._parts_of(model), self.session.store, reader)
        finally:
            shutil.rmtree(self.folder / SNAPSHOT, ignore_errors=True)
        return {name: value for name, value in found.items() if BEFORE not in name}

    def _trained(self, module: Any, data: TrainingData, scores: Callable[[Any], dict[str, float | None]]) -> Curve:
        """Train the module and return its curves; an error says in which arm and with which seed."""
        rules = tuple(registry.build("rule", rule) for rule in self.arm.rules)
        title = f"{self.arm.name} seed {self.seed}"
        fit = Fit(self.loss, rules, self.arm.trainer, self.seed, self.folder, title, scores)
        try:
            return train(module, data, fit, self.session.watch)
        except DataError as error:
            raise DataError(f"arm '{self.arm.name}', seed {self.seed}: {error}") from error

    def _kept(self, module: Any) -> tuple[Model, dict[str, Any]]:
        """Return the model that answers with what was trained, and what the record says of it."""
        if self.network.reads == "table":
            return Predictions(content=parameters_digest(module)), {}
        spec = self._saved(module, self.network.kept)
        model: Model = registry.build("model", spec)
        return model, {"folder": self.network.kept, "digest": content_digest(self.folder / self.network.kept)}

    def _train_facts(self, data: TrainingData) -> Mapping[str, Any]:
        source = self.task.train.source
        train: Dataset = registry.build("dataset", source)
        return {"source": source.plain(), "digest": train.digest(), "examples": len(data.examples)}

    def _evaluated(self, model: Model, fields: Fields, facts: Facts, log: Log) -> Record:
        run = Run(self.task, self.folder, self.session.settings.test_limit, command=self.session.settings.command)
        tools = {"registry": registry.installed(), "watch": self.session.watch, "log": log}
        execution = SeedExecution(run, self._parts_of(model), self.session.store, self._reader_of(fields), facts, **tools)
        record = execution.record(self.session.tell)
        shutil.rmtree(self.folder / START, ignore_errors=True)
        return record

    def _parts_of(self, model: Model) -> Parts:
        return dataclasses.replace(self.parts, model=model, asking=self._asking(model))

    def _reader_of(self, fields: Fields) -> FieldReader:
        # Hundreds of numbers a row, in thousands of runs: what no metric reads stays in the data.
        return FieldReader.of(self.reader, fields, FEATURES - self.parts.chain.reads)

    def _asking(self, model: Model) -> dict[str, Model]:
        """Return which model each asking metric asks: this one in the place of the one that stood for it."""
        return {name: model if asked is self.parts.model else asked for name, asked in self.parts.asking.items()}


@contextmanager
def logged(log: Log) -> Iterator[None]:
    """Write into the log what is raised, with the place."""
    try:
        yield
    except Exception as error:
        log.add("failed", error=str(error), traceback=traceback.format_exc())
        raise


def stale(folder: Path, task: TrainingTask) -> Iterator[str]:
    """Yield the folder of each seed that is not the task's and was trained otherwise, so that they make no arm together."""
    for path in sorted(folder.glob("seed*")):
        number = path.name.removeprefix("seed")
        if number.isdecimal() and int(number) not in task.seeds and (path / RECORD).is_file():
            told = list(changes(read_record(path), task, data_digests(task)))
            if told:
                yield f"{path} ({'; '.join(told)})"
