"""The test part under a trained network: answers through the ordinary pipeline, predictions as fields of the samples."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalharness.contract import Answer, Message, Model, Request, Response, Sample
from evalharness.data import SampleReader
from evalharness.running.execution import Execution, Run, Watch, make_pipeline
from evalharness.running.parts import Parts
from evalharness.scoring import Entry, Score
from evalharness.systems.engine import Engine
from evalharness.systems.store import Store
from evalharness.task import Prompter, TrainingTask

BEFORE, PREFIX, PROMPT = "before", "before_", "prompt"
TRAINED = "trained"  # the part of a record's system that says what was made, and of what
ROWS_AT_ONCE = 4_096
Fields = Mapping[str, Mapping[str, Any]]  # by sample id, by name


class Predictions(Model):
    """Asks nothing: what a network over tables predicts stands among the fields of the samples.

    `content` is a digest of its parameters.
    """

    name, supports, stored = "predictions", (Answer,), False

    content: str = ""

    def identity(self) -> str:
        """Return the digest of the parameters."""
        return self.content

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
        """Yield a response without text for each request."""
        for request in requests:
            yield request, Response()


@dataclass
class FieldReader(SampleReader):
    """Reads samples and puts more fields to each, without those that nothing reads; `limit` and faults as ever."""

    more: Fields = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[Sample]:
        for sample in super().__iter__():
            own = {name: value for name, value in sample.fields.items() if name not in self.without}
            yield dataclasses.replace(sample, fields={**own, **self.more.get(sample.id, {})})

    @classmethod
    def of(cls, reader: SampleReader, more: Fields, without: frozenset[str]) -> FieldReader:
        """Return a reader of the same samples with these fields."""
        own = (reader.dataset, reader.columns, reader.group, reader.limit, reader.strict)
        return cls(*own, more=more, without=without)


@dataclass(frozen=True)
class Facts:
    """What the record of a seed says beside that of any run: the training data, the start, and what was kept."""

    train: Mapping[str, Any]
    start: Model | None = None
    kept: Mapping[str, Any] | None = None


class SeedExecution(Execution):
    """The evaluation of one arm with one seed; what is asked of the start is asked of the model before training."""

    def __init__(self, run: Run, parts: Parts, store: Store, reader: SampleReader, facts: Facts, **tools: Any) -> None:
        self.facts = facts
        own = {entry.name: facts.start for entry in parts.chain.entries if facts.start and entry.metric.name == BEFORE}
        asking = {name: own.get(name, model) if model is parts.model else model for name, model in parts.asking.items()}
        self.own = {name for name, model in parts.asking.items() if model is parts.model}
        super().__init__(run, dataclasses.replace(parts, asking=asking), store=store, reader=reader, **tools)

    def _signed(self, entry: Entry, score: Score) -> Score:
        """Return the score; where the arm's own network is asked, that is what is measured, and not how."""
        if entry.name in self.own:
            return dataclasses.replace(score, signature=f"{score.signature}|asked:itself")
        return super()._signed(entry, score)

    def _dataset(self) -> dict[str, Any]:
        return {**super()._dataset(), "train": dict(self.facts.train)}

    def _system(self, scoring: Any) -> dict[str, Any]:
        system = super()._system(scoring)
        if self.facts.start is not None:
            system["identity"]["start"] = self.engine.identity(self.facts.start)
        return system if self.facts.kept is None else {**system, TRAINED: dict(self.facts.kept)}


def prompts_of(task: TrainingTask, samples: SampleReader, model: Model) -> dict[str, dict[str, Any]]:
    """Return the prompt of each sample, a text or turns, as metrics read it that score what follows it."""
    prompter = Prompter.of(task)
    found: dict[str, dict[str, Any]] = {}
    for sample in samples:
        prompt = prompter.render(sample, sample.fields.get("contexts"), chat=model.chat)
        found[sample.id] = {PROMPT: prompt if isinstance(prompt, str) else [_turn(turn) for turn in prompt]}
    return found


def _turn(turn: Message) -> dict[str, str]:
    return {"role": turn.role, "content": turn.content}


def before_training(task: TrainingTask, parts: Parts, start: Model, store: Store, reader: SampleReader, watch: Watch) -> Fields:
    """Return what the model answered before training, by sample; asked through the store, so once for all arms."""
    wanted = [name for name in ("response", "logprobs", "choice_tokens") if PREFIX + name in parts.chain.reads]
    if not wanted:
        return {}
    engine = Engine(store, watch)
    pipeline = make_pipeline(task, dataclasses.replace(parts, model=start), engine, lambda: reader, watch)
    pipeline.fill()
    found: dict[str, dict[str, Any]] = {}
    for answered in pipeline.answered():
        columns = answered.batch.columns
        for place, row in enumerate(answered.rows):
            found[row.sample.id] = {PREFIX + name: _plain(columns[name][place]) for name in wanted if name in columns}
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def predictions(module: Any, samples: SampleReader, classes: int) -> dict[str, dict[str, Any]]:
    """Return by sample the predicted number, or the likeliest class and the probabilities: of class 1, or one of each."""
    import torch

    read = list(samples)
    found: dict[str, dict[str, Any]] = {}
    module.eval()
    for start in range(0, len(read), ROWS_AT_ONCE):
        rows = read[start : start + ROWS_AT_ONCE]
        features = torch.tensor([row.fields["features"] for row in rows], dtype=torch.float32)
        with torch.no_grad():
            made = module(features)
        logits = made if torch.is_tensor(made) else made["logits"]
        for row, fields in zip(rows, _as_fields(logits.double(), classes), strict=True):
            found[row.id] = fields
    return found


def _as_fields(made: Any, classes: int) -> Iterator[dict[str, Any]]:
    import torch

    if not classes:
        yield from ({"prediction": value} for value in made.tolist())
    elif classes == 2:
        yield from ({"prediction": int(value > 0.5), "probabilities": value} for value in torch.sigmoid(made).tolist())
    else:
        rows = torch.softmax(made, -1)
        for likeliest, row in zip(made.argmax(-1).tolist(), rows.tolist(), strict=True):
            yield {"prediction": likeliest, "probabilities": row}


def parameters_digest(module: Any) -> str:
    """Return a digest of a module's parameters and buffers."""
    hashed = hashlib.blake2b(digest_size=16)
    for name, tensor in module.state_dict().items():
        hashed.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()


def joined(*parts: Fields) -> dict[str, dict[str, Any]]:
    """Return the fields of several sources, by sample."""
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        for name, fields in part.items():
            found.setdefault(name, {}).update(fields)
    return found
