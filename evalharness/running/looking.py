"""What a run would ask, as far as it is known before any model is asked: one pass over the data.

A metric asks round after round, and of responses: what it would ask is known as far as stored answers reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from evalharness.contract import Batch, Metric, Model, Request
from evalharness.running.asking import ROUNDS, replies
from evalharness.running.parts import Parts
from evalharness.running.pipeline import Answered, Pipeline
from evalharness.scoring.repeats import RESPONSES
from evalharness.systems.engine import NOT_ASKED, Engine

OF_RESPONSES = ("response", RESPONSES, "logprobs", "choice_tokens")
SYSTEM = "the system"
Kind = tuple[Model, str]


@dataclass(frozen=True, kw_only=True)
class MetricOutlook:
    """What one metric would ask: `requests` that are known already, of which `stored` are, and of how many rows nothing is.

    `open` says that more may follow: other requests depend on answers that are not there.
    """

    metric: str
    model: str
    requests: int
    stored: int
    waiting: int
    open: bool


@dataclass
class Looking:
    """Looks at all rows; then it has, by model and kind of request, who asks, all keys, and the requests that are not stored."""

    parts: Parts
    pipeline: Pipeline
    engine: Engine
    groups: set[str] = field(default_factory=set)
    asked_by: dict[Kind, dict[str, None]] = field(default_factory=dict)
    keys: dict[Kind, set[str]] = field(default_factory=dict)
    missing: dict[Kind, dict[str, Request]] = field(default_factory=dict)
    _keys: dict[str, set[str]] = field(default_factory=dict)
    _waiting: Counter[str] = field(default_factory=Counter)
    _open: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Find out what would be asked."""
        for rows in self.pipeline.rows():
            self.groups.update(row.group for row in rows)
            requests = self.pipeline.requests(rows, self.pipeline.contexts(rows))
            if self.parts.model.stored:
                self._want(SYSTEM, self.parts.model, (request for request in requests if request is not None))
            if self._asking:
                answered = self.pipeline.answer(rows)
                for name, (metric, model) in self._asking.items():
                    self._ask(name, metric, model, answered)

    @cached_property
    def _asking(self) -> dict[str, tuple[Metric, Model]]:
        """The metrics that ask a model, and not a recording."""
        asking = {entry.name: (entry.metric, self.parts.asking.get(entry.name)) for entry in self.parts.chain.entries}
        return {name: (metric, model) for name, (metric, model) in asking.items() if model is not None and model.stored}

    def metrics(self) -> Iterator[MetricOutlook]:
        """Yield what each metric would ask that asks a model at all."""
        for name, (_, model) in self._asking.items():
            keys = self._keys.get(name, set())
            yield MetricOutlook(
                metric=name, model=model.sold_as or model.name, requests=len(keys),
                stored=len(self.engine.store.known(list(keys))), waiting=self._waiting[name], open=name in self._open,
            )  # fmt: skip

    def _want(self, who: str, model: Model, requests: Iterable[Request]) -> bool | None:
        """Take down requests; returns whether the answers to all of them are stored, None where there are none."""
        key_of = self.engine.keys(model).of
        found = {key_of(request): request for request in requests}
        stored = self.engine.store.known(list(found))
        for key, request in found.items():
            kind = (model, request.kind)
            self.asked_by.setdefault(kind, {})[who] = None
            self.keys.setdefault(kind, set()).add(key)
            if key not in stored:
                self.missing.setdefault(kind, {}).setdefault(key, request)
        self._keys.setdefault(who, set()).update(found)
        return len(stored) == len(found) if found else None

    def _ask(self, name: str, metric: Metric, model: Model, answered: Answered) -> None:
        """Take down what a metric asks of a batch, round after round, until an answer is missing."""
        batch, waiting = self._ready(metric, answered)
        self._waiting[name] += waiting
        for rounds in range(ROUNDS):
            asked = replies(metric, batch, model, self.engine, rounds)[1]
            all_stored = self._want(name, model, (request for row in asked for request in row))
            if all_stored is False:
                self._open.add(name)
            if not all_stored:
                return

    def _ready(self, metric: Metric, answered: Answered) -> tuple[Batch, int]:
        """Return the rows of which a metric can be asked already, and how many others there are."""
        late = {*OF_RESPONSES, *(transform.marks for transform in self.parts.transforms)}
        if not late.intersection(metric.reads) and not ("contexts" in metric.reads and self.parts.model.retrieves):
            return answered.batch, 0
        missing = [failure == NOT_ASKED for failure in answered.failures]
        ids = {row.sample.id for row, lost in zip(answered.rows, missing, strict=True) if lost and RESPONSES in metric.reads}
        rows = [number for number, row in enumerate(answered.rows) if not missing[number] and row.sample.id not in ids]
        columns = {name: [column[row] for row in rows] for name, column in answered.batch.columns.items()}
        return Batch(columns, [answered.batch.ids[row] for row in rows]), len(missing) - len(rows)
