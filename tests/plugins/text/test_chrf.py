"""chrF and chrF++ against sacrebleu, on the corpus and on single samples."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.testing import agree

RESPONSES = [
    "The cat sat on the mat.",
    "It's 3,000 metres—roughly—isn't it?",
    "(one)",
    "",
    "  \n\t ",
    "東京は日本の首都です。",
    "عاصمة مصر هي القاهرة.",
    "naïve cafe\u0301, 🙂 x-ray 👩‍👩‍👧",
    "the the the the the the the",
    "xyz",
    "...",
    "A man sleeps in the green hammock",
]
REFERENCES = [
    ["The cat sat on the mat.", "A cat was sitting on the mat today."],
    ["It is 3,000 metres, roughly, isn't it?"],
    ["(one", "one)", "(one)"],
    ["something"],
    ["", "words"],
    ["東京は日本の首都である。"],
    ["القاهرة هي عاصمة مصر."],
    ["naïve café, 🙂 x-ray 👩"],
    ["the cat is on the mat", "there is a cat on the mat"],
    ["abc def"],
    ["!"],
    ["", "A man is sleeping in a green hammock over the deck", "a man sleeps in the green hammock"],
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"word_order": 2},
    {"word_order": 2, "eps_smoothing": True},
    {"eps_smoothing": True, "whitespace": True},
    {"word_order": 1, "lowercase": True, "beta": 3},
    {"char_order": 3, "beta": 1, "whitespace": True},
    {"char_order": 0, "word_order": 2},
    {"char_order": 9, "word_order": 3},
]


def check(response: list[str], references: list[list[str]], options: dict[str, Any]) -> None:
    found = eh.load_metric("chrf", **options).evaluate(response=response, references=references)
    theirs = sacrebleu.CHRF(**options)
    ranked: Any = list(itertools.zip_longest(*references))
    agree("chrf", found.scores["chrf"].value, theirs.corpus_score(response, ranked).score)
    expected = [theirs.sentence_score(text, items).score for text, items in zip(response, references, strict=True)]
    agree("chrf", found.samples["chrf"], expected)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_corpus_and_samples_equal_sacrebleu(options: dict[str, Any]) -> None:
    check(RESPONSES, REFERENCES, options)


WORD = st.sampled_from(["a", "b.", "ab", "(ba)", "É", "e\u0301", "東京", "שלום", "🙂", "...", "\n"])
TEXT = st.lists(WORD, max_size=7).map(" ".join) | st.text(max_size=5)
ROWS = st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=1, max_size=5)


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, options=st.sampled_from(OPTIONS))
def test_random_texts_equal_sacrebleu(rows: list[tuple[str, list[str]]], options: dict[str, Any]) -> None:
    check([text for text, _ in rows], [items for _, items in rows], options)


LETTERS = st.text("ab", max_size=4)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(LETTERS, st.lists(LETTERS, min_size=2, max_size=4)), min_size=2, max_size=4))
def test_the_best_of_nearly_equal_references_is_that_of_sacrebleu(rows: list[tuple[str, list[str]]]) -> None:
    check([text for text, _ in rows], [items for _, items in rows], {"word_order": 2})


def test_real_summaries_equal_sacrebleu(labelled_data: Callable[[str], Path]) -> None:
    path = labelled_data("xsum_hallucination/factuality_annotations_xsum_summaries.csv")
    with path.open(encoding="utf-8", newline="") as file:
        found = {(row["system"], row["bbcid"]): row["summary"] for row in csv.DictReader(file)}
    others = ("TranS2S", "PtGen")
    articles = [article for system, article in found if system == "BERTS2S" and all((one, article) in found for one in others)]
    response = [found["BERTS2S", article] for article in articles[:120]]
    check(response, [[found[one, article] for one in others] for article in articles[:120]], {"word_order": 2})


def test_long_real_answers_equal_sacrebleu(labelled_data: Callable[[str], Path]) -> None:
    items = json.loads(labelled_data("ragchecker_human_preference/human_labeled_data.json").read_text("utf-8"))[:30]
    check([item["model1"]["response"] for item in items], [[item["gt_answer"]] for item in items], {})


def test_a_sample_without_references_is_unmeasured_and_does_not_disturb_the_others() -> None:
    found = eh.load_metric("chrf").evaluate(response=["abc", "x", "abc"], references=[["abc"], [], ["abc", "z"]])
    assert found.samples["chrf"] == [100.0, None, 100.0]
    assert found.statuses == [None, "no reference", None]


def test_no_rows_give_no_rows() -> None:
    statistics = dict(eh.load_metric("chrf", word_order=2).measure(response=[], references=[]).statistics)
    assert {name: column.shape for name, column in statistics.items()} == dict.fromkeys(
        ("matched", "total", "reference_total"), (0, 8)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"char_order": 0}, "char_order and word_order must be 0 or more and one of them at least 1, not 0 and 0"),
        ({"word_order": -1}, "not 6 and -1"),
        ({"beta": 0.0}, "beta must be above 0 and finite, not 0.0"),
        ({"beta": float("nan")}, "beta must be above 0 and finite, not nan"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.EvalharnessError, match=message):
        eh.load_metric("chrf", **options)
