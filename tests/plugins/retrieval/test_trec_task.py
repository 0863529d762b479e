"""A TREC run file against TREC judgements through the command line: no model, nothing asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from evalharness_retrieval.trec import read_qrels, read_run
from evalharness_retrieval.trec_data import TrecRun, TrecTopics

import evalharness as eh
from evalharness.cli.main import cli

ROOT = Path(__file__).parents[3]
TASK = ROOT / "tasks" / "trec_run.yaml"
QRELS = "1 0 a 1\n1 0 b 0\n2 0 a 2\n3 0 c 1\n"
RUN = "1 Q0 b 1 2.0 t\n1 Q0 a 2 2.0 t\n2 Q0 x 1 0.5 t\n2 Q0 a 2 0.25 t\n9 Q0 a 1 1 t\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    Path("qrels.txt").write_text(QRELS, encoding="utf-8")
    Path("run.txt").write_text(RUN, encoding="utf-8")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["run", str(TASK), "--set", "dataset.qrels=qrels.txt", *arguments])


def test_two_files_are_scored_by_one_command() -> None:
    result = run("--responses", "run.txt")
    assert result.exit_code == 0, result.output
    assert "trec_run · run · 3 samples" in result.output
    assert "not in the run and counted as an empty ranking: 1 of 3 topics (3)" in result.output
    assert "ignored, since no sample is called so: 1 of 3 topics of the run (9)" in result.output
    (folder,) = Path("runs/trec_run").iterdir()
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert record["scores"]["mrr"]["value"] == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert record["system"]["identity"].keys() == {"model", "retriever"}
    assert record["usage"]["requests"] == 0
    assert CliRunner().invoke(cli, ["run", "--rescore", str(folder)]).exit_code == 0


def test_missing_topics_may_be_left_out() -> None:
    result = run("--responses", "run.txt", "--set", "system.retriever.trec_run.missing=unmeasured", "--json")
    record = json.loads(result.output)
    assert record["scores"]["mrr"]["value"] == 0.5
    assert record["scores"]["mrr"]["unmeasured"] == {"no contexts": 1}
    assert record["usage"]["remarks"][0] == "not in the run and left out: 1 of 3 topics (3)"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("qrels.txt", "", "qrels.txt: this file of judgements is empty"),
        ("qrels.txt", "1 0 a 1\n1 0 a 0\n", "qrels.txt:2: document 'a' stands twice in topic '1', with 1 and 0"),
        ("run.txt", "1 Q0 a 1 high t\n", "run.txt:1: the score must be a number, not 'high'"),
        ("run.txt", "1 Q0 a 1 1.0 t\n1 Q0 a 2 0.5 t\n", "run.txt:2: document 'a' stands twice in topic '1'"),
    ],
)
def test_faulty_files_are_told_with_their_line(name: str, text: str, message: str) -> None:
    Path(name).write_text(text, encoding="utf-8")
    result = run("--responses", "run.txt")
    assert result.exit_code == 2
    assert message in result.output


def test_the_task_that_comes_with_the_project_runs() -> None:
    record = eh.run(TASK)
    assert record.dataset["samples"] == 40
    assert record.scores["mrr"].value == pytest.approx(0.89, abs=0.005)
    assert not record.errors


def test_trec_evals_own_files_are_scored(labelled_data: Callable[[str], Path]) -> None:
    shutil.copy(labelled_data("trec_eval_tests/qrels.test"), "qrels.txt")
    result = run("--responses", str(labelled_data("trec_eval_tests/results.test")), "--json")
    scores = json.loads(result.output)["scores"]
    expected = {"map": 0.1785, "gm_map": 0.1051, "r_precision": 0.2174, "bpref": 0.1981, "mrr": 0.4064, "ndcg@10": 0.3016}
    assert {name: round(scores[name]["value"], 4) for name in expected} == expected


def test_a_metric_of_responses_is_refused_and_a_prompt_is_idle() -> None:
    Path("task.yaml").write_text(
        "name: t\noutput_type: retrieve\ndataset: {qrels: qrels.txt}\nmetrics: [mrr, token_f1]\n"
        "system: {name: s, prompt: 'Say {{ id }}', retriever: {trec_run: {path: run.txt}}}\n",
        encoding="utf-8",
    )
    result = CliRunner().invoke(cli, ["check", "task.yaml"])
    assert "reads 'response', which this task with the output type 'retrieve' does not provide" in result.output
    assert "'prompt' has no effect on the output type 'retrieve'" in result.output


def test_a_retriever_alone_is_a_system() -> None:
    Path("corpus.jsonl").write_text('{"id": "a", "text": "salt"}\n{"id": "b", "text": "tide"}\n', encoding="utf-8")
    Path("topics.tsv").write_text("1\tsalt\n2\tthe tide\n3\tmill\n4\tunjudged\n", encoding="utf-8")
    Path("task.yaml").write_text(
        "name: t\noutput_type: retrieve\ndataset: {qrels: qrels.txt, topics: topics.tsv}\nmetrics: [mrr]\n"
        "system: {name: s, retriever: {bm25: {corpus: corpus.jsonl}}}\n",
        encoding="utf-8",
    )
    assert eh.run("task.yaml").scores["mrr"].value == pytest.approx(1 / 3)


def test_topics_have_their_text_and_their_line(tmp_path: Path) -> None:
    for name, text in (
        ("topics.tsv", "1\tone\n2\ttwo\tand\n\n"),
        ("topics.jsonl", '{"id": 1, "text": "one"}\n{"id": "2", "text": "two\\tand"}\n'),
    ):
        Path(name).write_text(text, encoding="utf-8")
        items = list(TrecTopics(qrels=eh.File("qrels.txt"), topics=eh.File(name)).items())
        assert [(item.where, item.fields.get("input")) for item in items] == [
            ("qrels.txt:1", "one"), ("qrels.txt:3", "two\tand"), ("qrels.txt:4", None),
        ]  # fmt: skip
        assert items[2].fault == f"topic '3' is judged, but {name} has no text for it"
    assert [item.fields for item in TrecTopics(qrels=eh.File("qrels.txt")).items()][1] == {"id": "2", "relevant": {"a": 2}}


def test_a_text_may_hold_separators_of_lines_that_files_do_not_end_lines_with() -> None:
    Path("topics.tsv").write_text("1\tone\u2028more\r\n2\ttwo\x85\n3\tthree\n", encoding="utf-8", newline="")
    items = TrecTopics(qrels=eh.File("qrels.txt"), topics=eh.File("topics.tsv")).items()
    assert [item.fields["input"] for item in items] == ["one\u2028more", "two\x85", "three"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("topics.tsv", "1 one\n", "topics.tsv:1: a line of topics is the topic's id, a tab, its text"),
        ("topics.jsonl", '{"id": "1"}\n', r'topics.jsonl:1: a line of topics is {"id"'),
        ("topics.tsv", "1\ta\n1\tb\n", "topics.tsv:2: topic '1' stands twice"),
    ],
)
def test_faulty_topics_are_told(name: str, text: str, message: str) -> None:
    Path(name).write_text(text, encoding="utf-8")
    with pytest.raises(eh.DataError, match=message):
        list(TrecTopics(qrels=eh.File("qrels.txt"), topics=eh.File(name)).items())
    with pytest.raises(eh.DataError, match=r"absent\.tsv"):
        list(TrecTopics(qrels=eh.File("qrels.txt"), topics=eh.File("absent.tsv")).items())


def test_digests_follow_the_files() -> None:
    made = lambda **options: TrecRun(path=eh.File("run.txt"), **options)  # noqa: E731
    before, topics = made().identity(), TrecTopics(qrels=eh.File("qrels.txt")).digest()
    assert len({before, made(rules="9.0.8").identity(), made(missing="unmeasured").identity()}) == 3
    Path("run.txt").write_text(RUN.replace("0.5", "0.6"), encoding="utf-8")
    Path("qrels.txt").write_text(QRELS + "4 0 a 1\n", encoding="utf-8")
    assert made().identity() != before
    assert TrecTopics(qrels=eh.File("qrels.txt")).digest() != topics


def test_a_run_file_searches_nothing() -> None:
    with pytest.raises(eh.UsageError, match="searches nothing"):
        TrecRun(path=eh.File("run.txt")).search(["salt"], 3)


def test_a_task_that_asks_nothing_has_no_prompt_to_show() -> None:
    assert "nothing is asked: the output type is 'retrieve'" in run("--show-prompt").output


def test_the_run_that_comes_with_the_project_is_bm25s() -> None:
    data = ROOT / "tasks" / "data"
    run = read_run(data / "trec" / "run.txt").numbers
    lines = (data / "rag_qa" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [item for item in map(json.loads, lines) if item["id"] in run]
    search = eh.load_retriever("bm25", corpus=str(data / "rag_qa" / "corpus.jsonl"))
    found = search.search([item["question"] for item in questions], 10)
    assert read_qrels(data / "trec" / "qrels.txt").numbers == {item["id"]: item["gold"] for item in questions}
    for item, ranking in zip(questions, found, strict=True):
        assert run[item["id"]] == pytest.approx({passage.id: passage.score for passage in ranking}, abs=5.1e-5)
