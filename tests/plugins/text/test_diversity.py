"""Distinct n-grams, repetition and length, against their definitions and sacrebleu's lengths."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

WORDS = st.lists(st.sampled_from(["a", "b", "the", "mill"]), max_size=8)
TEXTS = WORDS.map(" ".join)


def grams(words: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + size]) for start in range(len(words) - size + 1)]


def share(texts: list[str], size: int) -> float:
    found = [gram for text in texts for gram in grams(text.split(), size)]
    return len(set(found)) / len(found) if found else math.nan


@settings(max_examples=50)
@given(rows=st.lists(st.tuples(TEXTS, st.lists(st.integers(0, 3), min_size=2, max_size=2)), min_size=1, max_size=6))
def test_distinct_n_is_the_share_of_distinct_n_grams_under_any_weights(rows: list[tuple[str, list[int]]]) -> None:
    texts, weights = [text for text, _ in rows], np.array([drawn for _, drawn in rows]).T
    metric = eh.load_metric("distinct_n", n=(1, 2, 3))
    together = metric.score(response=np.array(texts, object), weights=weights)
    for size in (1, 2, 3):
        repeated = [[text for text, times in zip(texts, drawn, strict=True) for _ in range(times)] for drawn in weights]
        agree("distinct_n", together[f".{size}"], [share(drawn, size) for drawn in repeated])
        alone = metric.score(response=np.array(texts, object), weights=weights[0])[f".{size}"]
        agree("distinct_n", alone, share(repeated[0], size))


def test_distinct_n_has_an_interval_and_no_value_of_a_sample() -> None:
    found = eh.load_metric("distinct_n", n=(1,)).evaluate(response=[f"word{row % 7} again" for row in range(40)])
    score = found.scores["distinct_n.1"]
    assert score.value == 8 / 80
    assert score.low is not None
    assert score.high is not None
    assert score.low < 0.1 < score.high


@settings(max_examples=50)
@given(words=WORDS, size=st.integers(1, 4))
def test_repetition_is_what_stood_there_before(words: list[str], size: int) -> None:
    measured = eh.load_metric("repetition_rate", n=size).measure(response=[" ".join(words)])
    assert isinstance(measured, eh.Rows)
    found = grams(words, size)
    if not found:
        assert measured.unmeasured == {0: f"fewer than {size} words"}
    else:
        before = sum(gram in found[:place] for place, gram in enumerate(found))
        agree("repetition_rate", measured.statistics["repeated"], [before / len(found)])


@settings(max_examples=50)
@given(pairs=st.lists(st.tuples(TEXTS, st.tuples(TEXTS, TEXTS)), min_size=1, max_size=4))
def test_the_length_ratio_is_that_of_sacrebleu(pairs: list[tuple[str, tuple[str, str]]]) -> None:
    response, references = [text for text, _ in pairs], [list(texts) for _, texts in pairs]
    bleu = sacrebleu.corpus_bleu(response, list(map(list, zip(*references, strict=True))), tokenize="none")
    metric = eh.load_metric("length_ratio", normalise="none")
    measured = metric.measure(response=response, references=references)
    assert isinstance(measured, eh.Rows)
    value = metric.score(**{name: np.sum(column) for name, column in measured.statistics.items()})
    agree("length_ratio", value, bleu.sys_len / bleu.ref_len if bleu.ref_len else math.nan)


@settings(max_examples=50)
@given(st.lists(TEXTS, min_size=2, max_size=4))
def test_self_bleu_is_the_mean_of_sacrebleu_against_the_other_responses(responses: list[str]) -> None:
    others = [responses[:at] + responses[at + 1 :] for at in range(len(responses))]
    expected = [sacrebleu.sentence_bleu(text, rest).score for text, rest in zip(responses, others, strict=True)]
    measured = eh.load_metric("self_bleu").measure(responses=[responses])
    assert isinstance(measured, eh.Rows)
    agree("self_bleu", measured.statistics["bleu"], [sum(expected) / len(expected)])


def test_self_bleu_needs_two_responses() -> None:
    measured = eh.load_metric("self_bleu").measure(responses=[["a"], [], ["a", None], ["a b c d", None, "a b c d"]])
    assert isinstance(measured, eh.Rows)
    assert measured.unmeasured == dict.fromkeys(range(3), "fewer than two responses")
    assert measured.statistics["bleu"][3] == pytest.approx(100)


def test_characters_of_chinese_and_japanese_are_words() -> None:
    scores = eh.load_metric("distinct_n", n=(1,)).evaluate(response=["東京東", "서울 서울"]).scores
    assert scores["distinct_n.1"].value == 3 / 5
    rate = eh.load_metric("repetition_rate", n=2).evaluate(response=["東京東京"]).scores["repetition_rate"]
    assert rate.value == pytest.approx(1 / 3)
    assert eh.load_metric("length_ratio").evaluate(response=["東京"], references=[["東"]]).scores["length_ratio"].value == 2.0


def test_a_sample_without_references_is_unmeasured() -> None:
    measured = eh.load_metric("length_ratio").measure(response=["a", "b"], references=[["a"], []])
    assert isinstance(measured, eh.Rows)
    assert measured.unmeasured == {1: "no reference"}


@pytest.mark.parametrize(
    ("name", "options"),
    [("distinct_n", {"n": []}), ("distinct_n", {"n": [0]}), ("distinct_n", {"n": [1, 1]}), ("repetition_rate", {"n": 0})],
)
def test_sizes_of_n_grams_are_checked(name: str, options: dict[str, object]) -> None:
    with pytest.raises(eh.UsageError, match=r"n must (hold whole numbers from 1|be 1 or more)"):
        eh.load_metric(name, **options)
