"""A metric at work on some rows, as the harness runs it."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evalharness.contract import Batch, Failure, Metric, Model, Request, Response, Spec
from evalharness.testing.outcomes import Broken, NotApplicable
from evalharness.testing.samples import columns_for

if TYPE_CHECKING:
    from evalharness.scoring.chain import Entry
    from evalharness.scoring.measuring import Measured
    from evalharness.scoring.normalise import Normal

ROUNDS = 4


class StandIn(Metric):
    """Share of vowels among the characters, 0 to 1; stands in for the metrics that another one builds on."""

    name, better, range = "stand_in", "higher", (0, 1)

    def measure(self, response: Sequence[str]) -> dict[str, list[float]]:
        return {"share": [sum(letter in "aeiou" for letter in text) / max(len(text), 1) for text in response]}


@dataclass
class MetricSubject:
    """A metric, the columns it is tried on (those of the sample data where None), and the model that it may ask."""

    metric: Metric
    given: Mapping[str, Sequence[Any]] | None = None
    model: Model | None = None
    memo: dict[int, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The metric's chain: stand-ins for what it uses, then itself."""
        from evalharness.scoring.chain import Chain

        return Chain.build([*((score, StandIn()) for score in self.metric.uses), (None, self.metric)]).entries

    @property
    def entry(self) -> Entry:
        """The metric in its chain, composed with what it uses."""
        return self.entries[-1]

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """The columns that it reads; rows without a value in one of them are left out, as the harness does."""
        reads = dict.fromkeys(name for entry in self.entries for name in entry.metric.reads)
        columns = columns_for(list(reads), self.given)
        whole = [row for row in zip(*columns.values(), strict=True) if None not in row]
        return {name: list(values) for name, values in zip(columns, zip(*whole, strict=True), strict=True)}

    @property
    def count(self) -> int:
        """How many rows it is tried on."""
        return len(next(iter(self.columns.values())))

    @property
    def close(self) -> float:
        """How far apart two numbers may be that ought to be the same: rounding, or the metric's own tolerance."""
        return max(self.metric.tolerance, 1e-9)

    @cached_property
    def whole(self) -> Normal:
        """All rows, measured as one batch; raises NotApplicable where that fails, which is a check of its own."""
        from evalharness.scoring.calls import PluginFault

        try:
            return self.measure(range(self.count))
        except PluginFault as error:
            raise NotApplicable("measure failed") from error
        except ValueError as error:
            raise NotApplicable("there are no columns") from error

    def measure(self, rows: Sequence[int]) -> Normal:
        """Measure these rows as one batch of copies; raises PluginFault for what the metric breaks."""
        from evalharness.scoring.normalise import statistics_of

        return statistics_of(self.entry, self.returned(self.arguments(rows)), len(rows))

    def alone(self, row: int) -> Normal:
        """Return one row measured as a batch of its own; raises PluginFault."""
        from evalharness.scoring.normalise import statistics_of

        return statistics_of(self.entry, self.returned_alone(row), 1)

    def returned_alone(self, row: int) -> Any:
        """Return what `measure` gives for one row, asked once: an encoder takes its time."""
        if row not in self.memo:
            self.memo[row] = self.returned(self.arguments([row]))
        return self.memo[row]

    def returned(self, arguments: Mapping[str, Any]) -> Any:
        """Return the rows that `measure` gives for these arguments."""
        from evalharness.scoring.calls import call_measure

        return call_measure(self.entry, arguments, {})

    def arguments(self, rows: Sequence[int]) -> dict[str, Any]:
        """Return the arguments of `measure` for these rows, all of them copies."""
        batch = Batch(
            {name: [copy.deepcopy(values[row]) for row in rows] for name, values in self.columns.items()},
            [f"row-{row}" for row in rows],
        )
        metric = self.entry.metric
        wanted = inspect.signature(type(metric).measure).parameters
        arguments: dict[str, Any] = {name: batch.columns[name] for name in metric.reads}
        if "batch" in wanted:
            arguments["batch"] = batch
        if "answers" in wanted:
            arguments["answers"] = [list(self._answered[row]) for row in rows]
        if "values" in wanted:
            arguments["values"] = self._values(batch)
        return arguments

    @property
    def _answered(self) -> list[list[Response]]:
        try:
            return self.answers
        except Exception as error:  # that `ask` fails is a check of its own
            raise NotApplicable("ask failed") from error

    def _values(self, batch: Batch) -> dict[str, Any]:
        from evalharness.scoring.measuring import ParentValues, measure
        from evalharness.scoring.repeats import Samples

        of_samples = self.entry.of_samples
        rows = _repeats(batch) if of_samples else batch
        measured: dict[str, Measured] = {}
        for entry in self.entries[:-1]:
            none = [None] * len(rows)
            measured[entry.name] = measure(entry, rows, failures=none, policy="exclude", measured=measured)
        values = {score: ParentValues.of(score, measured[score]) for score in self.metric.uses}
        if not of_samples:
            return values
        return {score: column.by_sample(Samples.of(rows), lists=True) for score, column in values.items()}

    def score(self, statistics: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the scores of this shape by name; raises PluginFault for wrong keys, shapes and exceptions."""
        from evalharness.scoring.calls import call_score

        return call_score(self.entry, statistics, shape)

    @cached_property
    def answers(self) -> list[list[Response]]:
        """The answers to what the metric asks, a list a row, after as many rounds as it wants."""
        metric = self.entry.metric
        answers: list[list[Response]] = [[] for _ in range(self.count)]
        for _ in range(ROUNDS + 1):
            columns = {name: copy.deepcopy(self.columns[name]) for name in metric.reads}
            asked = metric.ask(**columns, answers=[list(row) for row in answers])
            if len(asked) != self.count:
                mend = "return [] for a row that asks nothing"
                raise Broken(f"ask returns a list for each of {self.count} rows", f"{len(asked)} lists", mend)
            if not any(asked):
                return answers
            replies = self._replies([request for row in asked for request in row])
            for row, requests in enumerate(asked):
                answers[row].extend(replies[request.key("")] for request in requests)
        mend = "look at 'answers' and return empty lists once they suffice"
        raise Broken(f"ask is satisfied after at most {ROUNDS} rounds", "it goes on asking", mend)

    def _replies(self, requests: Sequence[Request]) -> dict[str, Response]:
        from evalharness import registry

        model = self.model or registry.build("model", Spec("echo"))
        distinct = {request.key(""): request for request in requests}
        supported = [request for request in distinct.values() if isinstance(request, model.supports)]
        refused = Response(error=Failure("not supported", f"model '{model.name}' does not answer this kind of request"))
        return dict.fromkeys(distinct, refused) | {request.key(""): response for request, response in model.answer(supported)}


def _repeats(batch: Batch) -> Batch:
    """Return a batch with a row for each of the responses of a sample, as they were before they were gathered."""
    places = [row for row, texts in enumerate(batch.columns["responses"]) for _ in texts]
    columns = {name: [column[row] for row in places] for name, column in batch.columns.items() if name != "responses"}
    columns["response"] = [text for texts in batch.columns["responses"] for text in texts]
    return Batch(columns, [batch.ids[row] for row in places])
