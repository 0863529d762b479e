"""Metrics of preference pairs and of length: what is asked, what is counted, and the contract."""

from __future__ import annotations

import math
from typing import Any

import pytest

import evalharness as eh
from evalharness import Choose, Message, Response
from evalharness.testing import check_metric

EVERY = [
    ("preference_win_rate", {}),
    ("preference_win_rate", {"per": "token"}),
    ("answer_likelihood", {}),
    ("answer_likelihood", {"of": "rejected"}),
    ("response_length", {}),
    ("response_length", {"count": "bytes"}),
]
PAIR: dict[str, list[Any]] = {"prompt": ["Why?"], "chosen": ["Because."], "rejected": ["No."]}


def measured(name: str, logprobs: Any, columns: dict[str, list[Any]] = PAIR, tokens: Any = None, **options: Any) -> Any:
    """Return the rows for one pair whose answers have these log-probabilities."""
    replies = [] if logprobs is None else [Response(logprobs=logprobs, tokens=tokens)]
    return eh.load_metric(name, **options).measure(**columns, answers=[replies])


@pytest.mark.parametrize(("name", "options"), EVERY, ids=str)
def test_it_keeps_its_contract_and_describes_itself(name: str, options: dict[str, Any]) -> None:
    metric = eh.load_metric(name, **options)
    check_metric(metric)
    assert metric.cite
    assert metric.reference
    assert " 0 or " in (metric.__doc__ or "").splitlines()[0] or "0 to 1" in (metric.__doc__ or "").splitlines()[0]


@pytest.mark.parametrize(("logprobs", "won"), [((-1.0, -2.0), 1.0), ((-2.0, -1.0), 0.0), ((-3.0, -3.0), 0.5)])
def test_a_pair_is_won_where_the_chosen_answer_is_likelier(logprobs: tuple[float, float], won: float) -> None:
    assert measured("preference_win_rate", logprobs).statistics == {"won": [won]}


def test_per_token_a_long_answer_may_win_though_it_is_less_likely() -> None:
    logprobs, tokens = (-8.0, -6.0), (4, 2)  # 2 nats a token against 3
    assert measured("preference_win_rate", logprobs, tokens=tokens).statistics == {"won": [0.0]}
    assert measured("preference_win_rate", logprobs, tokens=tokens, per="token").statistics == {"won": [1.0]}
    assert measured("preference_win_rate", logprobs, per="token").unmeasured == {0: "numbers of tokens missing"}


def test_both_metrics_ask_for_both_answers_after_the_prompt_in_one_and_the_same_request() -> None:
    turns = [{"role": "user", "content": "Why?"}]
    for prompt, expected in (("Why?", "Why?"), (turns, (Message("user", "Why?"),))):
        wanted = Choose(prompt=expected, choices=("Because.", "No."), delimiter="")
        for name in ("preference_win_rate", "answer_likelihood"):
            metric = eh.load_metric(name)
            assert metric.ask(**{**PAIR, "prompt": [prompt]}, answers=[[]]) == [[wanted]]
            assert metric.ask(**PAIR, answers=[[Response(logprobs=(0.0, 0.0))]]) == [[]]


@pytest.mark.parametrize(("of", "nats"), [("chosen", -1.5), ("rejected", -2.5)])
def test_the_likelihood_is_that_of_the_whole_answer(of: str, nats: float) -> None:
    assert measured("answer_likelihood", (-1.5, -2.5), of=of).statistics == {"nats": [nats]}


@pytest.mark.parametrize("name", ["preference_win_rate", "answer_likelihood"])
@pytest.mark.parametrize("logprobs", [None, (math.nan, -1.0), (-1.0,)])
def test_a_pair_without_likelihoods_is_unmeasured(name: str, logprobs: Any) -> None:
    assert measured(name, logprobs).unmeasured == {0: "log-likelihoods missing"}


@pytest.mark.parametrize("name", ["preference_win_rate", "answer_likelihood"])
def test_a_blank_answer_is_not_asked_about(name: str) -> None:
    blank = {**PAIR, "rejected": [" \n"]}
    assert eh.load_metric(name).ask(**blank, answers=[[]]) == [[]]
    assert measured(name, None, blank).unmeasured == {0: "empty answer"}


@pytest.mark.parametrize(("count", "lengths"), [("characters", [7, 0]), ("words", [2, 0]), ("bytes", [8, 0])])
def test_length_is_counted_in_the_unit_that_is_asked_for(count: str, lengths: list[int]) -> None:
    metric = eh.load_metric("response_length", count=count)
    assert metric.measure(response=["ein Bär", ""]) == {"length": lengths}
    assert metric.unit == count
