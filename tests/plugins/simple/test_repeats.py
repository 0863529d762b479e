"""Scores over the repeats of a sample, against their definitions counted out."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import evalharness as eh
from evalharness.scoring import Chain
from evalharness.scoring.measuring import measure
from evalharness.scoring.repeats import OF_SAMPLE
from evalharness.testing import agree

RIGHT = st.lists(st.booleans(), min_size=3, max_size=7)


def found(name: str, repeats: list[tuple[str, float]], **options: Any) -> dict[str, float]:
    return eh.load_metric(name, of="exact_match", **options).found(repeats)


def estimate(total: int, right: int, k: int) -> float:
    """Return pass@k by the product of Chen et al., which human-eval computes."""
    if total - right < k:
        return 1.0
    return 1.0 - float(np.prod(1.0 - k / np.arange(total - right + 1, total + 1)))


@given(RIGHT)
def test_draws_equal_the_published_product_and_all_draws_counted(right: list[bool]) -> None:
    repeats = [("", float(value)) for value in right]
    once, always = (found(name, repeats, k=(1, 2, 3)) for name in ("pass_at_k", "pass_hat_k"))
    for k in (1, 2, 3):
        draws = list(itertools.combinations(right, k))
        agree("pass_at_k", once[f"@{k}"], estimate(len(right), sum(right), k))
        agree("pass_at_k", once[f"@{k}"], sum(map(any, draws)) / len(draws))
        agree("pass_hat_k", always[f"@{k}"], sum(map(all, draws)) / len(draws))


def test_what_is_right_follows_the_direction_and_the_threshold() -> None:
    repeats = [("", 0.2), ("", 0.7)]
    assert found("pass_at_k", repeats, threshold=0.5) == {"@1": 0.5}
    chain = Chain.build([(None, eh.load_metric("mae")), (None, eh.load_metric("pass_at_k", of="mae", threshold=0.1))])
    assert chain.entries[1].metric.found([("", 0.0), ("", 0.4)]) == {"@1": 0.5}
    assert chain.entries[1].metric.better == "higher"


@pytest.mark.parametrize(("of", "values"), [("exact_match", [1.0, 0.0]), ("wer", [0.0, 0.5]), ("sentence_bleu", [100.0, 1.0])])
def test_only_the_best_value_is_right_where_no_threshold_is_given(of: str, values: list[float]) -> None:
    chain = Chain.build([(None, eh.load_metric(of)), (None, eh.load_metric("pass_at_k", of=of))])
    assert chain.entries[1].metric.found([("", value) for value in values]) == {"@1": 0.5}


def test_a_score_without_a_best_value_needs_a_threshold() -> None:
    entries = [(None, eh.load_metric("choice_margin")), (None, eh.load_metric("pass_at_k", of="choice_margin"))]
    with pytest.raises(eh.EvalharnessError, match="'choice_margin' has no best value; say with 'threshold'"):
        Chain.build(entries)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), min_size=1, max_size=8))
def test_the_vote_and_the_best_are_what_they_say(repeats: list[tuple[str, float]]) -> None:
    count = {text: [one for one, _ in repeats].count(text) for text, _ in repeats}
    winners = [text for text, times in count.items() if times == max(count.values())]
    means = [np.mean([value for text, value in repeats if text == winner]) for winner in winners]
    agree("majority_vote", found("majority_vote", repeats)["value"], np.mean(means))
    agree("best_of", found("best_of", repeats)["value"], sorted(value for _, value in repeats)[-1])


def test_equally_frequent_answers_share_the_sample_and_are_shown() -> None:
    rows = scored([["4", "5", "5", "4"], ["4", "4", "5", "6"]], [["4"], ["4"]], "majority_vote")
    assert rows.values["majority_vote"].tolist()[::4] == [0.5, 1.0]
    assert rows.evidence == {0: [{"status": "tie", "note": "2 answers are equally frequent"}]}


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=2, max_size=8))
def test_the_variance_is_that_of_an_analysis_of_variance(table: list[list[float]]) -> None:
    values = np.array(table)
    metric = eh.load_metric("repeat_variance", of="exact_match")
    statistics = [metric.found([("", value) for value in row]) for row in table]
    sums = {name: math.fsum(row[name] for row in statistics) for name in statistics[0]}
    within = values.var(1, ddof=1).mean()
    between = max((4 * values.mean(1).var(ddof=1) - within) / 4, 0)
    parts = metric.score(**sums)
    agree("repeat_variance", [parts[".sample"], parts[".repeat"]], [between, within])
    agree("repeat_spread", eh.load_metric("repeat_spread", of="exact_match").score(**sums), math.sqrt(within))
    if within > 1e-6:
        ratio = float(stats.f_oneway(*table).statistic)
        assert ratio * within / 4 - within / 4 == pytest.approx(4 * values.mean(1).var(ddof=1) / 4 - within / 4, abs=1e-9)


def scored(texts: list[list[str]], references: list[list[str]], name: str, **options: Any) -> Any:
    """Return what a metric over the repeats finds of samples, each with as many rows as it has texts."""
    chain = Chain.build([(None, eh.load_metric("exact_match")), (None, eh.load_metric(name, of="exact_match", **options))])
    places = [row for row, own in enumerate(texts) for _ in own]
    columns = {"response": [text for own in texts for text in own], "references": [references[row] for row in places]}
    batch = eh.Batch(columns, [f"s{row}" for row in places])
    measured: dict[str, Any] = {}
    for entry in chain.entries:
        measured[entry.name] = measure(entry, batch, failures=[None] * len(batch), policy="worst", measured=measured)
    return measured[name]


def test_a_value_stands_in_the_first_row_of_its_sample() -> None:
    rows = scored([["4", "5"], ["6", "6"]], [["4"], ["4"]], "best_of")
    assert rows.statuses == [None, OF_SAMPLE, None, OF_SAMPLE]
    assert rows.values["best_of"].tolist()[::2] == [1.0, 0.0]
    assert rows.kept.tolist() == [True, False, True, False]


def test_a_sample_with_too_few_repeats_is_unmeasured() -> None:
    rows = scored([["4", "5"], ["6"]], [["4"], ["4"]], "pass_at_k", k=(2,))
    assert rows.statuses == [None, OF_SAMPLE, "1 repeats with a value, fewer than 2"]


def test_a_sample_whose_repeats_have_no_value_says_why() -> None:
    rows = scored([["4", "5"]], [[]], "pass_at_k")
    assert rows.statuses == ["exact_match: no reference", OF_SAMPLE]


def test_scores_of_samples_and_of_repeats_do_not_combine() -> None:
    entries = [(None, eh.load_metric("exact_match")), (None, eh.load_metric("best_of", of="exact_match"))]
    combined = eh.load_metric("combine", of=("exact_match", "best_of"))
    with pytest.raises(eh.EvalharnessError, match="'best_of' has one value for all repeats of a sample, 'exact_match' one"):
        Chain.build([*entries, (None, combined)])
    both = eh.load_metric("pass_at_k", of="exact_match", k=(1, 2))
    chain = Chain.build([*entries, (None, both), ("mean", eh.load_metric("combine", of=("best_of", "pass_at_k@2")))])
    assert [entry.of_samples for entry in chain.entries] == [False, True, True, True]
