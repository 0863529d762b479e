"""The samples of a board, for pages that load them when they are asked for.

One file a task holds what all systems share: ids, fields and passages, once each. One file a system and task holds scores,
and another one responses, contexts and evidence, where the texts may be shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyarrow import parquet

from evalharness.leaderboard.board import Submission
from evalharness.leaderboard.columns import Column
from evalharness.leaderboard.site.packing import packed
from evalharness.results.samples import read_json
from evalharness.results.values import Values, read_values

_SHOWN = ("input", "references", "choices", "target")


@dataclass
class TaskSamples:
    """The samples of one task as they are gathered from its systems: places of ids and of passages, and their texts."""

    columns: Sequence[Column]
    places: dict[str, int] = field(default_factory=dict)
    fields: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    passages: dict[tuple[str, str], int] = field(default_factory=dict)

    def common(self) -> dict[str, Any]:
        """Return what all systems share."""
        fields = [self.fields.get(place) for place in range(len(self.places))]
        return {"ids": list(self.places), "fields": fields, "passages": [list(passage) for passage in self.passages]}

    def scores(self, values: Values) -> dict[str, Any]:
        """Return the values of one system's samples as its file holds them, in the order of the ids of `places`."""
        return {"places": self._places(values.ids), "scores": {name: packed(found) for name, found in values.by_score.items()}}

    def values(self, submission: Submission) -> Values:
        """Return the values of one system's samples by column title."""
        assert submission.samples is not None
        held = [column for column in self.columns if column.score in submission.record.scores]
        found = read_values(submission.samples, [column.score for column in held])
        return Values(found.ids, found.groups, {column.title: found.by_score[column.score] for column in held})

    def texts(self, submission: Submission) -> dict[str, Any]:
        """Return responses, contexts and evidence of one system, the first repeat of each sample."""
        rows = dict(_rows(submission))
        places = self._places(rows)
        for place, row in zip(places, rows.values(), strict=True):
            self.fields.setdefault(place, _fields(row["fields"]))
        return {
            "places": places,
            "responses": [row["response"] for row in rows.values()],
            "failures": [_parsed(row["failure"]) for row in rows.values()],
            "contexts": [self._contexts(row["contexts"]) for row in rows.values()],
            "evidence": [_parsed(row.get("evidence")) for row in rows.values()],
        }

    def _places(self, ids: Iterable[Any]) -> list[int]:
        return [self.places.setdefault(str(id), len(self.places)) for id in ids]

    def _contexts(self, text: str | None) -> list[int] | None:
        found = _parsed(text)
        if found is None:
            return None
        keys = [(str(passage["id"]), str(passage["text"])) for passage in found]
        return [self.passages.setdefault(key, len(self.passages)) for key in keys]


def _rows(submission: Submission) -> Iterator[tuple[str, dict[str, Any]]]:
    assert submission.samples is not None
    file = parquet.ParquetFile(submission.samples)
    wanted = ["id", "repeat", "response", "failure", "contexts", "evidence", "fields"]
    held = [name for name in wanted if name in file.schema_arrow.names]
    for row in file.read(columns=held).to_pylist():
        if not row["repeat"]:
            yield row["id"], row


def _parsed(text: str | None) -> Any:
    return None if text is None else read_json(text)


def _fields(text: str | None) -> dict[str, Any]:
    """Return the fields that a reader needs to judge a response, and the plain ones."""
    found = json.loads(text) if text else {}
    plain = {name: value for name, value in found.items() if isinstance(value, (str, int, float)) and name not in _SHOWN}
    return {name: found[name] for name in _SHOWN if name in found} | plain
