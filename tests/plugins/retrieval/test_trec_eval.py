"""The metrics of a ranking against trec_eval: its printed figures, pytrec_eval, and the script of TREC's web track."""

from __future__ import annotations

import pkgutil
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from evalharness_retrieval import evaluate_run
from evalharness_retrieval.trec import read_qrels, read_run, write_qrels, write_run
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

Qrels = dict[str, dict[str, int]]
Run = dict[str, dict[str, float]]
CUTS = (5, 10, 15, 20, 30, 100, 200, 500, 1000)
WHOLE = {
    "map": "map", "gm_map": "gm_map", "r_precision": "Rprec", "bpref": "bpref", "mrr": "recip_rank", "inf_ap": "infAP",
    "ndcg": "ndcg", "retrieval_precision": "set_P", "retrieval_recall": "set_recall", "retrieval_f": "set_F",
}  # fmt: skip
AT_K = {"retrieval_precision": "P", "retrieval_recall": "recall", "ndcg": "ndcg_cut", "map": "map_cut"}
NAMES = {
    **WHOLE, **{f"{ours}@{k}": f"{theirs}_{k}" for ours, theirs in AT_K.items() for k in CUTS},
    **{f"hit_rate@{k}": f"success_{k}" for k in (1, 5, 10)},
}  # fmt: skip
ONLY_IN_10 = {"rbp": "rbp", **{f"judged@{k}": f"unj_{k}" for k in (5, 10, 20)}}


def by_pytrec_eval(qrels: Qrels, run: Run, level: int = 1) -> dict[str, dict[str, float]]:
    cuts = ",".join(map(str, CUTS))
    wanted = {*WHOLE.values(), *(f"{name}.{cuts}" for name in AT_K.values()), "success.1,5,10"}
    found: dict[str, dict[str, float]] = pytrec_eval.RelevanceEvaluator(qrels, wanted, relevance_level=level).evaluate(run)
    return found


def measures(level: int, names: Any = NAMES) -> list[eh.Metric]:
    made = []
    for name in names:
        base, _, k = name.partition("@")
        cls = type(eh.load_metric(base))
        options: dict[str, Any] = {"k": ((int(k),) if k else ())} if "k" in cls().options() else {}
        made.append(cls(**options, **({"level": level} if "level" in cls().options() else {})))
    return made


def check(qrels: Qrels, run: Run, level: int = 1) -> None:
    """Compare all measures on the topics of a run, without those that the run lacks, as pytrec_eval leaves them out."""
    expected = by_pytrec_eval(qrels, run, level)
    found = evaluate_run(qrels, run, measures(level), rules="9.0.8", missing="unmeasured")
    assert set(found.missing) == set(qrels) - set(expected)
    for ours, theirs in NAMES.items():
        by_topic = dict(zip(found.topics, found.values[ours], strict=True))
        values = [np.log(by_topic[topic]) if ours == "gm_map" else by_topic[topic] for topic in expected]
        agree(ours.partition("@")[0], values, [row[theirs] for row in expected.values()])
        if expected:
            mean = np.mean([row[theirs] for row in expected.values()])
            agree(ours.partition("@")[0], found.scores[ours], np.exp(mean) if ours == "gm_map" else mean)


documents = st.sampled_from([f"d{number}" for number in range(12)] + ["ü", "日", "🙂", "é", "e\u0301", "Z"])
scores = st.sampled_from([0.0, 0.5, 1.0, 1.0 + 1e-12, -3.0, 1e9, 2.5, 2.25])
topics = [f"t{number}" for number in range(4)]
some_run = st.dictionaries(st.sampled_from([*topics, "other"]), st.dictionaries(documents, scores, min_size=1), min_size=1)


@st.composite
def some_qrels(draw: st.DrawFn) -> Qrels:
    graded = st.dictionaries(documents, st.integers(-2, 3), max_size=12)
    # The 9.0.8 library reads beyond its counts of levels where no grade reaches the level that is asked for.
    return {topic: {**draw(graded), "high": 3} for topic in draw(st.sets(st.sampled_from(topics), min_size=1))}


@settings(max_examples=60)
@given(some_qrels(), some_run, st.integers(1, 3))
def test_random_runs_agree_with_pytrec_eval(qrels: Qrels, run: Run, level: int) -> None:
    check(qrels, run, level)


def test_topics_without_a_relevant_document_agree_with_pytrec_eval() -> None:
    check({"1": {"a": 0, "b": 0}, "2": {"a": 1}, "3": {"c": 0}}, {"1": {"a": 1.0}, "2": {"a": 1.0, "b": 1.0}, "3": {"d": 0.0}})


@pytest.mark.parametrize(("qrels", "level"), [("qrels.test", 1), ("qrels.rel_level", 1), ("qrels.rel_level", 2)])
def test_trec_evals_own_data_agrees_with_pytrec_eval(labelled_data: Callable[[str], Path], qrels: str, level: int) -> None:
    judged = read_qrels(labelled_data(f"trec_eval_tests/{qrels}")).numbers
    for run in ("results.test", "results.trunc"):
        check(judged, read_run(labelled_data(f"trec_eval_tests/{run}")).numbers, level)


def printed(path: Path) -> dict[tuple[str, str], str]:
    lines = (line.split() for line in path.read_text().splitlines())
    return {(measure, topic): value for measure, topic, value in lines}


@pytest.mark.parametrize(
    ("run", "output"),
    [
        ("results.test", "out.test"),
        ("results.test", "out.test.a"),
        ("results.test", "out.test.aq"),
        ("results.trunc", "out.test.aqc"),
    ],
)
def test_all_printed_figures_of_trec_eval_10_are_reached(labelled_data: Callable[[str], Path], run: str, output: str) -> None:
    expected = printed(labelled_data(f"trec_eval_tests/{output}"))
    qrels = read_qrels(labelled_data("trec_eval_tests/qrels.test")).numbers
    scored = read_run(labelled_data(f"trec_eval_tests/{run}")).numbers
    found = evaluate_run(qrels, scored, measures(1, [*NAMES, *ONLY_IN_10]))
    compared = 0
    for ours, theirs in {**NAMES, **ONLY_IN_10}.items():
        values = {"all": found.scores[ours], **dict(zip(found.topics, found.values[ours], strict=True))}
        for topic, value in values.items():
            if (theirs, topic) not in expected:
                continue
            if ours.startswith("judged") and found.missing and topic in ("all", *found.missing):
                continue  # of an empty ranking trec_eval prints that none is unjudged; ours has no value
            shown = 1 - float(expected[theirs, topic]) if ours.startswith("judged") else float(expected[theirs, topic])
            assert value == pytest.approx(shown, abs=5.01e-5), (ours, topic)
            compared += 1
    assert compared == {"out.test": 14, "out.test.a": 53, "out.test.aq": 209, "out.test.aqc": 203}[output]


def test_real_rankings_of_bm25_agree_with_pytrec_eval(labelled_data: Callable[[str], Path]) -> None:
    text = labelled_data("cranfield/cran.all.1400.xml").read_text(encoding="utf-8")
    found = re.findall(r"<docno>(\d+)</docno>.*?<text>(.*?)</text>", text, re.DOTALL)
    queries = re.findall(r"<title>(.*?)</title>", labelled_data("cranfield/cran.qry.xml").read_text("utf-8"), re.DOTALL)
    search = eh.load_retriever("bm25", corpus="unused.jsonl")
    search.index([eh.Passage(key, body) for key, body in found])
    rankings = search.search(queries, 50)
    run = {str(row): {passage.id: passage.score for passage in ranking} for row, ranking in enumerate(rankings, start=1)}
    check(read_qrels(labelled_data("cranfield/cranqrel.trec.txt")).numbers, run)  # type: ignore[arg-type]


def random_case(topics: int, documents: int) -> tuple[Qrels, Run]:
    """Return judgements and a run without equal scores."""
    chance = random.Random(5)
    ids = [f"d{number}" for number in range(documents)]
    qrels = {str(topic): {key: chance.randrange(5) for key in chance.sample(ids, documents // 2)} for topic in range(topics)}
    run = {str(topic): {key: chance.random() for key in chance.sample(ids, documents // 2)} for topic in range(topics)}
    return qrels, run


def test_err_and_exponential_ndcg_agree_with_the_script_of_trec(tmp_path: Path) -> None:
    qrels, run = random_case(60, 40)
    write_qrels(qrels, tmp_path / "qrels")
    write_run(run, tmp_path / "run")
    source = pkgutil.get_data("ir_measures", "bin/gdeval.pl")
    assert source is not None
    (tmp_path / "gdeval.pl").write_bytes(source.replace(b"%.5f", b"%.15f"))  # all digits in place of five
    command = ["perl", "gdeval.pl", "qrels", "run", "10"]
    try:
        lines = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    except FileNotFoundError:
        pytest.skip("there is no perl")
    expected = {topic: (float(ndcg), float(err)) for _, topic, ndcg, err in (line.split(",") for line in lines[1:])}
    exponential = eh.load_metric("ndcg", k=[10], gain="exponential")
    found = evaluate_run({topic: qrels[topic] for topic in expected}, run, [exponential, "err@10"])
    agree("ndcg", found.values["ndcg@10"], [ndcg for ndcg, _ in expected.values()])
    agree("err", found.values["err@10"], [err for _, err in expected.values()])


def test_judged_agrees_with_ir_measures() -> None:
    import ir_measures

    qrels, run = random_case(30, 40)
    judged = ir_measures.Judged  # type: ignore[attr-defined]
    for k in (1, 5, 30):
        expected = {row.query_id: row.value for row in ir_measures.iter_calc([judged @ k], qrels, run)}
        agree("judged", evaluate_run(qrels, run, [f"judged@{k}"]).values[f"judged@{k}"], [expected[topic] for topic in qrels])


@pytest.mark.parametrize("p", [0.8, 0.9])
def test_rbp_is_the_sum_of_its_definition(p: float) -> None:
    qrels, run = random_case(20, 40)
    expected = [
        (1 - p) * sum(p**rank for rank, key in enumerate(sorted(run[topic], key=lambda key: -run[topic][key]))
                      if judged.get(key, 0) >= 2)
        for topic, judged in qrels.items()
    ]  # fmt: skip
    agree("rbp", evaluate_run(qrels, run, [eh.load_metric("rbp", p=p, level=2)]).values["rbp"], expected)


def test_context_precision_is_map_where_only_retrieved_documents_are_relevant() -> None:
    qrels, run = random_case(40, 30)
    retrieved = {topic: {key: grade for key, grade in judged.items() if key in run[topic]} for topic, judged in qrels.items()}
    expected = pytrec_eval.RelevanceEvaluator(retrieved, {"map"}).evaluate(run)
    found = evaluate_run(qrels, run, ["context_precision"])
    agree("context_precision", found.values["context_precision"], [expected[topic]["map"] for topic in qrels])
