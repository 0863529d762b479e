"""Metrics of passages by their texts, and of two rankings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evalharness_retrieval.contexts import IdContextPrecision, IdContextRecall
from evalharness_retrieval.overlap import RankBiasedOverlap, overlap
from evalharness_retrieval.texts import ContextRedundancy, TextContextPrecision, TextContextRecall
from evalharness_retrieval.trec import read_run, write_run
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance.Levenshtein import normalized_distance

import evalharness as eh
from evalharness.testing import agree

texts = st.lists(st.text(st.sampled_from("ab ü日🙂e\u0301ש"), max_size=6), max_size=4)


def one(metric: eh.Metric, **fields: Any) -> float | None:
    found = metric.evaluate(**{name: [value] for name, value in fields.items()})
    (values,) = found.samples.values()
    return values[0]


def by_ragas(contexts: list[str], references: list[str], threshold: float) -> tuple[float, float]:
    """Return precision and recall as ragas 0.4.3 defines them, with >= for both."""
    similar = [[1 - normalized_distance(text, reference) for reference in references] for text in contexts]
    right = [int(max(row) >= threshold) for row in similar]
    summed = sum(sum(right[: rank + 1]) / (rank + 1) * hit for rank, hit in enumerate(right))
    found = [max(column) >= threshold for column in zip(*similar, strict=True)]
    return summed / (sum(right) + 1e-10), sum(found) / len(references)


@settings(max_examples=100)
@given(texts.filter(bool), texts.filter(bool), st.sampled_from([0.25, 0.5, 2 / 3, 1.0]))
def test_precision_and_recall_of_texts_are_those_of_ragas(contexts: list[str], references: list[str], threshold: float) -> None:
    precision, recall = by_ragas(contexts, references, threshold)
    fields = {"contexts": contexts, "reference_contexts": references}
    agree("text_context_precision", one(TextContextPrecision(threshold=threshold), **fields), precision)
    agree("text_context_recall", one(TextContextRecall(threshold=threshold), **fields), recall)


def test_a_similarity_of_just_the_threshold_counts_for_both() -> None:
    fields = {"contexts": ["abcd"], "reference_contexts": ["abxy"]}
    assert (one(TextContextPrecision(), **fields), one(TextContextRecall(), **fields)) == (1.0, 1.0)


@pytest.mark.parametrize("metric", [TextContextPrecision(), TextContextRecall()], ids=lambda metric: metric.name)
def test_nothing_retrieved_is_zero_and_no_reference_unmeasured(metric: eh.Metric) -> None:
    found = metric.evaluate(contexts=[[], ["a"], None, ["a"]], reference_contexts=[["a"], [], ["a"], "a"])
    assert found.statuses == [None, "no reference contexts", "no contexts", None]
    assert list(found.samples.values()) == [[0.0, None, None, 1.0]]


@given(texts, st.sampled_from([0.5, 0.9, 1.0]))
def test_redundancy_is_the_share_of_near_repeats(contexts: list[str], threshold: float) -> None:
    repeats = [
        any(1 - normalized_distance(text, earlier) >= threshold for earlier in contexts[:place])
        for place, text in enumerate(contexts)
    ]
    expected = sum(repeats) / len(repeats) if repeats else None
    found = one(ContextRedundancy(threshold=threshold), contexts=contexts)
    assert (found is None) == (expected is None)
    if expected is not None:
        agree("context_redundancy", found, expected)


def test_contexts_by_id_are_shares_of_sets() -> None:
    fields = {"contexts": ["one", "two", "three"], "relevant": {"1": 1, "3": 2, "9": 1, "2": 0}}
    retrieved, relevant = {"1", "2", "3"}, {"1", "3", "9"}
    agree("id_context_precision", one(IdContextPrecision(), **fields), len(retrieved & relevant) / len(retrieved))
    agree("id_context_recall", one(IdContextRecall(), **fields), len(retrieved & relevant) / len(relevant))


rankings = st.lists(st.sampled_from("abcdefghij"), unique=True, min_size=1, max_size=10)


def summed_overlap(one: list[str], other: list[str], p: float) -> float:
    """Return the overlap summed far beyond both rankings: the shorter one is prolonged by the agreement at its end, then both."""
    short, long = sorted((one, other), key=len)
    at_short = len(set(short) & set(long[: len(short)]))
    total = agreement = 0.0
    for depth in range(1, 3001):
        if depth <= len(long):
            shared = len(set(short[:depth]) & set(long[:depth]))
            agreement = (shared + max(0, depth - len(short)) * at_short / len(short)) / depth
        total += (1 - p) * p ** (depth - 1) * agreement
    return total


@given(rankings, rankings, st.sampled_from([0.5, 0.9, 0.98]))
def test_overlap_is_the_sum_of_its_definition(one: list[str], other: list[str], p: float) -> None:
    agree("rbo", overlap(one, other, p), summed_overlap(one, other, p))
    assert overlap(one, other, p) == overlap(other, one, p)
    assert overlap(one, one, p) == pytest.approx(1)
    assert overlap(one, [name.upper() for name in other], p) == 0


def test_two_runs_are_compared_by_the_ids_of_samples(tmp_path: Path) -> None:
    write_run({"q1": {"1": 2.0, "2": 1.0}, "q2": {"1": 1.0, "2": 1.0}}, tmp_path / "other.txt")
    metric = RankBiasedOverlap(run=eh.File(str(tmp_path / "other.txt")), p=0.5)
    assert metric.reads == ("contexts", "id")
    found = metric.evaluate(contexts=[["a", "b"]] * 3 + [[]], id=["q1", "q2", "q3", "q4"])
    assert found.samples["rbo"] == [1.0, pytest.approx(0.5), None, None]
    assert found.statuses == [None, None, "topic not in the other run", "topic not in the other run"]


def test_a_ranking_in_the_data_is_compared() -> None:
    metric = RankBiasedOverlap()
    assert metric.reads == ("contexts", "ranking")
    found = metric.evaluate(contexts=[["a", "b"], [], ["a"]], ranking=[["1", "2"], ["1"], ["1", "1"]])
    assert found.statuses == [None, "nothing retrieved", "duplicate passage id"]
    assert found.samples["rbo"][0] == pytest.approx(1.0)


def test_trec_evals_run_overlaps_with_itself_wholly(labelled_data: Callable[[str], Path]) -> None:
    run = read_run(labelled_data("trec_eval_tests/results.test")).numbers["301"]
    ids = sorted(run, key=lambda key: run[key])
    assert overlap(ids, ids, 0.98) == pytest.approx(1)
    assert 0 < overlap(ids, ids[::-1], 0.98) < 0.2
    assert np.isclose(overlap(ids, ids[:100], 0.9), 1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rbo", {"p": 0.0}, "option 'p' must lie between 0 and 1"),
        ("context_redundancy", {"threshold": 0.0}, "option 'threshold' must be above 0 and at most 1"),
        ("text_context_recall", {"threshold": 1.5}, "option 'threshold' must be above 0"),
    ],
)
def test_wrong_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.UsageError, match=message):
        eh.load_metric(name, **options)
