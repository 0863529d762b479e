"""ROUGE against the rouge-score package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

import evalharness as eh

VARIANTS = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def values(response: list[str], references: list[list[str]], **options: Any) -> dict[str, list[float]]:
    return dict(eh.load_metric("rouge", **options).measure(response=response, references=references).statistics)


def expected(response: list[str], references: list[list[str]], stemmer: bool = False) -> dict[str, list[float]]:
    scorer = RougeScorer(VARIANTS, use_stemmer=stemmer)
    scores = [scorer.score_multi(items, text) for text, items in zip(response, references, strict=True)]
    return {f".{variant}": [float(score[variant].fmeasure) for score in scores] for variant in VARIANTS}


def check(response: list[str], references: list[list[str]], stemmer: bool = False) -> None:
    found, wanted = values(response, references, stemmer=stemmer), expected(response, references, stemmer)
    for part, column in wanted.items():
        np.testing.assert_allclose(found[part], column, rtol=0, atol=1e-9, err_msg=part)


RESPONSES = [
    "",
    "\n \n",
    "word",
    "The Cat's on the mat.\nIt purrs; it sleeps.\n\nThen it runs.",
    "the the the the",
    "東京は日本の首都です。",
    "مرحبا",
    "naïve CAFÉ \u212aelvin İstanbul 🙂 x\u0301",
    "running runners ran easily, generously, ponies ties",
    "a b c d e f\nf e d c b a\na c e b d f",
    "mill\r\nmill\u2028mill\x00mill",
]
REFERENCES = [
    ["something"],
    ["x"],
    ["word", "other word"],
    ["A cat sits on the mat.\nThen it sleeps and purrs.", "The cat is on the mat. It runs."],
    ["the cat the"],
    ["東京は日本の首都です。"],
    ["مرحبا hello"],
    ["naive cafe kelvin istanbul x"],
    ["he runs, the runner ran with ease and generosity to the pony tie"],
    ["f a e b d c\nc d b e a f", "a b c\nd e f\na b c d e f"],
    ["mill mill mill\nmill mill"],
]


@pytest.mark.parametrize("stemmer", [False, True])
def test_edge_cases_equal_rouge_score(stemmer: bool) -> None:
    check(RESPONSES, REFERENCES, stemmer)


LETTERS = st.lists(st.sampled_from("abcdefg"), max_size=9).map(" ".join)
SENTENCES = st.lists(LETTERS, max_size=5).map("\n".join)


@settings(deadline=None, max_examples=400)
@given(response=SENTENCES, references=st.lists(SENTENCES, min_size=1, max_size=3))
def test_unions_of_subsequences_equal_rouge_score_where_many_are_equally_long(response: str, references: list[str]) -> None:
    check([response], [references])


@settings(deadline=None)
@given(response=st.text(max_size=60), references=st.lists(st.text(max_size=60), min_size=1, max_size=3), stemmer=st.booleans())
def test_any_text_equals_rouge_score(response: str, references: list[str], stemmer: bool) -> None:
    check([response], [references], stemmer)


@pytest.mark.parametrize("stemmer", [False, True])
def test_long_real_answers_equal_rouge_score(labelled_data: Callable[[str], Path], stemmer: bool) -> None:
    items = json.loads(labelled_data("ragchecker_human_preference/human_labeled_data.json").read_text("utf-8"))
    items = [item for item in items if "\n" in item["gt_answer"]][:12] + items[:12]
    check(
        [item["model1"]["response"] for item in items],
        [[item["gt_answer"], item["model2"]["response"][:400]] for item in items],
        stemmer,
    )


def test_stems_of_real_words_equal_rouge_score(labelled_data: Callable[[str], Path]) -> None:
    text = labelled_data("wikitext2_valid/valid.txt").read_text("utf-8")[:200_000]
    from evalharness_text.rouge import rouge_words
    from rouge_score.tokenizers import DefaultTokenizer

    assert rouge_words(text, stemmed=True) == DefaultTokenizer(use_stemmer=True).tokenize(text)


def test_the_best_reference_is_chosen_for_each_variant_by_itself() -> None:
    found = values(["a b c d"], [["d c b a", "a b x y"]])
    assert found[".rouge1"] == [1.0]
    assert found[".rouge2"] == [pytest.approx(1 / 3)]


def test_text_without_latin_letters_or_digits_scores_0_as_in_rouge_score() -> None:
    assert values(["東京"], [["東京"]], variants=("rouge1",)) == {".rouge1": [0.0]}


def test_a_sample_without_references_is_unmeasured() -> None:
    assert eh.load_metric("rouge").measure(response=["x", "y"], references=[[], ["y"]]).unmeasured == {0: "no reference"}


def test_parts_follow_from_the_variants() -> None:
    metric = eh.load_metric("rouge", variants=("rougeL", "rouge1"))
    assert metric.parts == (".rougeL", ".rouge1")
    assert metric.signature() == "rouge|variants:rougeL,rouge1|stemmer:false"


@pytest.mark.parametrize("variants", [(), ("rouge1", "rouge1")])
def test_variants_that_name_nothing_or_one_twice_are_refused(variants: tuple[str, ...]) -> None:
    with pytest.raises(eh.EvalharnessError, match="variants must name at least one variant, and none twice"):
        eh.load_metric("rouge", variants=variants)
