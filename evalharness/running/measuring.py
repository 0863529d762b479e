"""The last step of a run: batches through the chain of metrics, into the tallies and the samples file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evalharness.contract import Batch, Failure, Response
from evalharness.errors import nearest
from evalharness.results.samples import Scored, answers_text, evidence_text, json_rows, json_text
from evalharness.running.pipeline import Answered, Row, Spent
from evalharness.running.troubles import Troubles
from evalharness.scoring import Chain, Entry, Finished, Measured, Tally, finish, hash_keys, measure
from evalharness.scoring.repeats import RESPONSES

Answers = Sequence[Sequence[Response]]
OWN_COLUMNS = ("id", "group", "response", "contexts")
NOT_OF_DATA = frozenset([*OWN_COLUMNS, RESPONSES])  # a system may well make none of them


@dataclass
class Scoring:
    """Measures batches one by one; `ask` gives the replies to what an asking metric wants to know of a batch."""

    chain: Chain
    policy: Literal["worst", "exclude"]
    ask: Callable[[Entry, Batch], Answers]
    tallies: dict[str, Tally] = field(init=False)
    troubles: Troubles = field(default_factory=Troubles)
    samples: int = 0
    merged: int = 0
    spent: Spent = field(default_factory=Spent)
    replied: dict[str, Spent] = field(default_factory=dict)
    fields: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tallies = {entry.name: Tally(entry) for entry in self.chain.entries}

    def add(self, answered: Answered) -> Scored:
        """Measure one batch, add it to the tallies, and return it ready to be written."""
        batch, failures = answered.batch, answered.failures
        self.fields |= dict.fromkeys(name for name in batch.columns if name not in NOT_OF_DATA)
        replies = {entry.name: self.ask(entry, batch) for entry in self.chain.entries if entry.metric.asks}
        measured: dict[str, Measured] = {}
        for entry in self.chain.entries:
            given = replies.get(entry.name)
            found = measure(entry, batch, failures=failures, policy=self.policy, measured=measured, answers=given)
            measured[entry.name] = found
        self.add_measured(answered.rows, measured)
        self._note(answered, replies)
        return Scored(_texts(answered, replies, measured), measured)

    def add_measured(self, rows: Sequence[Row], measured: dict[str, Measured]) -> None:
        """Add a measured batch to the tallies; what they refuse is replaced by errors."""
        ids = samples = groups = hash_keys([row.sample.id for row in rows])
        if any(row.repeat for row in rows):
            ids = hash_keys([(row.sample.id, row.repeat) if row.repeat else row.sample.id for row in rows])
        if any(row.sample.group is not None for row in rows):
            groups = hash_keys([row.group for row in rows])
        for entry in self.chain.entries:
            measured[entry.name] = self.tallies[entry.name].add(measured[entry.name], groups, ids, samples)
        self.samples += len(rows)

    def finish(self, *, seed: int, clustered: bool) -> list[tuple[Entry, Finished]]:
        """Return the scores and replicates of each entry."""
        tallies = self.tallies
        finished = [(entry, finish(entry, tallies[entry.name], seed=seed, clustered=clustered)) for entry in self.chain.entries]
        self.troubles.note(sorted({note for tally in tallies.values() for note in tally.notes}))
        return finished

    def missing_fields(self) -> list[str]:
        """Return in full sentences which metrics read a field that no sample has at all, and what it might have meant."""
        has = ", ".join(self.fields)
        return [
            f"'{entry.name}' reads the field '{name}', which no sample has.{nearest(name, self.fields)} The samples have: {has}."
            for entry in self.chain.entries
            for name in entry.metric.reads
            if self.samples and name not in self.fields and name not in NOT_OF_DATA
        ]

    def _note(self, answered: Answered, replies: Mapping[str, Answers]) -> None:
        self.merged += answered.merged
        self.spent += answered.spent
        for row, failure in zip(answered.rows, answered.failures, strict=True):
            self.troubles.add(failure, row.sample.id)
        for name, given in replies.items():
            spent = Spent.on([reply for asked in given for reply in asked])
            self.replied[name] = self.replied.get(name, Spent()) + spent
            for row, asked in zip(answered.rows, given, strict=True):
                for reply in asked:
                    self.troubles.add(reply.error, row.sample.id)


def _texts(answered: Answered, replies: Mapping[str, Answers], measured: Mapping[str, Measured]) -> dict[str, list[Any]]:
    """Return the text columns of the samples file."""
    columns, rows = answered.batch.columns, answered.rows
    fields = [name for name in columns if name not in OWN_COLUMNS]
    evidence = {name: one for name, one in measured.items() if one.evidence}
    return {
        "id": columns["id"],
        "group": columns["group"],
        "repeat": [row.repeat for row in rows],
        "response": columns["response"],
        "failure": [_failure(failure) for failure in answered.failures],
        "contexts": [None if found is None else json_text(found) for found in columns["contexts"]],
        "answers": [answers_text({name: given[row] for name, given in replies.items()}) for row in range(len(rows))],
        "evidence": [evidence_text(evidence, row) for row in range(len(rows))],
        "fields": json_rows({name: columns[name] for name in fields}, len(rows)),
    }


def _failure(failure: Failure | None) -> str | None:
    return None if failure is None else json_text(dataclasses.asdict(failure))
