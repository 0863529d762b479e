"""Scoring again from the samples: agreement where nothing was touched, the difference named where something was."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy
import pyarrow
import pytest
from pyarrow import parquet

import evalharness as eh
from evalharness.errors import DataError
from evalharness.registry import Registry, Source
from evalharness.results import read_record
from evalharness.running import rescore
from evalharness.scoring import Score
from tests.running.conftest import TASK, Adder, module

EVERYTHING = TASK.replace(
    "metrics: [exact_match, token_f1]",
    "metrics: [exact_match, token_f1, bleu, {perplexity: {of: references}}, "
    "{combine: {of: [exact_match, token_f1]}}, ranks, table]",
)


class Ranks(eh.Metric):
    """Median length of the responses, no function of sums."""

    name, better, range, pool, replicates = "ranks", "lower", (0, None), "rows", 50

    def measure(self, response: list[str]) -> Any:
        return {"text": response, "length": [len(text) for text in response]}

    def score(self, *, weights: Any, text: Any, length: Any) -> Any:
        assert all(isinstance(each, str) for each in text)
        return float(numpy.median(numpy.repeat(length, weights)))


class Table(eh.Metric):
    """Accuracy from a two by two table of counts, 0 to 1."""

    name, better, range = "table", "higher", (0, 1)

    def measure(self, response: list[str], references: list[list[str]]) -> Any:
        cells = numpy.zeros((len(response), 2, 2))
        for row, (text, answers) in enumerate(zip(response, references, strict=True)):
            cells[row, int(text in answers), int(answers[0]) % 2] = 1
        spans = [(answers[0], text.find(answers[0])) for text, answers in zip(response, references, strict=True)]
        evidence = {row: [{"start": at, "end": at + len(known)}] for row, (known, at) in enumerate(spans) if at >= 0}
        return eh.Rows({"cells": cells}, evidence=evidence)

    def score(self, cells: Any) -> Any:
        return cells[..., 1, :].sum(-1) / cells.sum((-1, -2))


@pytest.fixture
def finished(task: Callable[..., Path], plugins: Registry) -> Path:
    def evalharness_metrics() -> list[type[eh.Metric]]:
        return [Ranks, Table]

    plugins.add(module("more", evalharness_metrics=eh.hookimpl(evalharness_metrics)), Source("more", "acme", "1"))
    eh.run(task(EVERYTHING.replace("model: adder", "model: {adder: {broken: true}}")), out="out")
    Adder.asked.clear()
    return Path("out")


@pytest.mark.parametrize("statistics_only", [False, True])
def test_an_untouched_run_agrees_and_asks_nothing(finished: Path, statistics_only: bool) -> None:
    agreement = rescore(finished, statistics_only=statistics_only)
    covered = " (statistics only: nothing was measured again)" if statistics_only else ""
    assert agreement.text() == f"out: all 7 scores and their replicates agree with the record{covered}"
    assert agreement.plain()["steps"] == ("statistics" if statistics_only else "measure")
    assert agreement.agrees
    assert Adder.asked == []


def test_a_changed_score_is_named(finished: Path) -> None:
    record = json.loads((finished / "record.json").read_text())
    record["scores"]["bleu"]["value"] += 1.0
    (finished / "record.json").write_text(json.dumps(record))
    agreement = rescore(finished)
    assert [difference[:2] for difference in agreement.differences] == [("bleu", "value")]
    assert "bleu: value is" in agreement.text()
    assert agreement.plain()["agrees"] is False


FORGED: dict[str, Any] = {
    "value": 0.999, "low": 0.1, "high": 0.999, "level": 0.9, "interval": "made up", "reason": "made up", "samples": 41,
    "groups": 41, "clustered": False, "unmeasured": {"no reference": 1}, "errors": 7, "as_worst": 3, "bounds": [0.1, 0.2],
    "better": "lower", "unit": "%", "range": [0, 2], "se": 0.5, "df": 3.5, "signature": "exact_match|normalise:none|asked:none",
    "generator": "none", "replicates": 3, "fingerprint": "0000000000000000",
}  # fmt: skip


def forge(folder: Path, *keys: str, value: Any) -> None:
    """Change one value of the record."""
    record = json.loads((folder / "record.json").read_text())
    place = record
    for key in keys[:-1]:
        place = place[key]
    assert place[keys[-1]] != value
    place[keys[-1]] = value
    (folder / "record.json").write_text(json.dumps(record))


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None], row: int = 1) -> None:
    """Change one row of the samples."""
    table = parquet.read_table(folder / "samples.parquet")
    rows = table.to_pylist()
    change(rows[row])
    parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), folder / "samples.parquet")


def test_every_field_of_a_score_has_a_forgery() -> None:
    assert set(FORGED) == {item.name for item in dataclasses.fields(Score)}


@pytest.mark.parametrize("part", FORGED)
def test_no_field_of_a_score_can_be_forged(finished: Path, part: str) -> None:
    forge(finished, "scores", "exact_match", part, value=FORGED[part])
    for statistics_only in (False, True):
        differences = rescore(finished, statistics_only=statistics_only).differences
        assert [difference[:2] for difference in differences] == [("exact_match", part)]


def test_the_signature_of_a_metric_that_asks_is_compared_without_what_it_asked(finished: Path) -> None:
    signature = read_record(finished).scores["perplexity"].signature
    forge(finished, "scores", "perplexity", "signature", value=signature.replace("|asked:", "|of:response|asked:"))
    assert [difference[:2] for difference in rescore(finished).differences] == [("perplexity", "signature")]
    forge(finished, "scores", "perplexity", "signature", value=signature.split("|asked:")[0])
    assert [difference[:2] for difference in rescore(finished).differences] == [("perplexity", "signature")]


@pytest.mark.parametrize(
    ("section", "part", "value"),
    [
        ("task", "name", "others"),
        ("task", "version", "2"),
        ("task", "digest", "00"),
        ("system", "name", "others"),
        ("system", "digest", "00"),
        ("system", "spec", {"model": "echo"}),
        ("dataset", "samples", 41),
    ],
)
def test_task_system_and_size_cannot_be_forged(finished: Path, section: str, part: str, value: Any) -> None:
    forge(finished, section, part, value=value)
    assert [difference[:2] for difference in rescore(finished).differences] == [(section, part)]


def test_a_score_more_or_less_is_found(finished: Path) -> None:
    record = json.loads((finished / "record.json").read_text())
    record["scores"]["invented"] = record["scores"].pop("bleu")
    (finished / "record.json").write_text(json.dumps(record))
    assert [difference[:2] for difference in rescore(finished).differences] == [("invented", "score"), ("bleu", "score")]


@pytest.mark.parametrize("statistics_only", [False, True])
def test_a_changed_value_of_a_sample_is_found(finished: Path, statistics_only: bool) -> None:
    rewrite(finished, lambda row: row["scores"].update(exact_match=0.5))
    assert rescore(finished, statistics_only=statistics_only).differences == (
        ("exact_match", "the value of sample 'q01'", 0.5, 1.0),
    )


def test_a_changed_status_or_statistic_of_a_sample_is_found(finished: Path) -> None:
    rewrite(finished, lambda row: row["statuses"].update(exact_match="counted as worst: empty"))
    rewrite(finished, lambda row: row["statistics"]["table"].update(cells=[0.0, 0.0, 1.0, 1.0]))
    rewrite(finished, lambda row: row["statistics"]["ranks"].update(text="other"))
    found = {difference[:2]: difference[2:] for difference in rescore(finished).differences}
    assert found == {
        ("exact_match", "the status of sample 'q01'"): ("counted as worst: empty", None),
        ("ranks", "the statistic 'text' of sample 'q01'"): ("other", "2"),
        ("table", "the statistic 'cells' of sample 'q01'"): ([[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]]),
    }


class Listed(eh.Metric):
    """Share of responses that a file lists, 0 to 1."""

    name, better, range = "listed", "higher", (0, 1)
    words: eh.File
    backup: eh.Spec | None = None

    def measure(self, response: list[str]) -> dict[str, Any]:
        words = Path(self.words).read_text(encoding="utf-8").split()
        return {"value": [float(text in words) for text in response]}


class Steep(eh.Model):
    """Answers likelihoods with an impossible token, and all else that a response may hold."""

    name, supports = "steep", (eh.Likelihood,)

    def identity(self) -> str:
        return "steep"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        full = eh.Response(logprobs=(-0.5, -math.inf), embedding=(0.25, 2.0), finish="length", merged=2, latency=0.5)
        yield from ((request, dataclasses.replace(full, contexts=(eh.Passage("p", "text"),))) for request in requests)


class Finite(eh.Metric):
    """Share of finite likelihoods of those with an embedding, a finish and contexts, 0 to 1."""

    name, better, range = "finite", "higher", (0, 1)
    model: eh.Spec = eh.Spec("steep")

    def ask(self, *, response: list[str], answers: Any) -> list[list[eh.Request]]:  # type: ignore[override]
        return [[] if given else [eh.Likelihood(text=text)] for text, given in zip(response, answers, strict=True)]

    def measure(self, response: list[str], answers: Any) -> dict[str, Any]:
        return {"value": [self._share(given[0]) for given in answers]}

    def _share(self, given: eh.Response) -> float:
        assert (given.finish, given.merged, given.latency) == ("length", 2, 0.5)
        assert (given.embedding, given.contexts) == ((0.25, 2.0), (eh.Passage("p", "text"),))
        return sum(map(math.isfinite, given.logprobs or ())) / 2


def add_plugins(plugins: Registry) -> None:
    def evalharness_metrics() -> list[type[eh.Metric]]:
        return [Listed, Finite]

    def evalharness_models() -> list[type[eh.Model]]:
        return [Steep]

    hooks = {hook.__name__: eh.hookimpl(hook) for hook in (evalharness_metrics, evalharness_models)}
    plugins.add(module("more", **hooks), Source("more", "acme", "1"))


@pytest.mark.parametrize("place", ["task", "run"])
def test_files_of_metrics_are_found_beside_the_task_or_in_the_run(
    task: Callable[..., Path], plugins: Registry, place: str
) -> None:
    add_plugins(plugins)
    path = task(TASK.replace("[exact_match, token_f1]", "[{listed: {words: words.txt, backup: {listed: {words: words.txt}}}}]"))
    path.with_name("words.txt").write_text("2 4 6 8")
    record = eh.run(path, out="out")
    assert record.scores["listed"].value == 3 / 40
    assert record.provenance["task_file"] == str(path)
    if place == "run":
        path.unlink()
        path.with_name("words.txt").rename("out/words.txt")
    assert rescore("out").agrees


def test_answers_to_metrics_are_read_back_whole(task: Callable[..., Path], plugins: Registry) -> None:
    add_plugins(plugins)
    record = eh.run(task(TASK.replace("[exact_match, token_f1]", "[finite]")), out="out")
    assert record.scores["finite"].value == 0.5
    assert rescore("out").text() == "out: all 1 scores and their replicates agree with the record"


def test_statistics_that_the_file_lacks_are_refused(finished: Path) -> None:
    table = parquet.read_table(finished / "samples.parquet")
    place = table.schema.get_field_index("statistics")
    kept = [item for item in table.schema.field(place).type if item.name != "ranks"]
    kind = pyarrow.struct([*kept, pyarrow.field("ranks", pyarrow.null())])
    column = pyarrow.array([{**row, "ranks": None} for row in table.column(place).to_pylist()], kind)
    parquet.write_table(table.set_column(place, pyarrow.field("statistics", kind), column), finished / "samples.parquet")
    with pytest.raises(DataError, match=r"holds no statistics of 'ranks'.*Score the run again from its texts"):
        rescore(finished, statistics_only=True)
    assert rescore(finished).agrees


def test_a_changed_response_is_found_by_measuring_and_a_changed_statistic_by_adding(finished: Path) -> None:
    table = parquet.read_table(finished / "samples.parquet")
    responses = table.column("response").to_pylist()
    responses[1] = "wrong"
    place = table.schema.get_field_index("response")
    parquet.write_table(table.set_column(place, "response", pyarrow.array(responses)), finished / "samples.parquet")
    assert not rescore(finished).agrees
    assert rescore(finished, statistics_only=True).agrees


def test_changed_evidence_is_found_by_measuring(finished: Path) -> None:
    def forged(row: dict[str, Any]) -> None:
        assert json.loads(row["evidence"]) == {"table": [{"end": 1, "start": 0}]}
        row["evidence"] = '{"table":[{"end":2,"start":0}]}'

    rewrite(finished, forged)
    assert rescore(finished, statistics_only=True).agrees
    ((*where, was, now),) = rescore(finished).differences
    assert where == ["table", "the evidence of sample 'q01'"]
    assert (was, now) == ([{"end": 2, "start": 0}], [{"end": 1, "start": 0}])


def test_changed_replicates_are_found(finished: Path) -> None:
    with numpy.load(finished / "replicates.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["table"] = arrays["table"] + numpy.float32(0.01)
    numpy.savez(finished / "replicates.npz", **arrays)
    assert rescore(finished).differences == (("table", "replicates", "stored", "different"),)


def test_a_record_file_stands_for_its_folder(finished: Path) -> None:
    assert rescore(finished / "record.json", statistics_only=True) == rescore(finished, statistics_only=True)


def test_a_folder_that_is_no_run_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no finished run: it has no record\.json"):
        rescore(tmp_path)
