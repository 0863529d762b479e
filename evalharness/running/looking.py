"""What a run would ask, as far as it is known before any model is asked: one pass over the data.

A metric asks round after round, and of responses: what it would ask is known as far as stored answers reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from evalharness.contract import Batch, Metric, Model, Request
from evalharness.running.asking import ROUNDS, replies
from evalharness.running.parts import Parts
from evalharness.running.pipeline import Answered, Pipeline
from evalharness.scoring.repeats import RESPONSES
from evalharness.systems.engine import NOT_ASKED, Engine

OF_RESPONSES = ("response", RESPONSES, "logprobs", "choice_tokens")
SYSTEM = "the system"


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
    """Looks at all rows; `wanted` then has the requests by model and key, `asked_by` who wants those of a model and kind."""

    parts: Parts
    pipeline: Pipeline
    engine: Engine
    groups: set[str] = field(default_factory=set)
    wanted: dict[Model, dict[str, Request]] = field(default_factory=dict)
    asked_by: dict[tuple[Model, str], dict[str, None]] = field(default_factory=dict)
    _keys: dict[str, set[str]] = field(default_factory=dict)
    _waiting: Counter[str] = field(default_factory=Counter)
    _open: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Find out what would be asked."""
        asking = [(entry, self.parts.asking[entry.name]) for entry in self.parts.chain.entries if entry.metric.asks]
        for rows in self.pipeline.rows():
            self.groups.update(row.group for row in rows)
            requests = self.pipeline.requests(rows, self.pipeline.contexts(rows))
            self._want(SYSTEM, self.parts.model, (request for request in requests if request is not None))
            if asking:
                answered = self.pipeline.answer(rows)
                for entry, model in asking:
                    self._ask(entry.name, entry.metric, model, answered)

    def metrics(self) -> Iterator[MetricOutlook]:
        """Yield what each metric would ask that asks a model at all."""
        for name, model in self.parts.asking.items():
            keys = self._keys.get(name, set())
            yield MetricOutlook(
                metric=name, model=model.sold_as or model.name, requests=len(keys),
                stored=len(self.engine.store.known(list(keys))), waiting=self._waiting[name], open=name in self._open,
            )  # fmt: skip

    def _want(self, who: str, model: Model, requests: Iterable[Request]) -> set[str]:
        """Take down requests, and return their keys."""
        if not model.stored:
            return set()
        key_of, wanted = self.engine.keys(model).of, self.wanted.setdefault(model, {})
        found = {key_of(request): request for request in requests}
        for key, request in found.items():
            wanted.setdefault(key, request)
            self.asked_by.setdefault((model, request.kind), {})[who] = None
        self._keys.setdefault(who, set()).update(found)
        return set(found)

    def _ask(self, name: str, metric: Metric, model: Model, answered: Answered) -> None:
        """Take down what a metric asks of a batch, round after round, until an answer is missing."""
        if not model.stored:
            return
        batch, waiting = self._ready(metric, answered)
        self._waiting[name] += waiting
        for rounds in range(ROUNDS):
            asked = replies(metric, batch, model, self.engine, rounds)[1]
            keys = self._want(name, model, (request for row in asked for request in row))
            if keys != self.engine.store.known(list(keys)):
                self._open.add(name)
                return
            if not keys:
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
