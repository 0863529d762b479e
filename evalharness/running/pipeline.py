"""From samples to columns: contexts, requests, responses, transforms; each a pure step over one batch of rows.

Models and retrievers are reached through the store only. `fill` runs over all rows first, so that chunks of local work
see the whole request list; then the same steps are read back batch by batch.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from evalharness.contract import (
    Answer,
    Batch,
    Choose,
    Failure,
    Generate,
    Likelihood,
    Model,
    Passage,
    Request,
    Response,
    Retriever,
    Sample,
    Transform,
)
from evalharness.contract.spec import Values
from evalharness.errors import DataError, EvalharnessError
from evalharness.running.transforming import Transforming
from evalharness.scoring.repeats import spans
from evalharness.systems.batching import batched
from evalharness.systems.checking import blamed
from evalharness.systems.engine import Engine
from evalharness.systems.keys import KEY_BYTES
from evalharness.systems.retrieval import Found, Searcher
from evalharness.task import Prompter, Task, request_kind

ROWS_A_BATCH = 1_024


@dataclass(frozen=True)
class Row:
    """One sample at one repeat."""

    sample: Sample
    repeat: int

    @property
    def group(self) -> str:
        """The group that the row belongs to: the sample's, or the sample itself."""
        return self.sample.id if self.sample.group is None else self.sample.group


@dataclass(frozen=True)
class Spent:
    """What responses cost, whenever they were asked for: tokens, and the seconds of those that a service timed."""

    input_tokens: int = 0
    output_tokens: int = 0
    latency: float = 0.0
    timed: int = 0

    @classmethod
    def on(cls, responses: Sequence[Response]) -> Spent:
        """Return what these responses cost."""
        times = [response.latency for response in responses if response.latency is not None]
        read, written = (
            sum(response.input_tokens for response in responses),
            sum(response.output_tokens for response in responses),
        )
        return cls(read, written, sum(times), len(times))

    def __add__(self, other: Spent) -> Spent:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Spent(*(one + two for one, two in pairs))


@dataclass(frozen=True)
class Answered:
    """A batch with its columns, for each row the failure of its retrieval or response, or None.

    `merged` counts choices whose first characters share a token with their context; `spent` is what the responses cost.
    """

    rows: Sequence[Row]
    batch: Batch
    failures: Sequence[Failure | None]
    merged: int = 0
    spent: Spent = field(default_factory=Spent)


@dataclass
class Pipeline:
    """One system on one task. `samples` gives the samples anew each time it is called.

    Without a prompter nothing is rendered: the model takes inputs and passages, or its responses exist already.
    """

    task: Task
    model: Model
    engine: Engine
    prompter: Prompter | None
    samples: Callable[[], Iterable[Sample]]
    searcher: Searcher | None = None
    recorded: Retriever | None = None
    transforms: Sequence[Transform] = ()
    faults: dict[str, str] = field(default_factory=dict)
    _asked: _Asked | None = field(default=None, repr=False)

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows of the task in batches; all repeats of a sample stand together."""
        repeats = range(self.task.repeats)
        rows = (Row(sample, repeat) for sample in self.samples() for repeat in repeats)
        return batched(rows, rows_a_batch(self.task.repeats))

    def fill(self) -> None:
        """Ask for all contexts and all responses that are not stored yet."""
        self.fill_contexts()
        self.fill_responses()

    def fill_responses(self) -> None:
        """Ask for all responses that are not stored yet; needs the contexts."""
        if self.model.stored:
            asked = _Asked(self)
            asked.keys = self.engine.fill(self.model, asked)
            self._asked = None if self._kind is Likelihood else asked  # of a likelihood the text is wanted once more

    def fill_contexts(self) -> None:
        """Search for everything that is not stored yet."""
        if self.searcher is not None:
            self.searcher.fill(self.query(row.sample) for rows in self.rows() for row in rows if row.repeat == 0)

    def requests(self, rows: Sequence[Row], contexts: Sequence[Found | None]) -> list[Request | None]:
        """Return the request of each row; None where its retrieval failed, its prompt cannot be made, or nothing is asked."""
        if not self._asks:
            return [None] * len(rows)
        return [
            None if isinstance(found, Failure) else self.request(row, found) for row, found in zip(rows, contexts, strict=True)
        ]

    def answered(self) -> Iterator[Answered]:
        """Yield all batches with contexts and responses read back."""
        keys = iter(()) if self._asked is None else self._asked.by_batch()
        for rows in self.rows():
            yield self.answer(rows, next(keys, None))

    def answer(self, rows: Sequence[Row], keys: _Keys | None = None) -> Answered:
        """Return one batch with its columns; with the keys that its requests had, none of them is made again."""
        contexts = self.contexts(rows)
        requests = self.requests(rows, contexts) if keys is None else None
        responses = self._responses(rows, contexts, requests, keys)
        marks: dict[str, list[Any]] = {}
        if self.transforms:
            transforming = Transforming.of(responses, spans([row.sample.id for row in rows]))
            for transform in self.transforms:
                transforming.apply(transform)
            responses, marks = transforming.responses, transforming.columns()
        columns = self.columns(rows, contexts, responses) | marks
        if self._kind is Likelihood:
            columns["text"] = [request.text if isinstance(request, Likelihood) else None for request in requests or ()]
        merged = sum(response.merged for response in responses)
        # Where a ranking is all that is wanted, an empty text is no failure.
        ranks = self.task.output_type == "retrieve"
        failures = [response.error if ranks else response.failure for response in responses]
        return Answered(rows, Batch(columns, columns["id"]), failures, merged, Spent.on(responses))

    def _responses(
        self,
        rows: Sequence[Row],
        contexts: Sequence[Found | None],
        requests: Sequence[Request | None] | None,
        keys: _Keys | None,
    ) -> list[Response]:
        """Return the response to each row; to one that was not asked, the failure that says why."""
        if keys is not None:
            keys.refuse_others(rows)
            asked: Sequence[object | None] = keys.of_rows
            replies = iter(self.engine.recall([key for key in keys.of_rows if key is not None]))
        else:
            asked = requests or ()
            replies = iter(self.engine.read(self.model, [request for request in requests or () if request is not None]))
        return [
            Response(error=self._reason(row, found)) if question is None else next(replies)
            for row, question, found in zip(rows, asked, contexts, strict=True)
        ]

    def _reason(self, row: Row, found: Found | None) -> Failure | None:
        """Return why a row was not asked; None where nothing is asked at all."""
        if isinstance(found, Failure):
            return found
        return Failure("prompt", self.faults[row.sample.id]) if row.sample.id in self.faults else None

    def query(self, sample: Sample) -> str:
        """Return what the retriever is asked for a sample: its input."""
        return str(sample.fields.get("input") or "")

    def contexts(self, rows: Sequence[Row]) -> list[Found | None]:
        """Return for each row the passages found, those of the data, None for none at all, or a Failure."""
        if self.searcher is None:
            return [self.recalled(row.sample) for row in rows]
        return list(self.searcher.read([self.query(row.sample) for row in rows]))

    def recalled(self, sample: Sample) -> Found | None:
        """Return the ranking that exists for a sample: its retriever's, or the passages that stand in the data."""
        if self.recorded is None:
            return sample.fields.get("contexts")
        with blamed("retriever", self.recorded, "recall"):
            found = self.recorded.recall(sample)
            return None if found is None else tuple(found)

    def request(self, row: Row, contexts: Sequence[Passage] | None) -> Request | None:
        """Return the request for a row; None where its prompt cannot be made, with the reason in `faults`."""
        try:
            return self._request(row, contexts)
        except EvalharnessError as error:
            self.faults[row.sample.id] = str(error)
            return None

    def _request(self, row: Row, contexts: Sequence[Passage] | None) -> Request:
        sample, kind = row.sample, self._kind
        common: dict[str, Any] = {"sample": sample.id, "repeat": row.repeat}
        if kind is Answer:
            fields = Values(self._given(sample) if self.model.stored else {})
            return Answer(input=self.query(sample), contexts=tuple(contexts or ()), fields=fields, **common)
        if kind is Likelihood:
            return Likelihood(text=self.prompter.render_text(sample, contexts) if self.prompter else "", **common)
        prompt = self.prompter.render(sample, contexts, chat=self._chat) if self.prompter else ""
        if kind is Choose:
            return Choose(prompt=prompt, choices=tuple(sample["choices"]), delimiter=self._delimiter(), **common)
        return Generate(prompt=prompt, **self._generate, **common)

    def _given(self, sample: Sample) -> dict[str, Any]:
        """Return the fields that a model is given beside the input; raises DataError where one is not there.

        Without it, a system would answer another question than the one that is scored.
        """
        lacking = next((name for name in ("input", *self._reads) if name not in sample.fields), None)
        if lacking is not None:
            has = ", ".join(sorted(sample.fields))
            raise DataError(
                f"model '{self.model.name}' is given the field '{lacking}', which this sample does not have. It has: {has}. "
                "Map a column of the data to it under 'dataset.fields'"
            )
        return {name: sample.fields[name] for name in self._reads}

    @cached_property
    def _chat(self) -> bool:
        return self.model.chat

    @cached_property
    def _generate(self) -> dict[str, Any]:
        return dataclasses.asdict(self.task.system.generate)

    @cached_property
    def _asks(self) -> bool:
        """Whether the model is asked anything; where a retriever alone is evaluated, it is not."""
        return self.task.output_type != "retrieve" or self.model.retrieves

    @cached_property
    def _reads(self) -> tuple[str, ...]:
        return self.model.reads

    @cached_property
    def _kind(self) -> type[Request]:
        return request_kind(self.task, self.model)

    def _delimiter(self) -> str:
        if self.task.delimiter is not None:
            return self.task.delimiter
        return "" if self._chat else " "

    def columns(
        self, rows: Sequence[Row], contexts: Sequence[Found | None], responses: Sequence[Response]
    ) -> dict[str, list[Any]]:
        """Return the columns that metrics read: the fields of the data, then what the system made."""
        names = dict.fromkeys(itertools.chain.from_iterable(row.sample.fields for row in rows))
        columns: dict[str, list[Any]] = {name: [row.sample.fields.get(name) for row in rows] for name in names}
        columns["id"] = [row.sample.id for row in rows]
        columns["group"] = [row.group for row in rows]
        columns["contexts"] = [
            response.contexts if response.contexts is not None else None if isinstance(found, Failure) else found
            for found, response in zip(contexts, responses, strict=True)
        ]
        if self.task.output_type in ("multiple_choice", "likelihood"):
            columns["logprobs"] = [response.logprobs for response in responses]
        if self.task.output_type == "multiple_choice":
            columns["choice_tokens"] = [response.tokens for response in responses]
        text = _choice if self._kind is Choose else _text
        columns["response"] = [text(row.sample, response) for row, response in zip(rows, responses, strict=True)]
        return columns


@dataclass
class _Asked:
    """The requests of all rows, made anew at each iteration, and their keys, which the engine gives back, end to end.

    Keys are 16 bytes a row; with them no request is made again when the responses are read.
    """

    pipeline: Pipeline
    keys: bytes = b""
    batches: list[tuple[int, bytes]] = field(default_factory=list)

    def __iter__(self) -> Iterator[Request]:
        self.batches = []
        for rows in self.pipeline.rows():
            requests = self.pipeline.requests(rows, self.pipeline.contexts(rows))
            self.batches.append((_hash(rows), bytes(request is not None for request in requests)))
            yield from (request for request in requests if request is not None)

    def by_batch(self) -> Iterator[_Keys]:
        """Yield the keys of each batch of rows."""
        start = 0
        for hashed, asked in self.batches:
            stop = start + KEY_BYTES * sum(asked)
            text = self.keys[start:stop].hex()
            keys = iter([text[place : place + 2 * KEY_BYTES] for place in range(0, len(text), 2 * KEY_BYTES)])
            yield _Keys(hashed, [next(keys) if each else None for each in asked])
            start = stop


@dataclass(frozen=True)
class _Keys:
    """The keys of one batch of rows, None for a row that was not asked, and a hash of who they are."""

    hashed: int
    of_rows: Sequence[str | None]

    def refuse_others(self, rows: Sequence[Row]) -> None:
        """Raise DataError where these are other rows than those that were asked."""
        if self.hashed != _hash(rows):
            raise DataError("the data was changed while it was being evaluated. Run again: all answers so far are stored.")


def _hash(rows: Sequence[Row]) -> int:
    return hash(tuple([row.sample.id for row in rows]))


def _text(sample: Sample, response: Response) -> str | None:
    return response.text


def _choice(sample: Sample, response: Response) -> str | None:
    """Return the likeliest choice, where there is no text."""
    if response.text is None and response.logprobs:
        choices: Sequence[str] = sample["choices"]
        return choices[max(range(len(response.logprobs)), key=response.logprobs.__getitem__)]
    return response.text


def rows_a_batch(repeats: int) -> int:
    """Return how many rows a batch has, so that all repeats of a sample are in one.

    >>> rows_a_batch(3)
    1023
    """
    return max(1, ROWS_A_BATCH // repeats) * repeats
