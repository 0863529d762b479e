"""Samples and rankings in TREC's files."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Literal

import evalharness as eh
from evalharness_retrieval.ranking import Rules, ranked
from evalharness_retrieval.trec import Table, read_qrels, read_run

SHOWN = 5


class TrecTopics(eh.Dataset):
    """The judged topics of a TREC file of judgements (qrels), a sample each.

    A sample has the topic as `id` and its judgements as `relevant`, passage ids to grades. `topics` is a file with a text
    for each, `.jsonl` with `id` and `text` or else lines of id, tab, text: the sample's `input`. A judged topic without a
    text is a broken item; a text without judgements is left out. Every fault of the judgements is told with `file:line`,
    a document that is judged twice for a topic among them, before anything runs.
    """

    name = "trec"
    example = {"qrels": "qrels.txt"}
    qrels: eh.File
    topics: eh.File | None = None

    def items(self) -> Iterator[eh.Item]:
        table = read_qrels(self.qrels)
        texts = None if self.topics is None else _texts(Path(self.topics))
        for topic, grades in table.numbers.items():
            where, item = f"{self.qrels}:{table.lines[topic]}", {"id": topic, "relevant": grades}
            if texts is None:
                yield eh.Item(item, where)
            elif topic in texts:
                yield eh.Item({**item, "input": texts[topic]}, where)
            else:
                yield eh.Item(item, where, f"topic '{topic}' is judged, but {self.topics} has no text for it")

    def digest(self) -> str:
        files = [self.qrels] if self.topics is None else [self.qrels, self.topics]
        return eh.digest([_content(file) for file in files])


class TrecRun(eh.Retriever):
    """The rankings of a TREC run file, by the id of the sample, whatever its input; nothing is searched.

    Ranked by score, highest first, equal scores by document id, descending bytes; the column of ranks and the order of lines
    say nothing, as in trec_eval. `rules` says which version: "10" compares scores in double precision, "9.0.8" as float32.

    A sample that the file lacks has an empty ranking and scores 0 (trec_eval -c); with `missing: unmeasured` it has none and
    is left out, `no contexts` (trec_eval 9 without -c). Both are counted beneath the scores, and so are topics of the file
    that are no sample, which are ignored. The passages have no text.
    """

    name = "trec_run"
    example = {"path": "run.txt"}
    recorded = True
    top_k: int = field(default=sys.maxsize, init=False, metadata={"option": False})
    path: eh.File
    rules: Rules = "10"
    missing: Literal["zero", "unmeasured"] = "zero"

    @cached_property
    def _run(self) -> Table[float]:
        return read_run(self.path)

    def identity(self) -> str:
        return eh.digest([self.name, _content(self.path), self.rules, self.missing])

    def index(self, passages: Sequence[eh.Passage]) -> None:
        """Do nothing: there is no corpus."""

    def search(self, queries: Sequence[str], top_k: int) -> list[list[eh.Passage]]:
        raise eh.UsageError("retriever 'trec_run' searches nothing: its rankings stand in a file, by the ids of samples")

    def recall(self, sample: eh.Sample) -> Sequence[eh.Passage] | None:
        scores = self._run.numbers.get(sample.id)
        if scores is None:
            return () if self.missing == "zero" else None
        return [eh.Passage(key, "", scores[key]) for key in ranked([scores], self.rules)[0]]

    def remarks(self, samples: Iterable[eh.Sample]) -> Sequence[str]:
        topics = dict.fromkeys(sample.id for sample in samples)
        absent = [topic for topic in topics if topic not in self._run.numbers]
        ignored = [topic for topic in self._run.numbers if topic not in topics]
        counted = "counted as an empty ranking" if self.missing == "zero" else "left out"
        told = [
            (absent, f"not in the run and {counted}: {len(absent)} of {len(topics)} topics"),
            (ignored, f"ignored, since no sample is called so: {len(ignored)} of {len(self._run.numbers)} topics of the run"),
        ]
        return [f"{what} ({_listed(names)})" for names, what in told if names]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def _content(path: str) -> str:
    """Return a digest of a file's bytes."""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise eh.DataError(f"{path}: this file cannot be read: {error.strerror}") from None


def _texts(path: Path) -> dict[str, str]:
    """Return the text of each topic; raises DataError with the line of the first that cannot be read."""
    texts: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a text may hold other ends of lines, such as U+2028
    except (OSError, UnicodeDecodeError) as error:
        raise eh.DataError(f"{path}: this file of topics cannot be read: {error}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        topic, text = _object(line) if path.suffix == ".jsonl" else line.split("\t", 1) if "\t" in line else ("", "")
        if not topic:
            form = '{"id": "301", "text": "..."}' if path.suffix == ".jsonl" else "the topic's id, a tab, its text"
            raise eh.DataError(f"{path}:{number}: a line of topics is {form}")
        if topic in texts:
            raise eh.DataError(f"{path}:{number}: topic '{topic}' stands twice in this file")
        texts[topic] = text
    return texts


def _object(line: str) -> tuple[str, str]:
    """Return id and text of a line of JSON; empty where it has none."""
    try:
        item = json.loads(line)
        return str(item["id"]), item["text"]
    except (ValueError, KeyError, TypeError):
        return "", ""
