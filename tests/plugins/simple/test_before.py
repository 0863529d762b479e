"""`before`: another metric on what a system made before training."""

from __future__ import annotations

import pytest

import evalharness as eh
from evalharness.errors import FaultsFound
from evalharness.scoring import Chain, Entry

ROWS = {"response": ["yes", "no", "a b"], "references": [["yes"], ["yes"], ["a c"]]}
BEFORE = {"before_response": ROWS["response"], "references": ROWS["references"]}


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "bleu", "rouge"])
def test_it_equals_the_metric_on_the_columns_of_before_training(name: str) -> None:
    own, before = eh.load_metric(name).evaluate(**ROWS), eh.load_metric("before", metric=name).evaluate(**BEFORE)
    for score, other in zip(own.scores.values(), before.scores.values(), strict=True):
        assert (score.value, score.low, score.high, score.range) == (other.value, other.low, other.high, other.range)
    assert [f"before{score.removeprefix(name)}" for score in own.scores] == list(before.scores)


def test_it_has_the_declarations_of_the_other_metric() -> None:
    inner, outer = (
        eh.load_metric("perplexity", of="references"),
        eh.load_metric("before", metric={"perplexity": {"of": "references"}}),
    )
    for name in ("better", "unit", "range", "parts", "pool", "is_mean", "asks", "reads", "model"):
        assert getattr(outer, name) == getattr(inner, name), name
    assert outer.signature() == f"before|{{{inner.signature()}}}"


def test_it_asks_what_the_other_metric_asks() -> None:
    metric = eh.load_metric("before", metric={"perplexity": {"of": "response"}})
    assert metric.reads == ("before_response",)
    asked = metric.ask(before_response=["one", "two"], answers=[[], []])
    assert asked == [[eh.Likelihood(text="one")], [eh.Likelihood(text="two")]]
    found = metric.measure(before_response=["one"], answers=[[eh.Response(logprobs=(-1.0, -2.0))]])
    assert isinstance(found, eh.Rows)
    assert found.statistics == {"nll": [3.0], "size": [2]}


def test_what_failed_now_did_not_fail_before() -> None:
    entry = Entry.of(eh.load_metric("before", metric="token_f1"), "token_f1.before")
    assert not set(entry.metric.reads) & {"response", "logprobs"}
    assert Chain.build([("token_f1.before", entry.metric)]).score_names == ("token_f1.before",)


def test_other_scores_have_no_before() -> None:
    with pytest.raises(FaultsFound, match="'combine' builds on other scores"):
        eh.load_metric("before", metric={"combine": {"of": ["token_f1", "exact_match"]}})
