from __future__ import annotations

import math
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evalharness_rag.faithfulness import Faithfulness, SentenceEvidence
from evalharness_rag.word_precision import WordPrecision
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh

MILL = eh.Passage("mill", "The old mill was built in 1840. Its wheel drove two stones.\nA flood destroyed the wheel in 1902.")
LAKE = eh.Passage("lake", "Lake Orrin freezes every winter. Fishermen from Tarn cut holes into the ice.")
TEXTS = [
    MILL.text,
    LAKE.text,
    "",
    "I do not know.",
    "Yes.",
    "日本の古い水車。",
    "العجلة القديمة تدور ببطء",
    "🙂",
    "cafe\u0301 noir costs 3",
]

texts = st.text() | st.sampled_from(TEXTS)


def measured(metric: eh.Metric, response: Any, contexts: Any) -> eh.Rows:
    """Measure rows without marks of refusals."""
    marks = {"batch": eh.Batch({})} if metric.name == "faithfulness" else {}
    return metric.measure(response=response, contexts=contexts, **marks)


def value(response: str, *contexts: eh.Passage) -> float | str:
    rows = measured(Faithfulness(), [response], [list(contexts)])
    return rows.unmeasured.get(0) or rows.statistics["value"][0]


def evidence(response: str, *contexts: eh.Passage) -> list[SentenceEvidence]:
    return Faithfulness().evidence(response, list(contexts))


def test_a_copied_response_scores_one_and_an_invented_one_zero() -> None:
    assert value(MILL.text, LAKE, MILL) == 1.0
    assert value("Purple elephants invented jazz near Chicago in 1733.", MILL, LAKE) == 0.0


def test_evidence_names_passage_and_span_of_the_best_window() -> None:
    response = "Fishermen cut holes into the ice. The wheel drove stones."
    first, second = evidence(response, MILL, LAKE)
    assert response[first.start : first.end] == "Fishermen cut holes into the ice."
    assert (first.passage, second.passage) == ("lake", "mill")
    assert LAKE.text[first.passage_start : first.passage_end] == "Fishermen from Tarn cut holes into the ice."
    assert MILL.text[second.passage_start : second.passage_end] == "Its wheel drove two stones."
    assert first.covered == ("Fishermen", "cut", "holes", "ice")
    assert first.novel == first.numbers == first.names == ()


def test_neighbouring_sentences_support_together_but_passages_do_not() -> None:
    (joined,) = evidence("Stones of the mill, built in 1840, were driven by a wheel.", MILL)
    assert MILL.text[joined.passage_start : joined.passage_end] == "The old mill was built in 1840. Its wheel drove two stones."
    (apart,) = evidence("The mill wheel freezes, say fishermen.", MILL, LAKE)
    assert apart.score is not None
    assert apart.score < 0.6
    assert apart.passage in ("mill", "lake")


def test_the_score_is_the_documented_formula() -> None:
    context = eh.Passage("p", "Salt was mined here. Boats carried salt away.")
    (found,) = evidence("Boats carried salt and amber to Riga in 1733.", context)
    rare, common = math.log(1 + 3 / 1), {"boat": math.log(1 + 3 / 2), "salt": math.log(1 + 3 / 3)}
    covered = 2 * common["boat"] + common["salt"]  # boat and carri stand in one sentence, salt in both
    coverage = covered / (covered + 3 * rare)  # amber, Riga and 1733 are new
    expected = (0.80 * coverage + 0.54 * 2 / 5 - 0.34 - 0.25) / 1.34
    assert found.score == pytest.approx(max(0.0, expected), abs=1e-12)
    (plain,) = evidence("Boats carried salt and amber.", context)
    assert plain.score == pytest.approx((0.80 * covered / (covered + rare) + 0.54 * 2 / 3) / 1.34, abs=1e-12)


def test_absent_numbers_and_names_are_found_and_cost() -> None:
    (right,) = evidence("The old mill at Lake Orrin was built in 1840.", MILL, LAKE)
    (wrong,) = evidence("The old mill at Lake Anders was built in 1841.", MILL, LAKE)
    assert (wrong.numbers, wrong.names) == (("1841",), ("Anders",))
    assert right.score is not None
    assert wrong.score is not None
    assert right.score - wrong.score > (0.34 + 0.25) / 1.34


def test_numbers_match_across_ways_of_writing() -> None:
    context = eh.Passage("p", "The three boats carried 1,200.50 tons on the 3rd day.")
    assert evidence("3 boats carried some 1200.5 tons within three days.", context)[0].numbers == ()


def test_response_scores_half_minimum_plus_half_mean() -> None:
    response = "The old mill was built in 1840. Purple elephants invented modern jazz."
    scores = [found.score for found in evidence(response, MILL)]
    assert scores == [1.0, 0.0]
    assert value(response, MILL) == 0.25


def test_sentences_that_claim_nothing_are_left_out() -> None:
    response = "Yes. The old mill was built in 1840. The passages do not mention the owner."
    assert [found.status for found in evidence(response, MILL)] == ["too short", "claim", "refusal"]
    assert value(response, MILL) == 1.0


@pytest.mark.parametrize("citation", ["[1]", "[1, 2]", "(Passage 1)", "(passages 1 and 2)", "according to the given context"])
def test_naming_the_source_is_no_claim(citation: str) -> None:
    assert value(f"The old mill was built in 1840 {citation}.", MILL) == 1.0


@pytest.mark.parametrize(
    ("response", "contexts", "reason"),
    [
        ("", [MILL], "empty response"),
        (" \n…", [MILL], "empty response"),
        ("It is so.", [MILL], "empty response"),
        ("The old mill was built.", [], "no contexts"),
        ("The old mill was built.", [eh.Passage("e", "")], "no contexts"),
        ("Yes.", [MILL], "too short"),
        ("In 1840.", [MILL], "too short"),
        ("I don't know.", [MILL], "refusal"),
        ("The passages do not mention the price.", [MILL], "refusal"),
    ],
)
def test_what_cannot_be_measured_has_a_reason(response: str, contexts: list[eh.Passage], reason: str) -> None:
    assert value(response, *contexts) == reason


def test_missing_values_have_a_reason() -> None:
    columns: dict[str, Any] = {"response": [None, "The old mill was built."], "contexts": [[MILL], None]}
    for metric in (Faithfulness(), WordPrecision()):
        assert measured(metric, **columns).unmeasured == {0: "empty response", 1: "no contexts"}


def test_word_precision_is_the_share_of_known_content_words() -> None:
    rows = WordPrecision().measure(["The mills freeze in Riga, 1840.", "Mill mill moon."], [[MILL, LAKE], [MILL]])
    assert rows.statistics["words"] == [0.75, pytest.approx(2 / 3)]
    assert not rows.unmeasured


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.text() | st.sampled_from(TEXTS), st.lists(st.text() | st.sampled_from(TEXTS), max_size=3)),
        min_size=1,
        max_size=5,
    )
)
def test_rows_are_in_range_whatever_the_text_and_however_they_are_split(cases: list[tuple[str, list[str]]]) -> None:
    responses = [response for response, _ in cases]
    contexts = [[eh.Passage(f"p{n}", text) for n, text in enumerate(found)] for _, found in cases]
    for metric in (Faithfulness(), WordPrecision()):
        whole = measured(metric, responses, contexts)
        (values,) = whole.statistics.values()
        for row in range(len(cases)):
            alone = measured(metric, responses[row : row + 1], contexts[row : row + 1])
            assert alone.unmeasured.get(0) == whole.unmeasured.get(row)
            if row not in whole.unmeasured:
                assert 0 <= values[row] <= 1
                assert [values[row]] == next(iter(alone.statistics.values()))


@settings(deadline=None, max_examples=100)
@given(texts, st.lists(texts, max_size=3))
def test_spans_lie_in_their_texts_and_words_come_from_the_sentence(response: str, found_texts: list[str]) -> None:
    passages = {f"p{n}": text for n, text in enumerate(found_texts)}
    last = 0
    for found in evidence(response, *(eh.Passage(key, text) for key, text in passages.items())):
        assert last <= found.start < found.end <= len(response)
        last = found.end
        assert all(word in response[found.start : found.end] for word in (*found.covered, *found.novel))
        if found.passage is not None:
            assert found.passage_start is not None
            assert found.passage_end is not None
            assert 0 <= found.passage_start < found.passage_end <= len(passages[found.passage])
            assert found.covered


def test_evidence_goes_with_the_rows_as_plain_values() -> None:
    rows = measured(Faithfulness(), ["The old mill was built in 1901. Yes.", "", None], [[MILL], [MILL], None])
    assert set(rows.evidence) == {0}
    claim, short = rows.evidence[0]
    (found, _) = evidence("The old mill was built in 1901. Yes.", MILL)
    assert claim == {
        "start": 0, "end": 31, "status": "claim", "score": found.score, "passage": "mill", "passage_start": 0,
        "passage_end": 31, "covered": ("old", "mill", "built"), "novel": ("1901",), "numbers": ("1901",),
    }  # fmt: skip
    assert short == {"start": 32, "end": 36, "status": "too short"}
    assert eh.canonical(claim)


def test_metrics_pickle_and_read_response_and_contexts() -> None:
    for metric in (eh.load_metric("faithfulness"), eh.load_metric("word_precision")):
        assert pickle.loads(pickle.dumps(metric)) == metric
        assert metric.reads == ("response", "contexts")
        assert metric.is_mean
        assert metric.family == "faithfulness"


def test_swapped_contexts_are_told_from_the_right_ones(labelled_data: Callable[[str], Path]) -> None:
    from benchmarks.faithfulness import auroc, ragtruth_qa

    items = list(ragtruth_qa(labelled_data("ragtruth_test_qa_data2txt/ragtruth_qa.jsonl").parent.parent))[::6]
    shuffled = items[1:] + items[:1]
    random.Random(0).shuffle(shuffled)
    scores, labels = [], []
    for contexts, label in ((items, True), (shuffled, False)):
        rows = measured(Faithfulness(), [item.response for item in items], [item.contexts for item in contexts])
        kept = [row for row in range(len(items)) if row not in rows.unmeasured]
        scores += [rows.statistics["value"][row] for row in kept]
        labels += [label] * len(kept)
    assert auroc(np.array(scores), np.array(labels)) > 0.97


def test_unsupported_answers_score_lower_on_labelled_data(labelled_data: Callable[[str], Path]) -> None:
    import numpy as np

    from benchmarks.faithfulness import auroc, qags_cnndm

    items = list(qags_cnndm(labelled_data("qags_cnndm/qags_cnndm.json").parent.parent))
    responses, contexts = [item.response for item in items], [item.contexts for item in items]
    labels = np.array([item.supported for item in items])
    ours = np.array(measured(Faithfulness(), responses, contexts).statistics["value"])
    baseline = np.array(WordPrecision().measure(responses, contexts).statistics["words"])
    assert auroc(ours, labels) > auroc(baseline, labels) + 0.1
