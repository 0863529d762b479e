"""BLEU against sacrebleu, on the corpus and on single samples."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh

RESPONSES = [
    "The cat sat on the mat.",
    "It's 3,000 metres—roughly—isn't it?",
    "one",
    "",
    "東京は日本の首都です。",
    "naïve cafe\u0301, 🙂 x-ray &quot;quoted&quot;",
    "the the the the the the the",
    "nothing in common here at all",
    "A man sleeps in the green hammock that hangs over the deck",
]
REFERENCES = [
    ["The cat sat on the mat.", "A cat was sitting on the mat today."],
    ["It is 3,000 metres, roughly, isn't it?"],
    ["one", "two words", "three words now"],
    ["something"],
    ["東京は日本の首都である。"],
    ['naïve café, 🙂 x-ray "quoted"'],
    ["the cat is on the mat", "there is a cat on the mat"],
    ["", "zero overlap"],
    ["A man is sleeping in a green hammock over the deck", "The man sleeps in a hammock that hangs over a deck"],
]
OPTIONS = [
    {"order": order, "tokenize": tokenize, "smooth": smooth, "lowercase": lowercase}
    for order, tokenize, smooth, lowercase in itertools.chain(
        itertools.product([4], ["13a", "intl", "zh", "char", "none"], ["exp", "floor", "add-k", "none"], [False]),
        itertools.product([1, 2, 6], ["13a"], ["exp", "add-k"], [True]),
    )
]


def statistics(response: list[str], references: list[list[str]], **options: Any) -> dict[str, Any]:
    return dict(eh.load_metric("bleu", **options).measure(response=response, references=references).statistics)


def corpus(response: list[str], references: list[list[str]], **options: Any) -> float:
    sums = {name: column.sum(0) for name, column in statistics(response, references, **options).items()}
    return float(eh.load_metric("bleu", **options).score(**sums))


def oracle(options: dict[str, Any], **more: Any) -> sacrebleu.BLEU:
    chosen = {"tokenize": options["tokenize"], "smooth_method": options["smooth"], "lowercase": options["lowercase"]}
    return sacrebleu.BLEU(**chosen, max_ngram_order=options["order"], force=True, **more)


def ranked(references: list[list[str]]) -> list[list[str | None]]:
    return [list(rank) for rank in itertools.zip_longest(*references)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_corpus_value_equals_sacrebleu(options: dict[str, Any]) -> None:
    expected = oracle(options).corpus_score(RESPONSES, ranked(REFERENCES)).score
    assert corpus(RESPONSES, REFERENCES, **options) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("effective_order", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_value_of_a_sample_equals_sacrebleu(options: dict[str, Any], effective_order: bool) -> None:
    metric = eh.load_metric("bleu", **options, effective_order=effective_order)
    values = metric.score(**metric.measure(response=RESPONSES, references=REFERENCES).statistics)
    single = oracle(options, effective_order=True)
    single.effective_order = effective_order  # set afterwards, it asks for no advice
    stats = [
        single._extract_corpus_statistics([text], [[item] for item in items])
        for text, items in zip(RESPONSES, REFERENCES, strict=True)
    ]
    expected = [single._aggregate_and_compute(counts).score for counts in stats]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)


def test_sentence_bleu_is_the_value_of_a_sample_with_effective_order() -> None:
    metric = eh.load_metric("bleu", effective_order=True)
    values = metric.score(**metric.measure(response=RESPONSES, references=REFERENCES).statistics)
    expected = [sacrebleu.sentence_bleu(text, items).score for text, items in zip(RESPONSES, REFERENCES, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)


WORD = st.sampled_from(["a", "b", "c", "d.", "3,5", "É", "é"])
TEXT = st.lists(WORD, max_size=9).map(" ".join)
ROWS = st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=1, max_size=6)


@settings(deadline=None)
@given(rows=ROWS, smooth=st.sampled_from(["exp", "floor", "add-k", "none"]), effective_order=st.booleans())
def test_random_corpora_equal_sacrebleu(rows: list[tuple[str, list[str]]], smooth: str, effective_order: bool) -> None:
    response, references = [text for text, _ in rows], [items for _, items in rows]
    options: dict[str, Any] = {"order": 4, "tokenize": "13a", "smooth": smooth, "lowercase": False}
    expected = oracle(options, effective_order=effective_order).corpus_score(response, ranked(references)).score
    assert corpus(response, references, **options, effective_order=effective_order) == pytest.approx(expected, abs=1e-9)


def test_real_answers_equal_sacrebleu(labelled_data: Callable[[str], Path]) -> None:
    items = json.loads(labelled_data("ragchecker_human_preference/human_labeled_data.json").read_text("utf-8"))[:60]
    response = [item["model1"]["response"] for item in items]
    references = [[item["gt_answer"], item["model2"]["response"]] for item in items]
    expected = sacrebleu.corpus_bleu(response, ranked(references)).score
    assert expected > 10
    assert corpus(response, references) == pytest.approx(expected, abs=1e-9)


def test_resampled_counts_with_fractions_are_scored_as_counts_are() -> None:
    sums = {name: column.sum(0) for name, column in statistics(RESPONSES, REFERENCES).items()}
    metric = eh.load_metric("bleu")
    halves = {name: np.stack([value, value * 0.5, value * 0]) for name, value in sums.items()}
    whole, half, nothing = metric.score(**halves)
    assert half == pytest.approx(whole, abs=1e-12)
    assert nothing == 0


def test_a_perfect_corpus_is_100_and_no_more() -> None:
    texts = [f"word{place} and some more words to make it long enough" for place in range(7)]
    assert corpus(texts, [[text] for text in texts]) == pytest.approx(100, abs=1e-9)
    assert corpus(texts, [[text] for text in texts]) <= 100


def test_nothing_in_common_is_0() -> None:
    assert corpus(["x y z u v"], [["a b c d e"]]) == 0
    assert corpus([""], [["a b c d e"]]) == 0


def test_a_sample_without_references_is_unmeasured_and_does_not_disturb_the_others() -> None:
    rows = eh.load_metric("bleu").measure(response=["a b c d", "x", "a b c d e"], references=[["a b c d"], [], ["a b c d", "z"]])
    assert rows.unmeasured == {1: "no reference"}
    assert rows.statistics["matched"].tolist()[::2] == [[4, 3, 2, 1], [4, 3, 2, 1]]
    assert rows.statistics["reference_length"].tolist()[::2] == [4, 4]


def test_no_rows_give_no_rows() -> None:
    assert statistics([], [])["matched"].shape == (0, 4)


@pytest.mark.parametrize(
    ("options", "message"), [({"order": 0}, "order must be 1 or more, not 0"), ({"tokenize": "13b"}, "Did you mean '13a'")]
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.EvalharnessError, match=message):
        eh.load_metric("bleu", **options)


def test_the_signature_names_every_option() -> None:
    assert eh.load_metric("bleu").signature() == "bleu|order:4|tokenize:13a|smooth:exp|lowercase:false|effective_order:false"
